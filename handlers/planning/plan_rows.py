"""One row of a plan: a fleet's shape, how long it takes, what it costs, and which limit binds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from handlers.domain.value import Frozen
from handlers.planning.assumptions import Assumptions
from handlers.planning.demand import Demand
from handlers.planning.hold_times import Hold
from handlers.planning.platforms import Platform, Span

Binding = Literal[
    "workers", "rpm", "tpm", "slots", "job_time", "minutes", "lambda_ramp", "budget", "machine", "nothing"
]
"""``nothing``: no paper needs a call."""
Risk = Literal["low", "medium", "high"]
_SLOW_START = 0.5
"""Seconds of the fleet's work lost while slots open, all of them within a second (see llm/limits/aimd.py)."""
_START_ERROR = 0.5
"""Share of a start's seconds by which one start differs from another."""
_RAMP_BINDS = 0.25
"""Share of the time from which on a ramp counts as what binds."""
_MANY_CALLS, _TOO_MANY_CALLS = 500, 3000
"""Calls a minute that entry-level accounts of providers refuse, and most others too."""
_FEW_PAPERS = 3
"""Papers a worker below which the end of the run is most of it."""


@dataclass(frozen=True)
class Shape:
    """``tier`` is a preset's name or ``custom``."""

    tier: str
    jobs: int
    workers: int
    lost: float = 0.0
    """Seconds of the whole fleet's work lost while workers are added step by step."""


class PlanRow(Frozen):
    """Hours from the first job's start to the last paper; USD; papers of the whole run an hour."""

    tier: str
    jobs: int
    workers: int
    """Of each job."""
    papers_per_hour: float
    hours: float
    hours_low: float
    hours_high: float
    """90% interval."""
    cost_usd: float
    """The API's."""
    cost_low_usd: float
    cost_high_usd: float
    platform_usd: float
    platform_minutes: float
    sessions: int
    binding: Binding
    ceilings: dict[str, float]
    """Limit → papers an hour that it would allow were it the only one."""
    utilization: float
    """Share of the workers' time spent on papers."""
    risk: Risk
    risk_reason: str

    @property
    def total_usd(self) -> float:
        return self.cost_usd + self.platform_usd


def row(
    shape: Shape, asked: Demand, assumed: Assumptions, place: Platform, *, budget: float | None = None
) -> PlanRow:
    """``budget`` in USD, for the API."""
    jobs = place.jobs(shape.jobs)
    workers = jobs * shape.workers
    ceilings = ceilings_of(shape, jobs, asked, assumed, place)
    tightest = min(ceilings, key=lambda name: ceilings[name])
    given = given_rate(shape.tier, assumed)
    if given is None:
        work, error = _work(asked, workers, ceilings, tightest, place, jobs)
        work += shape.lost
    else:
        work, error = 3600 * asked.papers / ceilings[tightest], 0.0
    span = place.span(jobs, shape.workers, work, asked.papers)
    start = place.start if given is None and asked.sent else 0.0
    wall = max(1e-9, span.wall + start)
    binding = _binding(asked, tightest, jobs, shape, place, span, wall, budget)
    risk, reason = _risk(asked, assumed, workers, wall, binding, span.sessions, given is not None)
    return PlanRow(
        tier=shape.tier,
        jobs=shape.jobs,
        workers=shape.workers,
        **_time(asked, wall, error * assumed.time_error + start * _START_ERROR),
        **_money(asked, span),
        sessions=span.sessions,
        binding=binding,
        ceilings={name: round(limit, 1) for name, limit in ceilings.items()},
        utilization=round(min(1.0, asked.worker_seconds / (workers * wall)), 4) if given is None else 1.0,
        risk=risk,
        risk_reason=reason,
    )


def _time(asked: Demand, wall: float, spread: float) -> dict[str, float]:
    return {
        "papers_per_hour": round(asked.papers / wall * 3600, 2),
        "hours": round(wall / 3600, 6),
        "hours_low": round(max(0.0, wall - spread) / 3600, 6),
        "hours_high": round((wall + spread) / 3600, 6),
    }


def _money(asked: Demand, span: Span) -> dict[str, float]:
    return {
        "cost_usd": round(asked.cost, 6),
        "cost_low_usd": round(max(0.0, asked.cost - asked.cost_error), 6),
        "cost_high_usd": round(asked.cost + asked.cost_error, 6),
        "platform_usd": round(span.usd, 4),
        "platform_minutes": round(span.minutes, 1),
    }


def given_rate(tier: str, assumed: Assumptions) -> float | None:
    """Papers an hour of one worker, where they are assumed outright."""
    rate = assumed.papers_per_worker_hour
    if isinstance(rate, Mapping):
        return rate.get(tier, min(rate.values(), default=None))
    return rate


