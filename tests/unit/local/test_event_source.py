"""When the local event source ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.local.event_source import EventSource
from handlers.pipeline.stop import StopSignal
from tests.builders.command import until
from tests.builders.fakes import FakeClock, FedJob
from tests.builders.values import RUN


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[SqliteQueue]:
    """With a message that a job took which has died since: it stays hidden for as long as it was to be."""
    queue = SqliteQueue(tmp_path / "queue.sqlite3", RUN, FakeClock())
    queue.send([("a", "body")])
    queue.receive(limit=1, visibility=900)
    yield queue
    queue.close()


def source(queue: SqliteQueue, stop: StopSignal, settled: list[bool]) -> EventSource:
    def handle(_event: dict[str, Any], _context: Any, /) -> dict[str, Any]:
        raise AssertionError("no message is visible")

    return EventSource(FedJob(queue, stop), handle, settled=lambda: settled.pop(0))


def test_it_does_not_wait_for_a_dead_jobs_message_when_nothing_is_left_to_do(queue: SqliteQueue) -> None:
    source(queue, StopSignal(), settled=[True]).run()
    assert queue.counts().in_flight == 1


def test_it_waits_as_long_as_something_is_left_to_do(queue: SqliteQueue) -> None:
    stop, answers = StopSignal(), [False]
    waiting = threading.Thread(target=source(queue, stop, answers).run, daemon=True)
    waiting.start()
    while answers:
        waiting.join(0.01)
    assert waiting.is_alive(), "asked, and told to wait"
    stop.close("the test is over")
    waiting.join(60)
    assert not waiting.is_alive()


def test_a_call_that_starts_as_the_job_is_cut_off_is_cut_off_too(tmp_path: Path) -> None:
    queue, stop = SqliteQueue(tmp_path / "busy.sqlite3", RUN, FakeClock()), StopSignal()
    queue.send([("a", "body")])
    cut, started = [], threading.Event()

    def handle(_event: dict[str, Any], _context: Any, /) -> dict[str, Any]:
        stop.abandon("told to")
        until(lambda: len(cut) > 0)  # the first came before the call was in flight
        cut.clear()
        until(lambda: len(cut) > 0)
        started.set()
        return {"batchItemFailures": []}

    EventSource(FedJob(queue, stop, cut_off=lambda: cut.append(1)), handle).run()
    assert started.is_set()
    queue.close()


def test_it_ends_with_its_last_batch_and_not_at_the_next_look(tmp_path: Path) -> None:
    queue, stop, goes_on = (
        SqliteQueue(tmp_path / "last.sqlite3", RUN, FakeClock()),
        StopSignal(),
        threading.Event(),
    )
    queue.send([("a", "body")])

    def handle(_event: dict[str, Any], _context: Any, /) -> dict[str, Any]:
        goes_on.wait(10)
        return {"batchItemFailures": []}

    ends = threading.Thread(
        target=EventSource(FedJob(queue, stop, taken=lambda: 1), handle, idle=60.0).run, daemon=True
    )
    ends.start()
    until(lambda: queue.counts().in_flight == 1)
    goes_on.set()
    ends.join(10)
    assert not ends.is_alive()
    queue.close()
