"""What the jobs of a fleet tell each other, by their heartbeats, of a limit that nobody declared."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

_SILENT = 30.0
"""Seconds without an answer or a refusal after which what a job said of itself counts no more."""
_MOST = 10**12
"""A count above it is none."""


class Told(NamedTuple):
    """What a job says of itself; calls since its start."""

    job: str
    answered: int
    throttled: int
    level: float
    """Calls that it lets be in flight, fractions included; 0 if the API never refused it one."""
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


class News(NamedTuple):
    """What became of the fleet's calls since it was last heard, and what it holds of the limit."""

    answered: int
    throttled: int
    level: float | None
    """Of the jobs that were refused a call: what they let be in flight, as a share of their ceilings."""
    seconds: float
    """Since it was last heard."""


class Hearsay:
    """A job's counts are held against those that it told before, by the listener's clock alone: a job that is
    silent, or whose counts fall, says nothing."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[Told, float]] = {}
        """Job → what it told last, and when that was new."""
        self._heard_at = -math.inf

    def hear(self, told: Iterable[Told], now: float) -> News | None:
        """What is new in what each job told last; None unless two of them are at work. Of a job that works on
        several runs, and tells in each of them of all its calls, the latest word counts."""
        seconds, self._heard_at = now - self._heard_at, now
        before, self._last = self._last, {}
        answered = throttled = 0
        latest: dict[str, Told] = {}
        for each in told:
            if each.makes_sense and (each.job not in latest or each[1:3] > latest[each.job][1:3]):
                latest[each.job] = each
        for each in latest.values():
            then, changed_at = before.get(each.job, (each, -math.inf))
            answered += max(0, each.answered - then.answered)
            throttled += max(0, each.throttled - then.throttled)
            is_new = (each.answered, each.throttled) != (then.answered, then.throttled)
            self._last[each.job] = each, now if is_new else changed_at
        live = [each for each, changed_at in self._last.values() if now - changed_at < _SILENT]
        if len(live) < 2:
            return None
        level = sum(each.level for each in live if each.level)
        ceiling = sum(each.ceiling for each in live if each.level)
        return News(answered, throttled, level / ceiling if ceiling else None, seconds)