def ceilings_of(
    shape: Shape, jobs: int, asked: Demand, assumed: Assumptions, place: Platform
) -> dict[Binding, float]:
    """Papers an hour that each limit alone would allow, in steady work."""
    per_sent = asked.papers / asked.sent if asked.sent else 1.0
    given = given_rate(shape.tier, assumed)
    one = given if given is not None else 3600 * per_sent / max(1e-9, asked.hold.mean)
    found: dict[Binding, float] = {"workers": jobs * shape.workers * one}
    if asked.sent and assumed.rpm is not None:
        found["rpm"] = assumed.rpm * 60 * per_sent / asked.calls_per_paper
    if asked.tokens_per_paper and assumed.tpm is not None:
        found["tpm"] = assumed.tpm * 60 * per_sent / asked.tokens_per_paper
    if asked.sent and given is None:
        machine = place.calls_per_second(jobs, shape.workers) / work_of_call(asked.size_per_call)
        found["machine"] = 3600 * machine * per_sent / asked.calls_per_paper
    return found


def work_of_call(size: float) -> float:
    """Processor time of a call, in that of one about 400 tokens: 0.9 ms and 6.5 ms for 1,000 tokens."""
    return (0.9 + 0.0065 * size) / (0.9 + 0.0065 * 400)


def _work(
    asked: Demand, workers: int, ceilings: dict[Binding, float], tightest: Binding, place: Platform, jobs: int
) -> tuple[float, float]:
    """Seconds of the fleet's work, and the part of them that is as uncertain as a call's time."""
    if not asked.sent:
        return 0.0, 0.0
    steady = 3600 * asked.papers / ceilings[tightest]
    busy = min(workers, asked.sent)
    if tightest == "workers":
        opening = min(_SLOW_START, asked.hold.mean)
        work = opening + steady + asked.last_hold.tail(busy)
        work = max(work, opening + _longest_of(asked.sent, asked.hold))
        return work + place.ramp(jobs), work
    in_flight = max(1, round(asked.sent / max(1e-9, steady) * asked.hold.mean))
    end = asked.last_hold.tail(min(busy, in_flight)) + asked.last_hold.residual
    return steady + end + place.ramp(jobs), end


def _longest_of(papers: int, hold: Hold) -> float:
    """Seconds of the longest of so many papers, were they all started at once."""
    return hold.quantile(1 - 0.5615 / papers) if papers > 1 else hold.mean


def _binding(
    asked: Demand,
    tightest: Binding,
    jobs: int,
    shape: Shape,
    place: Platform,
    span: Span,
    wall: float,
    budget: float | None,
) -> Binding:
    """What has to give first: money, then the platform's allowance, then what sets the pace."""
    if not asked.sent:
        return "nothing"
    if budget is not None and asked.cost > budget:
        return "budget"
    if place.free_minutes is not None and span.minutes > place.free_minutes:
        return "minutes"
    if span.sessions > 1:
        return "job_time"
    if tightest != "workers":
        return tightest
    if jobs < shape.jobs:
        return "slots"
    return "lambda_ramp" if place.ramp(jobs) > _RAMP_BINDS * wall else "workers"


def _risk(
    asked: Demand,
    assumed: Assumptions,
    workers: int,
    wall: float,
    binding: Binding,
    sessions: int,
    given: bool,
) -> tuple[Risk, str]:
    """The highest level that a reason gives, and all reasons in one sentence."""
    order: tuple[Risk, ...] = ("low", "medium", "high")
    found = list(_reasons(asked, assumed, workers, wall, binding, sessions, given=given))
    if not found:
        return "low", f"at most {workers:,} calls would be repeated if every job died at once"
    level = max((level for level, _ in found), key=order.index)
    return level, "; ".join(reason for _, reason in found)


def _reasons(
    asked: Demand,
    assumed: Assumptions,
    workers: int,
    wall: float,
    binding: Binding,
    sessions: int,
    *,
    given: bool,
) -> Iterator[tuple[Risk, str]]:
    if binding == "budget":
        yield "high", "the budget ends before the papers do: the run parks there"
    if binding == "minutes":
        yield "high", "the month's included minutes end first: pay for more, or make the repository public"
    if sessions > 1:
        yield "medium", f"{sessions} sessions, each to be started after the last"
    per_minute = 60 * asked.calls / max(wall, 60.0)
    if assumed.rpm is None and assumed.tpm is None and per_minute > _MANY_CALLS:
        level: Risk = "high" if per_minute > _TOO_MANY_CALLS else "medium"
        yield (
            level,
            f"{per_minute:,.0f} calls a minute: an account that allows fewer slows the fleet to its pace",
        )
    if not given and asked.sent and workers * _FEW_PAPERS > asked.sent:
        yield "medium", f"{asked.sent / workers:.1f} papers a worker: the slowest calls set the end"
