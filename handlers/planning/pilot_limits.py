"""The API's limits as a pilot heard of them: those that its own calls do not belie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from handlers.domain.call import CallRecord
from handlers.domain.job import JobRecord

_MINUTE = 60.0
_BURST = 2
"""Times a limit that a minute holds at most: a full bucket, and what comes back meanwhile."""
_TELL = 5
"""Answers from which on a job's word on the limits is as good as any."""


class LimitsHeard(NamedTuple):
    """``requests_per_minute``, ``tokens_per_day`` ... → the limit; ``on`` is the day, ISO 8601, or ""."""

    limits: dict[str, int]
    on: str


def limits_heard(jobs: Iterable[JobRecord], calls: Sequence[CallRecord]) -> LimitsHeard:
    """What the last of the jobs heard that was answered often enough to tell. ``calls``: those of all
    jobs, by their start."""
    told = [job for job in jobs if job.stats.limits]
    if not told:
        return LimitsHeard({}, "")
    job = max(told, key=lambda each: (min(_TELL, sum(each.stats.latency.values())), each.heartbeat_at))
    limits = {name: limit for name, limit in job.stats.limits.items() if not _belied(name, limit, calls)}
    return LimitsHeard(limits, datetime.fromtimestamp(job.heartbeat_at, UTC).date().isoformat())


def _belied(name: str, limit: int, calls: Sequence[CallRecord]) -> bool:
    """Whether more was answered within a minute than a limit a minute lets through."""
    if not name.endswith("_per_minute"):
        return False
    answered = [call for call in calls if call.outcome == "ok"]
    weights = [1 if name.startswith("requests") else _tokens(call) for call in answered]
    held, first = 0, 0
    for call, weight in zip(answered, weights, strict=True):
        held += weight
        while call.started_at - answered[first].started_at > _MINUTE:
            held -= weights[first]
            first += 1
        if held > _BURST * limit:
            return True
    return False


def _tokens(call: CallRecord) -> int:
    return call.usage.prompt_tokens + call.usage.completion_tokens if call.usage is not None else 0


def limits_said(limits: Mapping[str, int]) -> str:
    """``3,000 requests a minute, 500,000 tokens a day``."""
    return ", ".join(f"{limit:,} {name.replace('_per_', ' a ')}" for name, limit in limits.items())
