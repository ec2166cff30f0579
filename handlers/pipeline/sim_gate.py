"""A job's limiter on a virtual clock: the real AIMD and token buckets, without threads that wait.

The rules are those of ``llm/limiter.py``: first come, first served; slots, pauses and declared rates.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from handlers.llm.aimd import AimdLimit
from handlers.llm.token_bucket import TokenBucket

_MAX_BRAKE = 2.0
_SPREAD = 0.5
Unit = TypeVar("Unit")


class Gate(Generic[Unit]):
    """``take`` says who may call now; ``wait`` when to look again. ``random`` is uniform in [0, 1)."""

    __slots__ = (
        "_buckets", "_next_at", "_queue", "_random", "_ready_at", "_resume_at", "_spread_until", "in_flight",
        "limit",
    )  # fmt: skip

    def __init__(
        self,
        ceiling: int,
        random: Callable[[], float],
        *,
        requests: TokenBucket | None = None,
        tokens: TokenBucket | None = None,
    ) -> None:
        self.limit = AimdLimit(ceiling=ceiling)
        self.in_flight = 0
        self._random = random
        self._buckets = (requests, tokens) if requests or tokens else None
        self._queue: deque[tuple[Unit, float]] = deque()
        self._ready_at: float | None = None
        self._resume_at = self._spread_until = self._next_at = 0.0

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def enter(self, unit: Unit, tokens: float) -> None:
        """Wait in line for a call of so many tokens."""
        self._queue.append((unit, tokens))

    def take(self, now: float) -> Unit | None:
        """The next that may call now, its slot taken; None if nobody may."""
        if not self._queue or self.in_flight >= self.limit.slots(now):
            return None
        if now < self._resume_at or now < self._next_at:
            return None
        if self._buckets is not None and now < self._claimed(now):
            return None
        self._ready_at = None
        self.in_flight += 1
        if now < self._spread_until:
            gap = _SPREAD / self.limit.slots(now)
            self._next_at = now + gap * (0.5 + self._random())
        return self._queue.popleft()[0]

    def wait(self, now: float) -> float:
        """Seconds until time alone lets the first in; infinite if a slot must come free first."""
        if not self._queue:
            return math.inf
        wait = max(self._resume_at, self._next_at, self._ready_at or 0.0) - now
        if self.in_flight >= self.limit.slots(now):
            wait = max(wait, self.limit.next_open(now))
        return wait

    def succeeded(self, started_at: float, now: float) -> None:
        self.limit.on_success(started_at, self.in_flight, now)
        self.in_flight -= 1

    def failed(self) -> None:
        self.in_flight -= 1

    def throttled(self, started_at: float, retry_after: float, now: float) -> None:
        self.limit.on_throttle(started_at, self.in_flight, now)
        if retry_after > 0:
            self._pause(retry_after, now)
        self.in_flight -= 1

    def hint(self, remaining: int, reset: float, now: float) -> None:
        """What a response's headers said of the API's window."""
        if remaining <= 0 < reset:
            self._pause(min(reset, _MAX_BRAKE), now)

    def set_share(self, rates: tuple[float | None, float | None]) -> None:
        """This job's part of the declared rates, per second."""
        for bucket, rate in zip(self._buckets or (), rates, strict=False):
            if bucket is not None and rate is not None:
                bucket.set_rate(rate, max(1.0, rate))

    def _claimed(self, now: float) -> float:
        """When the first in line may go by the declared rates; claimed once."""
        if self._ready_at is None:
            wait = 0.0
            for bucket, amount in zip(self._buckets or (), (1.0, self._queue[0][1]), strict=True):
                if bucket is not None:
                    wait = max(wait, bucket.take(amount, now))
            self._ready_at = now + wait
        return self._ready_at

    def _pause(self, seconds: float, now: float) -> None:
        until = now + seconds + self._random() * max(0.05, seconds / 10)
        if until > self._resume_at:
            self._resume_at = until
            self._spread_until = until + _SPREAD
