"""One row of a plan: how long a fleet of some shape takes, what it costs, and which limit binds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from handlers.domain.fleet_tiers import CUSTOM, MOST_AUTO
from handlers.domain.plan import Binding, PilotFigures, PlanRow, Risk
from handlers.llm.limits.aimd import SLOW_START
from handlers.pipeline.auto_workers import GROWTH, START
from handlers.planning.assumptions import Assumptions
from handlers.planning.demand import Demand
from handlers.planning.platforms import Platform, Span

_START_ERROR = 0.5
"""Share of a start's seconds by which one start differs from another."""
_RAMP_BINDS = 0.25
"""Share of the time from which on a ramp counts as what binds."""
_MANY_CALLS, _TOO_MANY_CALLS = 500, 3000
"""Calls a minute that entry-level accounts of providers refuse, and most others too."""
_FEW_UNITS = 3
"""Papers or passages a worker below which the end of the run is most of it."""
_FIRST_STAGE = 2
"""Passages of a whole paper that can be asked at its beginning: its head and its terms."""
_SPARE = 1.25
"""Workers that ``--workers auto`` keeps for each that the API's limit lets call (see
pipeline/auto_workers.py)."""
_LOOK = 1.0
"""Seconds from the last answer of a round to the look that counts it, at most (see pipeline/heartbeat.py)."""
PILOT_WORKERS = 10
"""Of a pilot, as of the smallest fleet."""
_RISKS: tuple[Risk, ...] = ("low", "medium", "high")


@dataclass(frozen=True)
class FleetShape:
    """``tier`` is a preset's name or ``custom``."""

    tier: str
    jobs: int
    workers: int
    lost: float = 0.0
    """Seconds of the whole fleet's work lost while workers are added step by step."""


@dataclass(frozen=True)
class Scenario:
    """What every fleet of a plan has in common. ``budget`` is in USD, for the API; None: no limit.
    ``pilot``: what was measured, if anything."""

    demand: Demand
    assumptions: Assumptions
    platform: Platform
    budget: float | None = None
    pilot: PilotFigures | None = None

    @property
    def is_blind(self) -> bool:
        """Whether no limit of the API is known that could refuse a fleet's calls."""
        assumed = self.assumptions
        return assumed.rpm is None and assumed.tpm is None and assumed.papers_per_worker_hour is None

    @property
    def is_measured(self) -> bool:
        """Whether calls were made that tell tokens and seconds, or figures of one's own replace them."""
        return self.pilot is not None or self.assumptions.papers_per_worker_hour is not None


def plan_row(shape: FleetShape, scenario: Scenario) -> PlanRow:
    """The fleet's time, cost, limits and risk."""
    fleet = _Fleet(shape, scenario)
    demand, span = scenario.demand, fleet.span
    risk, reason = fleet.risk()
    return PlanRow(
        tier=shape.tier,
        jobs=shape.jobs,
        workers=shape.workers,
        papers_per_hour=round(demand.to_do / fleet.wall * 3600, 2) if demand.sent else 0.0,
        hours=round(fleet.wall / 3600, 6),
        hours_low=round(max(0.0, fleet.wall - fleet.spread) / 3600, 6),
        hours_high=round((fleet.wall + fleet.spread) / 3600, 6),
        cost_usd=round(demand.cost, 6),
        cost_low_usd=round(max(0.0, demand.cost - demand.cost_error), 6),
        cost_high_usd=round(demand.cost + demand.cost_error, 6),
        platform_usd=round(span.usd, 4),
        platform_minutes=round(span.minutes, 1),
        sessions=span.sessions,
        binding=fleet.binding,
        ceilings={name: round(limit, 1) for name, limit in fleet.ceilings.items()},
        utilization=fleet.utilization,
        risk=risk,
        risk_reason=reason,
    )


