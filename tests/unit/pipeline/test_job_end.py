"""A job that ends while its ledger is away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from handlers.errors import UnavailableError
from handlers.pipeline import heartbeat
from handlers.pipeline.job_runner import Job, JobSize
from tests.builders.bench import GOOD, Bench


class AwayUntil:
    """Its ledger, which takes nothing back until so many seconds have passed."""

    def __init__(self, bench: Bench, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self._clock, self._method = bench.clock, bench.ledger.give_back
        self._back_at = self._clock.monotonic() + seconds
        monkeypatch.setattr(bench.ledger, "give_back", self)

    def __call__(self, *arguments: Any) -> None:
        if self._clock.monotonic() < self._back_at:
            raise UnavailableError("away")
        self._method(*arguments)


def ending(tmp_path: Path, seconds: float, monkeypatch: pytest.MonkeyPatch) -> tuple[Bench, Job]:
    """A job that holds money, of which no call is in flight."""
    monkeypatch.setattr(heartbeat, "BEAT", 3600.0)  # which gives money back, too
    bench = Bench(tmp_path, GOOD)
    bench.model.close = lambda: None
    job = Job(bench.job, lambda _run: bench.context, JobSize(workers=1))
    budget = job.context("r").budget
    budget.reserve(1000, lambda: False)
    budget.settle(1000, 0)
    AwayUntil(bench, seconds, monkeypatch)
    return bench, job


def test_it_waits_for_it_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, job = ending(tmp_path, 600, monkeypatch)
    began = bench.clock.monotonic()
    job.close("finished", patient=True)
    assert 600 <= bench.clock.monotonic() - began < 620
    assert bench.ledger.budget_state("r").drawn == 0
    assert [each.lost for each in bench.ledger.jobs("r") if each.ended_at is not None] == [0]


def test_who_asks_twice_for_its_end_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, job = ending(tmp_path, 600, monkeypatch)
    began = bench.clock.monotonic()
    job.stop.abandon("interrupted")
    with pytest.raises(UnavailableError):
        job.close("interrupted", patient=True)
    assert bench.clock.monotonic() - began < 1
    bench.clock.advance(600)
    job.close("interrupted")
    assert bench.ledger.budget_state("r").drawn == 0
