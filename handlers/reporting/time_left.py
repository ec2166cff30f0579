"""How long the rest will take, and how sure that is, from what was finished lately."""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise
from statistics import stdev

_WINDOW = 60.0
_STRETCHES = 6
"""Parts of the window whose rates are compared."""
_SIGMAS = 2.0
_INSTANT = 1e-6
"""Seconds: two looks closer than this tell no rate."""


class Forecast:
    """Fed with (Unix seconds, papers finished so far); times never step back by much."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, now: float, finished: int) -> None:
        self._seen.append((now, finished))
        while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW:
            self._seen.popleft()

    @property
    def rate(self) -> float:
        """Papers a second over the last minute; 0 while nothing is known."""
        return _rate(self._seen[0], self._seen[-1]) if self._seen else 0.0

    def left(self, pending: int) -> tuple[float, float] | None:
        """Seconds, from and to (two standard errors of the rate either way; infinite if it may be
        nothing); None while nothing is known."""
        rate = self.rate
        if not pending or rate <= 0:
            return (0.0, 0.0) if not pending else None
        off = min(1.0, _SIGMAS * self._error(rate))
        return pending / (rate * (1 + off)), pending / (rate * (1 - off)) if off < 1 else math.inf

    def _error(self, rate: float) -> float:
        """Relative standard error: that of counting, or what the stretches' rates show if it is more."""
        counted = 1 / math.sqrt(max(1, self._seen[-1][1] - self._seen[0][1]))
        rates = [_rate(first, last) for first, last in pairwise(self._cuts())]
        if len(rates) < 3:
            return counted
        return max(counted, stdev(rates) / math.sqrt(len(rates)) / rate)

    def _cuts(self) -> list[tuple[float, int]]:
        """The samples at the borders of equal stretches of time."""
        start, end = self._seen[0][0], self._seen[-1][0]
        cuts = [self._seen[0]]
        for sample in self._seen:
            if sample[0] - start >= len(cuts) * (end - start) / _STRETCHES:
                cuts.append(sample)
        return cuts[: _STRETCHES + 1]


def span(left: tuple[float, float] | None) -> str:
    """In words: ``4-5 min left``."""
    if left is None:
        return "time left unknown"
    low, high = left
    unit, seconds, digits = _unit(low if math.isinf(high) else high)
    if high < 1:
        return "under a second left"
    first, last = (f"{bound / seconds:,.{digits}f}" for bound in left)
    if math.isinf(high):
        return f"more than {first} {unit} left" if low >= 1 else "time left unknown"
    if first == "0":
        return f"under {last} {unit} left"
    return f"{first} {unit} left" if first == last else f"{first}-{last} {unit} left"


def _unit(seconds: float) -> tuple[str, float, int]:
    if seconds < 120:
        return "s", 1.0, 0
    return ("min", 60.0, 0) if seconds < 7200 else ("h", 3600.0, 1)


def _rate(first: tuple[float, int], last: tuple[float, int]) -> float:
    passed = last[0] - first[0]
    return (last[1] - first[1]) / passed if passed > _INSTANT else 0.0