def auto_shape(jobs: int, scenario: Scenario) -> FleetShape:
    """The fleet of ``--workers auto``: as many workers a job as it grows to before its papers run out, which
    are those that the limits keep busy, and ``MOST_AUTO`` at most."""
    demand = scenario.demand
    busy = min(float(MOST_AUTO), _Fleet(FleetShape(CUSTOM, jobs, MOST_AUTO), scenario).busy_workers)
    most = min(MOST_AUTO, max(START, math.ceil(busy * (_SPARE if busy < MOST_AUTO else 1.0))))
    seconds = demand.service_time.mean + _LOOK
    units = seconds / demand.service_time.mean if demand.service_time.mean else 1.0
    left, workers, steps = demand.units / scenario.platform.jobs(jobs), START, [START]
    while workers < most and left > workers * units:
        left -= workers * units
        workers = min(most, math.ceil(workers * GROWTH))
        steps.append(workers)
    needed = min(float(workers), busy)
    lost = sum(max(0.0, 1 - step / needed) for step in steps) * seconds
    return FleetShape(CUSTOM, jobs, workers, lost)


def worker_rate(tier: str, assumptions: Assumptions) -> float | None:
    """Papers an hour of one worker, where they are assumed outright."""
    rate = assumptions.papers_per_worker_hour
    if isinstance(rate, Mapping):
        return rate.get(tier, min(rate.values(), default=None))
    return rate


def work_of_call(size: float) -> float:
    """Processor time of a call, in that of one about 400 tokens: 0.9 ms and 6.5 ms for 1,000 tokens."""
    return (0.9 + 0.0065 * size) / (0.9 + 0.0065 * 400)


