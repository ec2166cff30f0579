"""The local event source: what it takes from the queue, and when."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handlers.adapters.sqlite_queue import SqliteQueue
from handlers.pipeline.heartbeat import LEASE_TTL
from handlers.pipeline.source import EventSource
from handlers.pipeline.stop import StopSignal
from tests.fakes import SetClock


def test_what_others_work_on_is_not_taken_when_the_machine_has_slept(tmp_path: Path) -> None:
    clock, stop = SetClock(), StopSignal()
    queue = SqliteQueue(tmp_path / "q", "r", clock)
    queue.send([("b1", "body")])
    (message,) = queue.receive(limit=1, visibility=LEASE_TTL)
    taken: list[dict[str, Any]] = []

    def handle(event: dict[str, Any], _context: object) -> Mapping[str, Any]:
        taken.append(event)
        return {"batchItemFailures": []}

    def wait(seconds: float) -> None:
        """The other job's heartbeat is a second late."""
        clock.advance(max(seconds, 0.2))
        waited.append(seconds)
        if len(waited) == 5:
            queue.extend(message.receipt, LEASE_TTL)
        if len(waited) > 100:
            stop.drain("the test has seen enough")

    waited: list[float] = []
    stop.wait = wait  # type: ignore[method-assign]
    source = EventSource(
        queue,
        handle,
        backlog=lambda: 0,
        taken=lambda: 0,
        out_of_time=lambda: False,
        workers=4,
        clock=clock,
        stop=stop,
        settled=lambda: len(waited) > 20,
        on_abandon=lambda: None,
    )
    clock.ahead = 3600.0
    source.run()
    assert taken == []
    queue.close()
