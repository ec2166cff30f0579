"""Tiers on GitHub Actions: what a session of each does, what binds it, and which one comes next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from handlers.errors import UsageError
from handlers.models import Frozen
from handlers.pipeline.platform_limits import ActionsLimits, platform_limits
from handlers.settings import TIERS

SEED_PACE = 34_237 / (340 * 10)
"""Papers of a worker in an hour, before anything is measured: 34,237 papers took 10 workers 340 hours."""
_SPARE_MINUTES = 10
"""Of a job's time, kept for setting up, the last checkpoint and the upload."""
_LADDER = tuple(TIERS)
_BUSY, _CALM, _THROTTLED = 0.6, 0.005, 0.05
CUSTOM, AUTO = "custom", "auto"


class Verdict(Frozen):
    """A row of the plan: a tier on this account. Hours, minutes, sessions for the papers that are left."""

    tier: str
    jobs: int
    workers: int
    """Of each job."""
    at_once: int
    """Jobs that run at the same time; the others queue up."""
    papers_per_hour: float
    hours: float
    sessions: int
    minutes: int
    """Of runners, each job's rounded up."""
    minutes_per_session: int
    months_of_minutes: float
    """How often the account's included minutes are used up, on a private repository."""
    binding: str


class Measured(Frozen):
    """What the last session showed: the base of ``auto`` and of later verdicts."""

    tier: str
    jobs: int
    workers: int
    papers: int
    """That came to an end in it."""
    papers_per_worker_hour: float
    busy: float
    """Share of the workers' time that was spent on papers."""
    throttled: float
    """Share of the calls that were refused for their rate."""
    slots: int | None = None
    """Jobs that GitHub ran at the same time; None if nobody looked."""
    waited_s: float | None = None
    """Longest that a job was queued."""


@dataclass(frozen=True)
class Account:
    """An account's limits, and the runners of one's own that stand beside them."""

    plan: str = "free"
    private: bool = False
    self_hosted: bool = False

    @property
    def limits(self) -> ActionsLimits:
        return platform_limits().actions

    @property
    def jobs_at_once(self) -> int | None:
        """None: as many as there are runners."""
        return None if self.self_hosted else self.limits.plan(self.plan).concurrent_jobs


def shape_of(tier: str, jobs: int | None, workers: int | None) -> tuple[int, int]:
    """(jobs, workers of each) of a tier by name, or of ``custom``. UsageError names what does not fit."""
    limit = platform_limits().actions.matrix_jobs
    if tier == CUSTOM:
        if jobs is None or workers is None:
            raise UsageError("tier custom: give parallel_jobs and workers_per_job")
    elif tier in TIERS:
        jobs, workers = jobs or TIERS[tier][0], workers or TIERS[tier][1]
    else:
        raise UsageError(f"no tier {tier!r}: give one of {', '.join((*TIERS, CUSTOM, AUTO))}")
    if not 1 <= jobs <= limit:
        raise UsageError(f"parallel_jobs {jobs}: 1 to {limit}, which is what one matrix may have")
    if not 1 <= workers <= 1000:
        raise UsageError(f"workers_per_job {workers}: 1 to 1000")
    return jobs, workers


def verdict(
    tier: str, shape: tuple[int, int], papers: int, account: Account, *, pace: float, rpm: float | None
) -> Verdict:
    """``pace``: papers of a worker in an hour. ``rpm``: the API's declared requests a minute, if any."""
    jobs, workers = shape
    at_once = min(jobs, account.jobs_at_once or jobs)
    fleet = at_once * workers * pace
    served = min(fleet, rpm * 60) if rpm else fleet
    hours = papers / served if served else 0.0
    usable = account.limits.job_hours - _SPARE_MINUTES / 60
    waves = math.ceil(jobs / at_once)
    sessions = math.ceil(hours / (usable * waves)) if hours else 0
    per_job = math.ceil(min(hours * at_once / jobs, usable) * 60 + _setup_minutes(account))
    minutes = math.ceil(hours * at_once * 60) + sessions * jobs * math.ceil(_setup_minutes(account))
    included = account.limits.plan(account.plan).minutes
    found = Verdict(
        tier=tier,
        jobs=jobs,
        workers=workers,
        at_once=at_once,
        papers_per_hour=round(served, 1),
        hours=round(hours, 2),
        sessions=sessions,
        minutes=minutes,
        minutes_per_session=per_job * jobs if sessions else 0,
        months_of_minutes=round(minutes / included, 2) if account.private and included else 0.0,
        binding="",
    )
    binds = "; ".join(_binding(found, account, fleet, rpm)) or f"{jobs * workers:,} workers"
    return found.model_copy(update={"binding": binds})


def _setup_minutes(account: Account) -> float:
    return (account.limits.start_s + account.limits.setup_s) / 60


def _binding(row: Verdict, account: Account, fleet: float, rpm: float | None) -> Iterator[str]:
    """What holds it back, the hardest first."""
    if rpm and fleet > rpm * 60:
        yield f"the API's {rpm:g} requests a minute"
    if row.at_once < row.jobs:
        yield f"{account.plan} accounts run {row.at_once} jobs at once: {row.jobs - row.at_once} queue up"
    if row.sessions > 1:
        yield f"a job ends after {account.limits.job_hours:g} h: {row.sessions} sessions"
    included = account.limits.plan(account.plan).minutes
    if account.private and not account.self_hosted and row.minutes > included:
        yield f"{row.minutes:,} runner minutes, {included:,} a month are included on private repositories"


def honest(jobs: int, workers: int) -> str:
    """What a shape comes to, in words."""
    return f"{jobs} jobs x {workers} workers is {jobs * workers:,} calls at once"


def next_tier(last: Measured | None, pending: int) -> tuple[str, str]:
    """(tier, why) for ``auto``: a rung up or down from the last session, never more than is needed."""
    if last is None or last.tier not in TIERS:
        tier, why = "parallel", "nothing is measured yet"
    else:
        tier, why = _moved(last)
    needed = next((name for name in _LADDER if TIERS[name][0] * TIERS[name][1] * 2 >= pending), tier)
    if _LADDER.index(needed) < _LADDER.index(tier):
        return needed, f"{pending:,} papers are left, which need no more"
    return tier, why


def _moved(last: Measured) -> tuple[str, str]:
    rung = _LADDER.index(last.tier)
    if last.throttled > _THROTTLED:
        return _LADDER[max(0, rung - 1)], f"the API refused {last.throttled:.0%} of the last session's calls"
    if last.slots is not None and last.slots < last.jobs // 2:
        return _LADDER[max(0, rung - 1)], f"GitHub ran {last.slots} of {last.jobs} jobs at once"
    if last.throttled <= _CALM and last.busy >= _BUSY and last.slots in (None, last.jobs):
        return _LADDER[min(len(_LADDER) - 1, rung + 1)], f"workers were busy {last.busy:.0%} of the time"
    return last.tier, "the last session ran well"


def table(papers: int, account: Account, *, pace: float, rpm: float | None) -> Sequence[Verdict]:
    """The four tiers, for comparison."""
    return [verdict(name, shape, papers, account, pace=pace, rpm=rpm) for name, shape in TIERS.items()]
