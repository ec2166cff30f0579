"""The limits that an API's headers state to a pilot, unless the pilot's own calls exceeded them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from handlers.domain.call import CallRecord
from handlers.domain.job import JobRecord

_MINUTE = 60.0
_BURST = 2
"""Times a limit that a minute holds at most: a full bucket, and what comes back meanwhile."""
_ENOUGH = 5
"""Answers from which on a job knows the limits as well as any."""


def pilot_limits(jobs: Iterable[JobRecord], calls: Sequence[CallRecord]) -> tuple[dict[str, int], str]:
    """(``requests_per_minute``, ``tokens_per_day`` ... → the limit; the day, ISO 8601, or "") by the last of
    the jobs that had answers enough. ``calls``: those of all jobs, by their start."""
    with_limits = [job for job in jobs if job.stats.limits]
    if not with_limits:
        return {}, ""
    job = max(
        with_limits, key=lambda each: (min(_ENOUGH, sum(each.stats.latency.values())), each.heartbeat_at)
    )
    limits = {name: limit for name, limit in job.stats.limits.items() if not _exceeded(name, limit, calls)}
    return limits, datetime.fromtimestamp(job.heartbeat_at, UTC).date().isoformat()


def _exceeded(name: str, limit: int, calls: Sequence[CallRecord]) -> bool:
    """Whether more was answered within a minute than a limit a minute lets through."""
    if not name.endswith("_per_minute"):
        return False
    answered = [call for call in calls if call.outcome == "ok"]
    weights = [1 if name.startswith("requests") else _tokens(call) for call in answered]
    within, first = 0, 0
    for call, weight in zip(answered, weights, strict=True):
        within += weight
        while call.started_at - answered[first].started_at > _MINUTE:
            within -= weights[first]
            first += 1
        if within > _BURST * limit:
            return True
    return False


def _tokens(call: CallRecord) -> int:
    return call.usage.prompt_tokens + call.usage.completion_tokens if call.usage is not None else 0


def limits_text(limits: Mapping[str, int]) -> str:
    """``3,000 requests a minute, 500,000 tokens a day``."""
    return ", ".join(f"{limit:,} {name.replace('_per_', ' a ')}" for name, limit in limits.items())
