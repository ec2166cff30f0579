"""The local event source while its machine sleeps or its queue is out of reach."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.domain.batch import QueueMessage
from handlers.errors import PaperfleetError
from handlers.local.event_source import EventSource
from handlers.pipeline.heartbeat import LEASE_TTL
from handlers.pipeline.stop import StopSignal
from tests.builders.fakes import FedJob, SetClock


class Away(SqliteQueue):
    """One behind a network that is gone from one request to another."""

    asked = 0
    away = range(0)

    def receive(self, *, limit: int, visibility: float) -> list[QueueMessage]:
        self.asked += 1
        if self.asked in self.away:
            raise PaperfleetError("queue: does not answer")
        return super().receive(limit=limit, visibility=visibility)


def source_of(queue: SqliteQueue, taken: list[str], clock: SetClock, stop: StopSignal) -> EventSource:
    def handle(event: dict[str, Any], _context: object) -> Mapping[str, Any]:
        taken.append(event["Records"][0]["body"])
        return {"batchItemFailures": []}

    job = FedJob(queue, stop, clock=clock, workers=4, taken=lambda: len(taken))
    return EventSource(job, handle)


def waiting(clock: SetClock, stop: StopSignal, on_wait: Callable[[int], None] = lambda _: None) -> None:
    """Waits move the clock, are counted, and end a test that would never end."""
    waits, others = iter(range(10_000)), threading.Event()

    def wait(seconds: float) -> None:
        others.wait(0.001)  # threads that handle messages have their turn
        clock.advance(seconds)
        number = next(waits, None)
        on_wait(number or 0)
        if number is None:
            stop.drain("the test has seen enough")

    stop.wait = wait


@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
def test_what_others_work_on_is_not_taken_when_the_clock_jumps(tmp_path: Path, ahead: float) -> None:
    clock, stop = SetClock(), StopSignal()
    queue = SqliteQueue(tmp_path / "q", "r", clock)
    queue.send([("b1", "body")])
    (message,) = queue.receive(limit=1, visibility=LEASE_TTL)
    taken: list[str] = []

    def on_wait(number: int) -> None:
        if number == 5:  # the other job's heartbeat, a second late
            queue.extend(message.receipt, LEASE_TTL)
        if number == 500:  # its work is done
            queue.delete(message.receipt)

    waiting(clock, stop, on_wait)
    source = source_of(queue, taken, clock, stop)
    clock.ahead = ahead
    source.run()
    assert taken == []
    assert stop.reason == ""
    queue.close()


def test_a_queue_that_is_out_of_reach_for_a_minute_ends_no_job(tmp_path: Path) -> None:
    clock, stop = SetClock(), StopSignal()
    queue, taken = Away(tmp_path / "q", "r", clock), list[str]()
    queue.send([("b1", "first"), ("b2", "second")])
    queue.away = range(2, 300)
    waiting(clock, stop)
    source_of(queue, taken, clock, stop).run()
    assert taken == ["first", "second"]
    queue.close()


def test_a_queue_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    clock, stop = SetClock(), StopSignal()
    queue = Away(tmp_path / "q", "r", clock)
    waiting(clock, stop)
    queue.away = range(1, 2)
    with pytest.raises(PaperfleetError):
        source_of(queue, [], clock, stop).run()
    queue.close()
