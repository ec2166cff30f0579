"""Which service tier a request is sent to: the flex tier, and the standard one where that stays full."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from handlers.domain.call import ChatRequest
from handlers.llm.limits.backoff import delay

BACKOFF_BASE, BACKOFF_CAP = 5.0, 120.0
"""Seconds; see ``llm.limits.backoff.delay``. A tier that is full is so for minutes."""


@dataclass
class TierChoice:
    """Of one request. ``fallback``: seconds from the first refusal for want of capacity after which it goes
    to the standard tier, infinite for never; None where nobody asked for the flex tier."""

    fallback: float | None
    _first_full: float = math.inf
    _refusals: int = 0
    _fell_back: bool = False

    def applied(self, request: ChatRequest, now: float) -> ChatRequest:
        """The request as it is sent next. ``now``: monotonic seconds."""
        if self.fallback is None:
            return request
        self._fell_back = self._fell_back or now - self._first_full >= self.fallback
        return request.model_copy(update={"tier": "standard" if self._fell_back else "flex"})

    def full(self, now: float, retry_after: float | None, random: Callable[[], float]) -> float:
        """The flex tier had no capacity. Seconds until the next try, at the latest when that goes to the
        standard tier."""
        self._first_full = min(self._first_full, now)
        self._refusals += 1
        seconds = delay(self._refusals, BACKOFF_BASE, BACKOFF_CAP, random, retry_after=retry_after)
        fallback = math.inf if self.fallback is None else self.fallback
        return max(0.0, min(max(seconds, 1.0), self._first_full + fallback - now))
