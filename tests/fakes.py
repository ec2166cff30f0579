"""In-memory stand-ins for the world's edges: time and chance."""

from __future__ import annotations

import random


class FakeClock:
    """A clock that moves only when somebody sleeps or the test says so."""

    def __init__(self, start: float = 1_700_000_000.0, seed: int = 1) -> None:
        self._now = start
        self._random = random.Random(seed)

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += max(0.0, seconds)

    def advance(self, seconds: float) -> None:
        self._now += seconds

    def random(self) -> float:
        return self._random.random()
