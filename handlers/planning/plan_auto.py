"""The fleet of ``--workers auto`` in a plan: how many workers it comes to, and what growing costs."""

from __future__ import annotations

import math

from handlers.pipeline.auto_workers import GROWTH, START
from handlers.planning.assumptions import Assumptions
from handlers.planning.demand import Demand
from handlers.planning.plan_rows import Shape, ceilings_of
from handlers.planning.platforms import Platform
from handlers.settings import MOST_AUTO

_SPARE = 1.25
"""Workers that are kept, for each that the API's limit lets call (see pipeline/auto_workers.py)."""
_LOOK = 1.0
"""Seconds from the last answer of a round to the look that counts it, at most (see pipeline/heartbeat.py)."""


def auto_shape(tier: str, jobs: int, asked: Demand, assumed: Assumptions, place: Platform) -> Shape:
    """As many workers a job as it grows to before its papers run out: those that the limits keep busy, and
    ``MOST_AUTO`` at most."""
    busy = min(float(MOST_AUTO), _busy(tier, jobs, asked, assumed, place))
    most = min(MOST_AUTO, max(START, math.ceil(busy * (_SPARE if busy < MOST_AUTO else 1.0))))
    seconds = asked.hold.mean + _LOOK
    papers = seconds / asked.hold.mean if asked.hold.mean else 1.0
    left, workers, steps = asked.sent / place.jobs(jobs), START, [START]
    while workers < most and left > workers * papers:
        left -= workers * papers
        workers = min(most, math.ceil(workers * GROWTH))
        steps.append(workers)
    needed = min(float(workers), busy)
    lost = sum(max(0.0, 1 - step / needed) for step in steps) * seconds
    return Shape(tier, jobs, workers, lost)


def _busy(tier: str, jobs: int, asked: Demand, assumed: Assumptions, place: Platform) -> float:
    """Workers of a job that the tightest limit keeps busy; infinite if there is none but themselves."""
    ceilings = ceilings_of(Shape(tier, jobs, MOST_AUTO), place.jobs(jobs), asked, assumed, place)
    one = ceilings["workers"] / MOST_AUTO
    return min((limit / one for name, limit in ceilings.items() if name != "workers"), default=math.inf)
