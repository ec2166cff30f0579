"""What a run will come to in dollars and seconds, and what its budget covers of it."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.domain.job import JobRecord
from handlers.domain.money import usd
from handlers.domain.run import RunRecord, RunTotals
from handlers.domain.run_report import RunExpectation
from handlers.reporting.budget_number import enough
from handlers.reporting.projection import Projection


def expectation(
    record: RunRecord, totals: RunTotals, projection: Projection, live: Sequence[JobRecord]
) -> RunExpectation | None:
    """``live``: the jobs at work. None if nothing is known of what papers cost."""
    if not projection.known:
        return None
    rest, taken = projection.rest, totals.calls.taken
    return RunExpectation(
        cost_usd=usd(totals.calls.cost + round(rest.cost)),
        papers=round(rest.papers),
        calls=round(rest.calls),
        wall_s=seconds_left(projection, live),
        worked=_share(projection.seconds, rest.seconds),
        covered=None if record.budget is None else covered(record, totals, projection, record.budget),
        enough_usd=enough(taken, projection),
    )


def covered(record: RunRecord, totals: RunTotals, projection: Projection, budget: int) -> float:
    """Share of all papers at which so many nano-USD end; 1 if they last."""
    rest, left = projection.rest, budget - totals.calls.taken
    if rest.cost <= left:
        return 1.0
    ended = record.papers - totals.counts["pending"]
    paid = projection.within(left).rest.papers
    return round(min(1.0, (ended + paid) / max(1, record.papers)), 4)


def seconds_left(projection: Projection, live: Sequence[JobRecord]) -> float | None:
    """With the calls in flight at the jobs' last heartbeat; None if there are none."""
    in_flight = sum(job.stats.in_flight for job in live)
    if not projection.rest.papers:
        return 0.0
    return round(projection.wall(in_flight), 1) if in_flight else None


def _share(part: float, other: float) -> float:
    return round(part / (part + other), 6) if part + other > 0 else 0.0
