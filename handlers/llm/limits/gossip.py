"""What the jobs of a fleet report to each other, by their heartbeats, of a limit that nobody declared."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

_SILENT = 30.0
"""Seconds without an answer or a refusal after which a job's report counts no more."""
_MOST = 10**12
"""A count above it is none."""


class LimiterReport(NamedTuple):
    """One job's limiter; calls since the job's start."""

    job: str
    answered: int
    throttled: int
    level: float
    """Calls that may be in flight, fractions included; 0 if the API never refused the job a call."""
    ceiling: int

    @property
    def makes_sense(self) -> bool:
        """Whether it can be true: it comes from another process, perhaps of another release."""
        counts = (self.answered, self.throttled, self.ceiling)
        return (
            isinstance(self.job, str)
            and self.job != ""
            and all(type(count) is int and 0 <= count <= _MOST for count in counts)
            and isinstance(self.level, int | float)
            and 0 <= self.level <= self.ceiling
        )


class FleetReport(NamedTuple):
    """The fleet's calls since the last report."""

    answered: int
    throttled: int
    level: float | None
    """Calls that may be in flight in the jobs that were refused one, as a share of those jobs' ceilings."""
    seconds: float
    """Since the last report."""


class FleetView:
    """One job's view of all: it compares each job's counts with those of the report before, by its own clock.
    A job whose counts stand still or fall adds nothing."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[LimiterReport, float]] = {}
        """Job → its last report, and when its counts last changed."""
        self._observed_at = -math.inf

    def observe(self, reports: Iterable[LimiterReport], now: float) -> FleetReport | None:
        """What changed since the last call; None unless two jobs are at work. A job that works on several
        runs reports all its calls in each of them: the latest of its reports counts."""
        seconds, self._observed_at = now - self._observed_at, now
        before, self._last = self._last, {}
        answered = throttled = 0
        latest: dict[str, LimiterReport] = {}
        for report in reports:
            if report.makes_sense and (report.job not in latest or report[1:3] > latest[report.job][1:3]):
                latest[report.job] = report
        for report in latest.values():
            then, changed_at = before.get(report.job, (report, -math.inf))
            answered += max(0, report.answered - then.answered)
            throttled += max(0, report.throttled - then.throttled)
            has_changed = (report.answered, report.throttled) != (then.answered, then.throttled)
            self._last[report.job] = report, now if has_changed else changed_at
        live = [report for report, changed_at in self._last.values() if now - changed_at < _SILENT]
        if len(live) < 2:
            return None
        level = sum(report.level for report in live if report.level)
        ceiling = sum(report.ceiling for report in live if report.level)
        return FleetReport(answered, throttled, level / ceiling if ceiling else None, seconds)
