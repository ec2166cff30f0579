"""Waits between the tries of one request."""

from __future__ import annotations

from collections.abc import Callable

_MAX_DOUBLINGS = 60


def delay(
    attempt: int,
    base: float,
    cap: float,
    random: Callable[[], float],
    *,
    retry_after: float | None = None,
) -> float:
    """Seconds to wait after try number ``attempt`` (from 1) failed: full jitter over an exponential bound.

    A ``retry_after`` is a lower bound: the wait lies up to a quarter above it (and at most ``cap``),
    so that many workers told the same do not come back at once.

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    bound = min(cap, base * 2.0 ** min(max(attempt, 1) - 1, _MAX_DOUBLINGS))
    if retry_after is None:
        return random() * bound
    spread = min(cap, max(base, retry_after / 4))
    return max(0.0, retry_after) + random() * spread
