"""What a run will come to in dollars and seconds, and what its budget covers of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from handlers.domain.job import JobRecord
from handlers.domain.money import NANO, budget_words, usd
from handlers.domain.run import RunRecord, RunTotals
from handlers.domain.run_report import RunExpectation
from handlers.reporting.projection import Projection

_SPARE, _SPARE_PAPERS = 0.05, 5
"""Of what is left, or so many of its dearest papers: the next call must fit in at its dearest."""
_LARGER = "run again with a larger --budget to go on"


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


def enough(taken: int, projection: Projection) -> float:
    """USD of a budget that finishes a run which took ``taken`` nano-USD so far: in cents, or four figures of
    less than a dollar."""
    rest = projection.rest
    dearest = next((each.cost / each.papers for each in projection.sizes if each.papers), 0.0)
    amount = (taken + rest.cost + max(_SPARE * rest.cost, _SPARE_PAPERS * dearest)) / NANO
    step = 0.01 if amount >= 1 else 0.0001
    return round(math.ceil(amount / step) * step, 4)


def seconds_left(projection: Projection, live: Sequence[JobRecord]) -> float | None:
    """With the calls in flight at the jobs' last heartbeat; None if there are none."""
    in_flight = sum(job.stats.in_flight for job in live)
    if not projection.rest.papers:
        return 0.0
    return round(projection.wall(in_flight), 1) if in_flight else None


def _share(part: float, other: float) -> float:
    return round(part / (part + other), 6) if part + other > 0 else 0.0


def with_number(reason: str, expected: RunExpectation | None) -> str:
    """Why a run is parked; where its budget is spent, with the one that finishes it."""
    if expected is None or _LARGER not in reason:
        return reason
    number, whole = budget_words(expected.enough_usd), budget_words(expected.cost_usd)
    said = f"run again with --budget {number} to finish it (all papers take about ${whole})"
    return reason.replace(_LARGER, said)
