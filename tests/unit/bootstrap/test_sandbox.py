"""What a sandbox keeps: one job, and those that it could not close."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.bootstrap import sandbox, wiring
from handlers.errors import UnavailableError
from handlers.pipeline import heartbeat
from handlers.pipeline.job_runner import Job
from handlers.tasks.translation.masking.masking import MASKING_VERSION
from handlers.tasks.translation.prompt import PROMPT_VERSION
from tests.builders.own_process import own_process
from tests.builders.values import RUN, run_record

AMOUNT = 1000


@pytest.fixture(autouse=True)
def _process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(heartbeat, "BEAT", 3600.0)  # which gives money back, too
    settings = {"STATE": str(tmp_path), "RUN_ID": RUN, "BASE_URL": "http://127.0.0.1:9", "WORKERS": "1",
                "PRICE_IN": "1", "PRICE_OUT": "1"}  # fmt: skip
    with own_process({f"PAPERFLEET_{name}": value for name, value in settings.items()}):
        wiring._kept()[0].ledger.create_run(
            run_record(prompt_version=PROMPT_VERSION, masking_version=MASKING_VERSION)
        )
        yield


class Away:
    """A ledger's method whose calls fail as the test says, then reach it."""

    def __init__(self, ledger: Any, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._method = getattr(ledger, method)
        self.fails, self.asked = 0, 0
        monkeypatch.setattr(ledger, method, self)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.asked += 1
        if self.fails:
            self.fails -= 1
            raise UnavailableError("away")
        return self._method(*arguments, **named)


def spend_and_drain(job: Job) -> None:
    """What it drew is in its pool when it ends, for it cannot give it back."""
    job.context(RUN).budget.reserve(AMOUNT, lambda: False)
    job.context(RUN).budget.settle(AMOUNT, 0)
    job.stop.drain("it has ended")


def test_what_jobs_that_an_outage_left_open_had_drawn_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    warm, ledger = sandbox._sandbox(), wiring._kept()[0].ledger
    give_back = Away(ledger, "give_back", monkeypatch)
    end_job = Away(ledger, "end_job", monkeypatch)
    give_back.fails = 3
    with warm.invocation() as first:
        spend_and_drain(first)
    with warm.invocation() as second:
        assert len(warm._left) == 1, "and its successor works"
        spend_and_drain(second)
    assert (give_back.asked, end_job.asked) == (3, 0)
    end_job.fails = 1
    with warm.invocation() as third:
        assert [job.id for job in warm._left] == [first.id, second.id]
    assert (give_back.asked, end_job.asked) == (4, 1), "what an outage stops is not asked for of each"
    assert ledger.budget_state(RUN).drawn == AMOUNT
    with warm.invocation() as fourth:
        assert (warm._left, fourth) == ([], third)
    assert ledger.budget_state(RUN).drawn == 0
    ended = {job.job_id: job.lost for job in ledger.jobs(RUN) if job.ended_at is not None}
    assert ended == {first.id: 0, second.id: 0}
