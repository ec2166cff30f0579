"""A paper is counted by its first call, whichever of its passages makes that."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from handlers.errors import StoppedError
from handlers.pipeline.calls.paper_start import PaperStart
from handlers.pipeline.stop import StopSignal


class Starts:
    """A ledger that takes its time to count."""

    def __init__(self, left: int) -> None:
        self.left, self.asked = left, 0

    def take_start(self, _session: str) -> bool:
        self.asked += 1
        threading.Event().wait(0.02)
        self.left -= 1
        return self.left >= 0


def context_of(ledger: Starts) -> Any:
    job = SimpleNamespace(
        stop=StopSignal(), limited=True, session_id="s", backend=SimpleNamespace(ledger=ledger)
    )
    return SimpleNamespace(job=job, give_up=lambda: False, why=lambda: job.stop.reason)


def test_of_a_hundred_workers_one_counts_and_all_may_call() -> None:
    ledger = Starts(1)
    start, together = PaperStart(context_of(ledger), made=False), threading.Barrier(100)

    def call(_: int) -> None:
        together.wait(60)
        start.make()

    with ThreadPoolExecutor(100) as workers:
        list(workers.map(call, range(100)))
    assert ledger.asked == 1


def test_a_paper_beyond_the_limit_does_not_start_and_one_that_has_answers_goes_on() -> None:
    context = context_of(Starts(0))
    with pytest.raises(StoppedError):
        PaperStart(context, made=False).make()
    assert context.job.stop.reason == "limit"
    PaperStart(context, made=True).make()
