"""Which calls in flight are slow enough to be sent a second time. It knows no threads: the simulator runs it
too."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from handlers.domain.call import latency_bucket, quantile
from handlers.pipeline.paper_times import LatencyForecast

_QUANTILE, _ENOUGH = 0.98, 200
"""Of latency over forecast: a slower call is sent again, once so many answers say how slow calls are."""
_SETTLING = 50
"""Answers after which the forecast is one."""
Key = TypeVar("Key", bound=Hashable)


class SlowCalls(Generic[Key]):
    """The calls of a run that are in flight in one job, by a key of the caller's. Times are monotonic
    seconds, sizes whatever latency grows with."""

    def __init__(self, share: float) -> None:
        """``share``: of the job's calls, how many may be sent a second time."""
        self._share = share
        self._open: dict[Key, tuple[float, float]] = {}
        """When it started, and how long it is expected to take."""
        self._calls = self._sent = self._answers = 0
        self._forecast = LatencyForecast()
        self._ratios: dict[int, int] = {}
        """Histogram of latency over forecast."""

    def began(self, key: Key, size: float, now: float) -> float:
        """A call is in flight; returns the seconds that are expected of it."""
        expected = self._forecast.seconds(size, None)
        self._calls += 1
        self._open[key] = now, expected
        return expected

    def ended(self, key: Key) -> None:
        """Whatever became of it."""
        self._open.pop(key, None)

    def answered(self, size: float, expected: float, seconds: float) -> None:
        """A call of that size, of which so many seconds were expected, took so many."""
        self._forecast.learn(size, None, seconds)
        self._answers += 1
        if self._answers > _SETTLING and expected > 0:
            bucket = latency_bucket(seconds / expected)
            self._ratios[bucket] = self._ratios.get(bucket, 0) + 1

    def slow(self, most: int, now: float) -> list[Key]:
        """Up to ``most`` calls that may be sent again now, the oldest first."""
        left = self._left()
        if left <= 0 or sum(self._ratios.values()) < _ENOUGH:
            return []
        limit = quantile(self._ratios, _QUANTILE)
        slow = [key for key, (began, expected) in self._open.items() if now - began > limit * expected]
        return sorted(slow, key=lambda key: self._open[key][0])[: min(most, left)]

    def take(self, key: Key) -> bool:
        """Whether a slow call is to be sent again; true once."""
        if self._left() <= 0 or self._open.pop(key, None) is None:
            return False
        self._sent += 1
        return True

    def not_sent(self) -> None:
        """One of those that were taken was not sent."""
        self._sent -= 1

    def _left(self) -> int:
        return int(self._share * self._calls) - self._sent