@dataclass(frozen=True)
class _Fleet:
    """A shape at work on a scenario. Seconds."""

    shape: FleetShape
    scenario: Scenario

    @cached_property
    def jobs(self) -> int:
        """Those that run at once."""
        return self.scenario.platform.jobs(self.shape.jobs)

    @cached_property
    def workers(self) -> int:
        return self.jobs * self.shape.workers

    @cached_property
    def rate(self) -> float | None:
        return worker_rate(self.shape.tier, self.scenario.assumptions)

    @cached_property
    def ceilings(self) -> dict[Binding, float]:
        """Papers an hour that each limit alone would allow, in steady work."""
        demand, assumptions, platform = (
            self.scenario.demand,
            self.scenario.assumptions,
            self.scenario.platform,
        )
        per_sent = demand.papers / demand.sent if demand.sent else 1.0
        per_unit = demand.papers / demand.units if demand.units else 1.0
        one = 3600 * per_unit / max(1e-9, demand.service_time.mean) if self.rate is None else self.rate
        ceilings: dict[Binding, float] = {"workers": self.workers * one}
        if demand.sent and assumptions.rpm is not None:
            ceilings["rpm"] = assumptions.rpm * 60 * per_sent / demand.calls_per_paper
        if demand.tokens_per_paper and assumptions.tpm is not None:
            ceilings["tpm"] = assumptions.tpm * 60 * per_sent / demand.tokens_per_paper
        if demand.sent and self.rate is None:
            calls = platform.calls_per_second(self.jobs, self.shape.workers)
            machine = calls / work_of_call(demand.size_per_call)
            ceilings["machine"] = 3600 * machine * per_sent / demand.calls_per_paper
            booked = platform.papers_per_second(demand.units / demand.sent)
            if booked is not None:
                ceilings["table"] = 3600 * booked * per_sent
        return ceilings

    @property
    def busy_workers(self) -> float:
        """Workers of a job that the tightest limit keeps busy; infinite if there is none but themselves."""
        one = self.ceilings["workers"] / self.shape.workers
        limits = (limit / one for name, limit in self.ceilings.items() if name != "workers")
        return min(limits, default=math.inf)

    @cached_property
    def tightest(self) -> Binding:
        return min(self.ceilings, key=lambda name: self.ceilings[name])

    @cached_property
    def start(self) -> float:
        return self.scenario.platform.start if self.rate is None and self.scenario.demand.sent else 0.0

    @cached_property
    def work(self) -> tuple[float, float]:
        """Seconds of the fleet's work, and the part of them that is as uncertain as a call's time."""
        if self.rate is not None:
            return 3600 * self.scenario.demand.papers / self.ceilings[self.tightest], 0.0
        work, uncertain = self._measured_work()
        return work + self.shape.lost, uncertain

    def _measured_work(self) -> tuple[float, float]:
        demand, ramp = self.scenario.demand, self.scenario.platform.ramp(self.jobs)
        if not demand.sent:
            return 0.0, 0.0
        steady = 3600 * demand.papers / self.ceilings[self.tightest]
        busy, mean = min(self.workers, demand.units), demand.service_time.mean
        if self.tightest == "workers":
            opening = min(SLOW_START, mean)
            idle = max(0.0, 1 - _FIRST_STAGE * demand.sent / self.workers) * demand.first_stage
            work = opening + idle + steady + demand.tail(busy)
            longest = demand.first_stage + demand.longest_unit
            work = max(work, opening + longest)
            return work + ramp, work
        in_flight = max(1, round(demand.units / max(1e-9, steady) * mean))
        end = demand.last_service_time.tail(min(busy, in_flight)) + demand.last_service_time.residual
        return steady + end + ramp, end

    @cached_property
    def span(self) -> Span:
        work, papers = self.work[0], self.scenario.demand.papers
        return self.scenario.platform.span(self.jobs, self.shape.workers, work, papers)

    @cached_property
    def wall(self) -> float:
        return max(1e-9, self.span.wall + self.start)

    @property
    def spread(self) -> float:
        """Half of the 90% interval of the time."""
        return self.work[1] * self.scenario.assumptions.time_error + self.start * _START_ERROR

    @property
    def utilization(self) -> float:
        if self.rate is not None:
            return 1.0
        return round(min(1.0, self.scenario.demand.worker_seconds / (self.workers * self.wall)), 4)

    @cached_property
    def binding(self) -> Binding:
        """What has to give first: money, then the platform's allowance, then what sets the pace."""
        demand, platform, budget = self.scenario.demand, self.scenario.platform, self.scenario.budget
        if not demand.sent:
            return "nothing"
        if budget is not None and demand.cost > budget:
            return "budget"
        if platform.free_minutes is not None and self.span.minutes > platform.free_minutes:
            return "minutes"
        if self.span.sessions > 1:
            return "job_time"
        if self.tightest != "workers":
            return self.tightest
        if self.jobs < self.shape.jobs:
            return "slots"
        return "lambda_ramp" if platform.ramp(self.jobs) > _RAMP_BINDS * self.wall else "workers"

    def risk(self) -> tuple[Risk, str]:
        """The highest level that a reason gives, and all reasons in one sentence."""
        reasons = list(self._reasons())
        if not reasons:
            return "low", f"at most {self.workers:,} calls would be repeated if every job died at once"
        level = max((level for level, _ in reasons), key=_RISKS.index)
        return level, "; ".join(reason for _, reason in reasons)

    @property
    def _is_proven(self) -> bool:
        """Whether a pilot's workers were no fewer, and none of their calls was refused."""
        pilot = self.scenario.pilot
        return pilot is not None and not pilot.throttled_share and self.workers <= PILOT_WORKERS

    def _reasons(self) -> Iterator[tuple[Risk, str]]:
        demand, assumptions = self.scenario.demand, self.scenario.assumptions
        if self.binding == "budget":
            yield "high", "the budget ends before the papers do: the run parks there"
        if self.binding == "minutes":
            yield (
                "high",
                "the month's included minutes end first: pay for more, or make the repository public",
            )
        if self.span.sessions > 1:
            yield "medium", f"{self.span.sessions} sessions, each to be started after the last"
        per_minute = 60 * demand.calls / max(self.wall, 60.0)
        if assumptions.rpm is None and assumptions.tpm is None and per_minute > _MANY_CALLS:
            level: Risk = "high" if per_minute > _TOO_MANY_CALLS and not self._is_proven else "medium"
            yield (
                level,
                f"{per_minute:,.0f} calls a minute: an account that allows fewer slows the fleet to its pace",
            )
        if self.rate is None and demand.sent and self.workers * _FEW_UNITS > demand.units:
            what = "passages" if demand.first_stage else "papers"
            yield (
                "medium",
                f"{demand.units / self.workers:.1f} {what} a worker: the slowest calls set the end",
            )
