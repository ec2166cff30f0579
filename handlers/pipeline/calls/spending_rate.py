"""How fast a job spends, so that it draws money for seconds of work and not for a number of calls."""

from __future__ import annotations

import math
from collections.abc import Callable

_MEMORY = 10.0
"""Seconds in which what was spent counts for a third."""
_LEAST, _MOST = 1.0, 5.0
_JOBS_A_SECOND = 100
_ROOM = 1.1


def seconds_ahead(jobs: int) -> float:
    """Seconds of work that each of so many jobs draws for: of more jobs, each asks less often."""
    return min(_MOST, max(_LEAST, jobs / _JOBS_A_SECOND))


class SpendingRate:
    """Not thread-safe. ``now`` gives seconds that never step back."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._began = self._at = now()
        self._sum = 0.0

    def add(self, amount: int) -> None:
        self._fade()
        self._sum += amount

    def ahead(self, jobs: int) -> int:
        """What this job spends in so many seconds as ``seconds_ahead`` says, and a little more."""
        self._fade()
        age = max(1.0, self._at - self._began)
        a_second = self._sum / _MEMORY / -math.expm1(-age / _MEMORY)
        return int(a_second * seconds_ahead(jobs) * _ROOM)

    def _fade(self) -> None:
        now = self._now()
        self._sum *= math.exp((self._at - now) / _MEMORY)
        self._at = now
