"""Plans that cannot be carried out, refused with the number that would work."""

from __future__ import annotations

import math
from collections.abc import Mapping

from handlers.errors import UsageError
from handlers.pipeline.stop import Deadline
from handlers.planning.assumptions import Assumptions
from handlers.planning.demand import Demand
from handlers.planning.platforms import Platform
from handlers.planning.workload import Workload

_MARGIN = 1.0
"""Seconds that a job keeps for its last commit (see pipeline/pace.py)."""
_USUAL = 4.5
"""A call is started if the job has so many mean latencies left (see pipeline/stop.py and context.py)."""


def refuse_impossible(
    demand: Demand, platform: Platform, *, budget: float | None, deadline: float | None
) -> None:
    """UsageError for a budget under the cheapest paper and a deadline before the longest call. USD and
    seconds."""
    if not demand.sent:
        return
    if budget is not None and budget < demand.cheapest_paper:
        least = math.ceil(demand.cheapest_paper * 1e6) / 1e6
        raise UsageError(
            f"--budget {budget:g}: not one paper fits. The smallest one's call reserves"
            f" ${demand.cheapest_paper:.6f}: give --budget {least:.6f} or more; all papers take about"
            f" {demand.cost:.2f}"
        )
    if deadline is not None:
        least_s = math.ceil(_shortest_deadline(demand, platform))
        if deadline < least_s:
            raise UsageError(
                f"--deadline {deadline:g}: it passes before the longest call ends"
                f" ({demand.longest_call:.1f} s, after {platform.start:.1f} s until the first one): give"
                f" --deadline {least_s} or more"
            )


def refuse_negative(workload: Workload, assumptions: Assumptions, origins: Mapping[str, str]) -> None:
    """UsageError for figures from a file by which a paper takes less than nothing."""
    for name in ("prompt_tokens", "completion_tokens", "latency_s"):
        once, per_token = f"{name}_per_request", f"{name}_per_token"
        fixed, slope = getattr(assumptions, once), getattr(assumptions, per_token)
        total = workload.requests * fixed + workload.size * slope
        if total < 0 and "file" in (origins.get(once), origins.get(per_token)):
            raise UsageError(
                f"--assume: {once} {fixed:g} and {per_token} {slope:g} make a paper"
                f" {total / max(1, workload.sent):,.0f}: give {once} from 0 on"
            )


def _shortest_deadline(demand: Demand, platform: Platform) -> float:
    """Seconds of a session in which one call of any paper still fits."""
    a_call = demand.service_time.mean / max(1.0, demand.calls_per_unit)
    needed = max(demand.longest_call, Deadline.SHORTEST, _USUAL * a_call)
    return platform.start + needed + _MARGIN
