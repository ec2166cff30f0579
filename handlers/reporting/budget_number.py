"""The budget that finishes a run, said where a run is parked for want of it."""

from __future__ import annotations

import math

from handlers.domain.money import NANO, budget_words, usd
from handlers.reporting.projection import Projection

_SPARE, _SPARE_PAPERS = 0.05, 5
"""Of what is left, or so many of its dearest papers: the next call must fit in at its dearest."""
_LARGER = "run again with a larger --budget to go on"


def enough(taken: int, projection: Projection) -> float:
    """USD of a budget that finishes a run which took ``taken`` nano-USD so far: in cents, or four figures of
    less than a dollar."""
    rest = projection.rest
    dearest = next((each.cost / each.papers for each in projection.sizes if each.papers), 0.0)
    amount = (taken + rest.cost + max(_SPARE * rest.cost, _SPARE_PAPERS * dearest)) / NANO
    step = 0.01 if amount >= 1 else 0.0001
    return round(math.ceil(amount / step) * step, 4)


def wants_budget(reason: str) -> bool:
    """Whether a run is parked because its budget is spent."""
    return _LARGER in reason


def with_number(reason: str, spent: int, taken: int, projection: Projection) -> str:
    """Why a run is parked; where its budget is spent, with the one that finishes it. ``spent``, and ``taken``
    with what is held beside it: nano-USD."""
    if not wants_budget(reason) or not projection.known or not projection.rest.papers:
        return reason
    number = budget_words(enough(taken, projection))
    whole = budget_words(usd(spent + round(projection.rest.cost)))
    said = f"run again with --budget {number} to finish it (all papers take about ${whole})"
    return reason.replace(_LARGER, said)
