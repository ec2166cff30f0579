"""The allowance of a job's next step."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr
from rich.console import Console

from handlers.actions.begin import granted, read_plan
from handlers.actions.session_plan import JobState
from handlers.actions.step import own_pending, step, step_settings
from handlers.actions.summary import job_sentence
from handlers.bootstrap.state import connect
from handlers.errors import UsageError
from handlers.settings import Settings
from tests.builders.values import RUN, batch, commit, entry, run_record


def job(share: int | None) -> JobState:
    return JobState(
        session="actions-1-1", run_id=RUN, job=1, attempt=1, step=0, started_at=0.0, ends_at=3600.0,
        share=share, workers=2, rpm=None, tpm=None, limit=None, checkpoint_seconds=900.0, allowance=0,
        least_allowance=0, grant="",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("share", "wanted", "allowance", "stopped"),
    [(100, 40, 40, ""), (30, 40, 30, ""), (0, 40, 0, "share_spent"), (None, 0, 0, ""), (100, 0, 0, "")],
)
def test_a_job_goes_on_while_its_share_allows_or_its_calls_cost_nothing(
    tmp_path: Path, share: int | None, wanted: int, allowance: int, stopped: str
) -> None:
    adapters = connect(Settings(state=tmp_path, run_id=RUN), RUN)
    adapters.ledger.create_run(run_record(budget=share))
    given = granted(adapters, job(share), wanted)
    assert (given.allowance, given.stopped, bool(given.grant)) == (allowance, stopped, not stopped)
    assert adapters.ledger.budget_state(RUN).drawn == allowance
    adapters.close()


def test_a_jobs_own_papers_are_those_of_its_batches_that_have_not_ended(tmp_path: Path) -> None:
    adapters = connect(Settings(state=tmp_path, run_id=RUN), RUN)
    adapters.ledger.add_batches([batch("b1", ("p0", "p1")), batch("b2", ("p2", "p3"))])
    adapters.ledger.create_run(run_record(papers=100))
    adapters.ledger.commit([commit(entry("p0"), batch_id="b1")])
    assert own_pending(adapters, RUN) == 3
    assert adapters.ledger.totals(RUN).counts["pending"] == 99
    adapters.close()


def test_a_job_that_has_not_begun_is_told_and_leaves_no_folder(tmp_path: Path) -> None:
    state = tmp_path / "job-3"
    with pytest.raises(UsageError, match=r"job-3: no job has begun here: `paperfleet actions begin --plan"):
        step(Settings(state=state), Console(stderr=True))
    assert not state.exists(), "in which it could not begin then"
    with pytest.raises(UsageError, match="`paperfleet actions plan` writes one"):
        read_plan(tmp_path / "plan")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "job 1 of actions-1-1 has begun: `paperfleet actions work` works on it"),
        ({"step": 2}, "job 1 of actions-1-1: step 2 has ended; `paperfleet actions work` goes on"),
        ({"step": 2, "stopped": "share_spent"}, "job 1 of actions-1-1 stopped: share spent"),
    ],
)
def test_a_job_is_told_in_a_sentence_on_a_terminal(changed: dict[str, object], words: str) -> None:
    assert job_sentence(job(100).model_copy(update=changed)) == words


def test_a_jobs_step_tells_no_webhook_of_its_allowance() -> None:
    settings = Settings(webhook=SecretStr("https://hooks.example.com/x"), webhook_secret="one")
    asked = step_settings(job(100), settings)
    assert (asked.webhook, asked.webhook_secret, asked.workers) == (None, None, 2)
