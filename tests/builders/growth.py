"""Time in proportion to the size: CPU seconds of one thread, as a ratio, so that a busy machine, a slow one
or tracing changes nothing.

The quick profile takes the word of the smallest part that tells it closely; the others, which the slow suite
and every night try, hold the whole size too, for something may begin beyond the quarter.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import TypeVar

from hypothesis import settings

FLOOD = 250_000
"""Bytes at which even the cheapest work that grows with the square, moving memory, takes half a second."""
_SMALLER = 16
_SLACK = 4
"""Quadratic work takes 16 times as long as linear work here; cold caches cost less than this."""
_LAST_SLACK = 2
"""Quadratic work takes 4 times as long as linear work from a quarter to the whole."""
_FLOOR = 0.002
"""CPU seconds below which a measurement says nothing; with it, an eighth of a second is always granted."""
_TRIES = 3
_QUARTER_SLACK = 1.5
"""Allows less of a square than ``_SLACK`` at the whole size: 3.2 times the linear part there and not 4."""

Input = TypeVar("Input")


def repeated(piece: str) -> Callable[[int], str]:
    """As many of ``piece`` as make up so many bytes."""
    return lambda size: piece * max(1, size // len(piece.encode("utf-8", "surrogatepass")))


def assert_linear(make: Callable[[int], Input], act: Callable[[Input], object], *, size: int = FLOOD) -> None:
    """``act`` on ``make(size)`` takes no more than in proportion to what it takes on a sixteenth; or, for
    short texts may go a shorter way, to what it takes on a quarter."""
    if _quick() and any(_is_told_by(size // part, make, act) for part in (64, 16, 4)):
        return
    small = max(_FLOOR, min(_spent(act, make(size // _SMALLER)) for _ in range(2)))
    large = make(size)
    allowed = small * _SMALLER * _SLACK
    for _ in range(_TRIES):  # a cold cache may have struck the one, not both
        spent = _spent(act, large)
        if spent <= allowed:
            return
        quarter = min(_spent(act, make(size // 4)) for _ in range(2))
        allowed = max(allowed, quarter * 4 * _LAST_SLACK)
    raise AssertionError(f"{spent:.3f} s for {size}, {small:.3f} s for a sixteenth, {allowed:.3f} s allowed")


def _is_told_by(part: int, make: Callable[[int], Input], act: Callable[[Input], object]) -> bool:
    """True if a part of the size takes no more than in proportion to its quarter, which can be measured."""
    small = min(_spent(act, make(part // 4)) for _ in range(2))
    return small > _FLOOR and _spent(act, make(part)) <= small * 4 * _QUARTER_SLACK


def _quick() -> bool:
    return settings.get_current_profile_name() == "quick"


def _spent(act: Callable[[Input], object], given: Input) -> float:
    """Without collections: what they look through is not the act's own."""
    collects = gc.isenabled()
    gc.disable()
    try:
        started = time.thread_time()
        act(given)
        return time.thread_time() - started
    finally:
        if collects:
            gc.enable()
