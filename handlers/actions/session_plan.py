"""A session on GitHub Actions: the plan with each job's share, and the state that a job keeps."""

from __future__ import annotations

import math

from handlers.actions.tiers import SessionResult, TierForecast
from handlers.domain.money import NanoUsd
from handlers.domain.value import Frozen
from handlers.errors import UsageError

PLAN_FILE = "plan.json"
JOB_FILE = "job.json"
_CALLS_AHEAD = 2
_REPAIRS = 1.5
"""Calls a paper that are reckoned with, repairs and repeated ones included."""
_TOKENS_A_CALL = 700
"""Of a whole paper: a passage has about 1,000, and some are asked again."""
MIN_STEP = 1.0
"""Seconds below which another step is not worth its start."""


class JobShare(Frozen):
    """One job's part of a session. Rates are a minute's."""

    job: int
    batches: tuple[str, ...]
    papers: int
    tokens: int
    budget: NanoUsd | None
    rpm: float | None
    tpm: float | None
    limit: int | None
    """Papers that it may start; None: all."""


class SessionPlan(Frozen):
    """The plan that all jobs of a session read. Its id names the workflow run and attempt."""

    session: str
    run_id: str
    tier: str
    why: str
    jobs: tuple[JobShare, ...]
    workers: int
    at_once: int
    started_at: float
    job_seconds: float
    checkpoint_seconds: float
    call: NanoUsd
    """What one call may cost: reserved for the heaviest pending paper."""
    budget: NanoUsd | None
    """Of the run, over all sessions."""
    total_papers: int | None
    papers: int
    pending: int
    """Of all papers, before this session."""
    spent: NanoUsd
    """Before this session."""
    verdict: TierForecast
    table: tuple[TierForecast, ...]
    last: SessionResult | None
    self_hosted: bool
    answered: int | None = None
    """Calls that were answered before this session."""
    corpus_bytes: int = 0
    """Of the corpus, where it travels with the plan."""
    ledger_bytes: int = 0
    """Of the ledger, which travels with it."""

    def first_allowance(self, share: JobShare) -> NanoUsd:
        """What a job may spend before its first checkpoint with results: so many calls that every
        worker has its hands full, and no more than its papers can ask for."""
        wanted = max(math.ceil(_REPAIRS * share.papers), math.ceil(share.tokens / _TOKENS_A_CALL))
        calls = min(_CALLS_AHEAD * self.workers, wanted)
        return NanoUsd(max(1, calls) * self.call)

    def share(self, job: int) -> JobShare:
        """UsageError if the session has no such job."""
        for each in self.jobs:
            if each.job == job:
                return each
        raise UsageError(f"no job {job} in session {self.session}: it has {len(self.jobs)}, counted from 1")


class JobState(Frozen):
    """A job's state beside its ledger, part of each of its checkpoints."""

    session: str
    run_id: str
    job: int
    """Its number in the session, counted from 1."""
    attempt: int
    """Of the workflow run, counted from 1."""
    step: int
    """Steps that have ended."""
    started_at: float
    ends_at: float
    """When its time is up, in Unix seconds."""
    share: NanoUsd | None
    """What it may spend in all; null: no budget."""
    workers: int
    rpm: float | None
    """Its share of the requests a minute that were given; null: none were."""
    tpm: float | None
    """Its share of the tokens a minute that were given; null: none were."""
    limit: int | None
    """Papers after which it stops; null: none."""
    checkpoint_seconds: float
    """Seconds from one checkpoint to the next."""
    allowance: NanoUsd
    """What the next step may spend; the ledger holds it under ``grant``."""
    least_allowance: NanoUsd
    """What a step may spend at the least."""
    grant: str
    """Id of the allowance in the ledger."""
    stopped: str = ""
    """Why the job has stopped; "" while it goes on."""


def next_allowance(
    left: int | None, *, least: int, spent: int, seconds: float, checkpoint: float, to_go: int | None
) -> NanoUsd:
    """For the next step: twice what this one's pace comes to until the next checkpoint, and no more
    than what is ``to_go`` should cost.

    What a job can lose with its workspace is bounded by it, because it stands in the checkpoint that was
    saved before the step began. ``left`` is what remains of the job's share; None: no budget. ``to_go`` is
    None where nobody knows.
    """
    expected = round(2 * spent * checkpoint / seconds) if seconds > 0 else 0
    wanted = max(least, expected if to_go is None else min(expected, to_go))
    return NanoUsd(wanted if left is None else max(0, min(left, wanted)))


def cost_to_go(spent: int, ended: int, papers: int) -> NanoUsd | None:
    """What so many papers should cost at most, by what was ``spent`` while others ``ended``: a full
    text is many calls. The heaviest come first, so this is on the high side. None if none has ended."""
    return NanoUsd(math.ceil(_REPAIRS * papers * spent / ended)) if ended else None
