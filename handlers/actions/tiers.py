"""Tiers on GitHub Actions: what a session of each does, which limit binds it, and which tier comes next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from handlers.counted import counted
from handlers.domain.fleet_tiers import TIERS
from handlers.domain.plan import PlanRow
from handlers.domain.value import Frozen
from handlers.errors import UsageError
from handlers.planning.assumptions import Assumptions
from handlers.planning.demand import demand_of
from handlers.planning.plan_request import PlanBasis
from handlers.planning.plan_rows import FleetShape, Scenario, plan_row
from handlers.planning.platform_limits import ActionsLimits, platform_limits
from handlers.planning.platforms import platform_of

_LADDER = tuple(TIERS)
_BUSY, _CALM, _THROTTLED = 0.6, 0.005, 0.05
CUSTOM, AUTO = "custom", "auto"


class TierForecast(Frozen):
    """What a tier does on an account: hours, minutes and sessions for the papers that are left."""

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
    """Runner minutes, each job's rounded up."""
    minutes_per_session: int
    cost_usd: float = 0.0
    """The API's, for the papers that are left; the next two bound its 90% interval."""
    cost_low_usd: float = 0.0
    cost_high_usd: float = 0.0
    binding: str


class SessionResult(Frozen):
    """What the last session measured: ``auto`` and later forecasts build on it."""

    tier: str
    jobs: int
    workers: int
    papers: int
    """Papers that came to an end in it."""
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
class GitHubAccount:
    """An account's limits, and whether its jobs run on runners of its own."""

    plan: str = "free"
    private: bool = False
    self_hosted: bool = False

    @property
    def limits(self) -> ActionsLimits:
        return platform_limits().actions

    @property
    def pays(self) -> bool:
        """Whether its runner minutes are billed."""
        return self.private and not self.self_hosted

    @property
    def jobs_at_once(self) -> int | None:
        """None: as many as there are runners."""
        return None if self.self_hosted else self.limits.plan(self.plan).concurrent_jobs


def shape_of(tier: str, jobs: int | None, workers: int | None) -> FleetShape:
    """The fleet of a tier by name, or of ``custom``. UsageError names the input that does not fit."""
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
    return FleetShape(tier, jobs, workers)


def forecast(shape: FleetShape, basis: PlanBasis, account: GitHubAccount) -> TierForecast:
    """The row that `paperfleet plan` has for this fleet, on an account."""
    at_once = min(shape.jobs, account.jobs_at_once or shape.jobs)
    assumptions = basis.assumptions.model_copy(update={"concurrent_jobs": at_once})
    demand = demand_of(basis.workload, assumptions, basis.price)
    platform = platform_of("actions", account.plan, assumptions, private=account.private)
    planned = plan_row(shape, Scenario(demand, assumptions, platform, pilot=basis.pilot))
    minutes = math.ceil(planned.platform_minutes) if demand.sent else 0
    unnamed = TierForecast(
        tier=shape.tier,
        jobs=shape.jobs,
        workers=shape.workers,
        at_once=at_once,
        papers_per_hour=planned.papers_per_hour,
        hours=round(planned.hours, 2) if demand.sent else 0.0,
        sessions=planned.sessions if demand.sent else 0,
        minutes=minutes,
        minutes_per_session=math.ceil(minutes / planned.sessions),
        cost_usd=planned.cost_usd,
        cost_low_usd=planned.cost_low_usd,
        cost_high_usd=planned.cost_high_usd,
        binding="",
    )
    limits = "; ".join(_binding(unnamed, account, _rate_that_binds(planned, assumptions)))
    return unnamed.model_copy(update={"binding": limits or f"{shape.jobs * shape.workers:,} workers"})


def _rate_that_binds(planned: PlanRow, assumptions: Assumptions) -> str:
    """The API's limit that allows less than the workers could do; "" if none does."""
    words = {"rpm": f"{assumptions.rpm or 0:g} requests", "tpm": f"{assumptions.tpm or 0:,.0f} tokens"}
    tightest = min(words, key=lambda name: planned.ceilings.get(name, math.inf))
    binds = planned.ceilings.get(tightest, math.inf) < planned.ceilings.get("workers", math.inf)
    return f"the API's {words[tightest]} a minute" if binds else ""


def _binding(tier: TierForecast, account: GitHubAccount, rate: str) -> Iterator[str]:
    """The limits that hold a tier back, in words."""
    if rate:
        yield rate
    if tier.at_once < tier.jobs:
        at_once = counted(tier.at_once, "job")
        yield f"{account.plan} accounts run {at_once} at once: {tier.jobs - tier.at_once} queue up"
    if tier.sessions > 1:
        yield f"a job ends after {account.limits.job_hours:g} h: {tier.sessions} sessions"
    included = account.limits.plan(account.plan).minutes
    if account.pays and tier.minutes > included:
        minutes = counted(tier.minutes, "runner minute")
        yield f"{minutes}, {included:,} a month are included on private repositories"


def concurrency_text(jobs: int, workers: int) -> str:
    """The calls at once of a fleet, in words."""
    fleet = f"{counted(jobs, 'job')} x {counted(workers, 'worker')}"
    return f"{fleet} is {counted(jobs * workers, 'call')} at once"


def next_tier(last: SessionResult | None, pending: int) -> tuple[str, str]:
    """(tier, why) for ``auto``: a rung up or down from the last session, never more than is needed."""
    if last is None or last.tier not in TIERS:
        tier, why = "parallel", "nothing is measured yet"
    else:
        tier, why = _moved(last)
    needed = next((name for name in _LADDER if TIERS[name][0] * TIERS[name][1] * 2 >= pending), tier)
    if _LADDER.index(needed) < _LADDER.index(tier):
        return needed, f"{counted(pending, 'paper is', 'papers are')} left: no more is needed"
    return tier, why


def _moved(last: SessionResult) -> tuple[str, str]:
    rung = _LADDER.index(last.tier)
    if last.throttled > _THROTTLED:
        return _LADDER[max(0, rung - 1)], f"the API refused {last.throttled:.0%} of the last session's calls"
    if last.slots is not None and last.slots < last.jobs // 2:
        return _LADDER[max(0, rung - 1)], f"GitHub ran {last.slots} of {counted(last.jobs, 'job')} at once"
    if last.throttled <= _CALM and last.busy >= _BUSY and last.slots in (None, last.jobs):
        return _LADDER[min(len(_LADDER) - 1, rung + 1)], f"workers were busy {last.busy:.0%} of the time"
    return last.tier, "the last session ran well"


def forecasts(basis: PlanBasis, account: GitHubAccount) -> Sequence[TierForecast]:
    """The four tiers, for comparison."""
    return [forecast(FleetShape(tier, *shape), basis, account) for tier, shape in TIERS.items()]
