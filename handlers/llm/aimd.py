"""How many calls may be in flight: additive increase, multiplicative decrease. It knows no threads."""

from __future__ import annotations

import math

_BUSY = 0.9
"""Share of the slots that must be in use before a success says that more would be good."""
_PACE = ((0.9, 4.0), (1.0, 0.5), (1.1, 0.2))
"""Slots that a round of successes adds below these shares of the level that was refused last: quickly
back to where it was, slowly past it; one a round beyond, where the limit must have moved."""
_LULL = 0.5
"""Share of the slots that one cut leaves at least."""


class AimdLimit:
    """Slots for one job, found by trying (Chiu and Jain, 1989; the memory follows TCP CUBIC, RFC 9438).

    Slow start: slots open by time, half of the ceiling a second, until the first refusal. Given a
    ``start`` (the last session's level), it begins there. Then each round of successes adds one slot;
    after a cut four while far below the level that was refused, and a part of one near it. A refusal
    multiplies by ``decrease``, at most once a ``burst`` of seconds; calls that started before a cut
    move nothing after it.
    """

    def __init__(
        self, ceiling: int, *, start: float | None = None, decrease: float = 0.85, burst: float = 5.0
    ) -> None:
        if ceiling < 1:
            raise ValueError("ceiling must be at least 1")
        self.ceiling = ceiling
        self._level = 1.0 if start is None else min(float(ceiling), max(1.0, start))
        self._opening = start is None
        self._opened_at: float | None = None
        self._decrease = decrease
        self._burst = burst
        self._cut_at = -math.inf
        self._refused_level = math.inf
        self._cut = False

    def slots(self, now: float) -> int:
        """Calls that may be in flight at ``now`` (monotonic seconds); at least 1."""
        self._open(now)
        return int(self._level + 1e-9)

    def next_open(self, now: float) -> float:
        """Seconds until time alone opens another slot; infinite unless in slow start."""
        self._open(now)
        if not self._opening:
            return math.inf
        missing = math.floor(self._level + 1e-9) + 1 - self._level
        return missing / (self.ceiling / 2)

    def on_success(self, started_at: float, in_flight: int, now: float) -> None:
        """An answer came in for a call started at ``started_at``; ``in_flight`` includes it."""
        self._open(now)
        if self._opening or started_at < self._cut_at or in_flight < int(self._level * _BUSY):
            return
        share = self._level / self._refused_level
        pace = next((slots for below, slots in _PACE if share < below), 1.0) if self._cut else 1.0
        self._level = min(float(self.ceiling), self._level + pace / self._level)

    def on_throttle(self, started_at: float, in_flight: int, now: float) -> bool:
        """The API refused a call for its rate; True if the slots were cut for it."""
        self._open(now)
        if started_at < self._cut_at or now - self._cut_at < self._burst:
            return False
        # Slots that nobody used were never tried: the refusal is about the calls that were there. But
        # one refusal in a lull says little about the rest: never below half.
        tried = min(self._level, max(in_flight, self._level * _LULL / self._decrease))
        self._refused_level = tried
        self._level = max(1.0, tried * self._decrease)
        self._cut_at, self._cut = now, True
        self._opening = False
        return True

    def _open(self, now: float) -> None:
        if not self._opening:
            return
        if self._opened_at is not None:
            self._level += max(0.0, now - self._opened_at) * self.ceiling / 2
        self._opened_at = now
        if self._level >= self.ceiling:
            self._level = float(self.ceiling)
            self._opening = False
