"""How many workers a job has when nobody says: more while that helps, fewer when it hurts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

START = 10
GROWTH = 1.5
"""Workers at first, and times as many at each step."""
_SHRINK = 0.7
_SLOWER = 2.0
"""Times the latency with fewer workers; from there on more workers only make calls wait at the API."""
_REFUSED = 0.02
"""Share of refused calls above which workers beyond the API's limit are let go."""
_TELLS = 50
"""Answers before a mean latency says anything: the quick answers come first."""
_BETTER = 0.8
"""Share of the latency that must be left after fewer workers, or it was not the workers."""
_BUSY = 0.9
_LEAST = 2
_MEMORY = 0.1
"""Bytes of a machine's memory that stay free, as a share; see ``WorkerLoad``."""


@dataclass(frozen=True)
class WorkerLoad:
    """A job at one moment; calls since its start."""

    answered: int
    throttled: int
    in_flight: int
    waiting: int
    """Papers that wait for a worker."""
    slots: int
    """What the limiter would let in flight."""
    latency: float
    """Seconds of a call, moving mean."""
    memory: float
    """Share of the machine's memory that is free, or could be made so."""


@dataclass(frozen=True)
class WorkerChange:
    """A new number of workers and why, as a sentence."""

    before: int
    workers: int
    reason: str

    def __str__(self) -> str:
        return f"workers {self.before} → {self.workers}: {self.reason}"


class AutoWorkers:
    """Called every second or so. It knows no threads and no clock: a round is counted in calls."""

    def __init__(self, ceiling: int, *, free_memory: Callable[[], float] = lambda: 1.0) -> None:
        """``free_memory`` gives ``WorkerLoad.memory``."""
        self.ceiling = ceiling
        self.free_memory = free_memory
        self.workers = min(START, ceiling)
        self._answered = self._throttled = 0
        self._best = math.inf
        self._too_many: int | None = None
        """Workers with whom calls took too long."""
        self._blamed = 0.0
        """Latency for which workers were dropped at the last look; 0 if none were."""

    def look(self, load: WorkerLoad) -> WorkerChange | None:
        """The change to make now; None if all is well or too few calls have ended since the last change."""
        if load.memory < _MEMORY:
            return self._to(
                int(self.workers * _SHRINK), f"only {load.memory:.0%} of the memory is free", load
            )
        answered, throttled = load.answered - self._answered, load.throttled - self._throttled
        if answered + throttled < self.workers:
            return None
        if throttled > _REFUSED * (answered + throttled):
            reason = f"{throttled} of {answered + throttled} calls were refused; {load.slots} get through"
            return self._to(min(self.workers, math.ceil(load.slots * 1.25)), reason, load)
        change = self._by_latency(load)
        self._answered, self._throttled = load.answered, load.throttled
        return change

    def _by_latency(self, load: WorkerLoad) -> WorkerChange | None:
        if self._blamed and load.latency > _BETTER * self._blamed:
            # Fewer workers were no help: the API has become slower by itself.
            self._best, self._too_many = load.latency, None
        self._blamed = 0.0
        if load.latency > _SLOWER * self._best:
            # The level is remembered: growing there again would find the same.
            self._too_many, self._blamed = self.workers, load.latency
            reason = f"calls take {load.latency:.1f} s in place of {self._best:.1f} s with fewer workers"
            return self._to(int(self.workers * _SHRINK), reason, load)
        if load.answered >= _TELLS:
            self._best = min(self._best, load.latency)
        busy = load.in_flight >= self.workers * _BUSY and load.waiting > 0
        most = min(self.ceiling, (self._too_many or self.ceiling + 1) - 1)
        if not busy or self.workers >= most:
            return None
        reason = f"all are busy, calls take {load.latency:.1f} s and none is refused"
        return self._to(min(most, math.ceil(self.workers * GROWTH)), reason, load)

    def _to(self, workers: int, reason: str, load: WorkerLoad) -> WorkerChange | None:
        self._answered, self._throttled = load.answered, load.throttled
        before, self.workers = self.workers, max(_LEAST, min(self.ceiling, workers))
        return None if self.workers == before else WorkerChange(before, self.workers, reason)
