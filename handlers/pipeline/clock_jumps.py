"""Wall time that jumps apart from a process's own: a machine that slept, or a clock that was set."""

from __future__ import annotations

from handlers.ports import Clock

_STEP = 5.0
"""Seconds; less is the clock's own correction."""


class ClockSteps:
    """Leases and visibility end at points of wall time. When a machine wakes from sleep, all its jobs'
    leases seem to have run out at once, while the jobs go on; when its clock is set back by an hour, they
    seem to run for an hour more."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = clock.now() - clock.monotonic()

    def stepped(self) -> bool:
        """True if wall time jumped, either way, since the last call."""
        before, self._ahead = self._ahead, self._clock.now() - self._clock.monotonic()
        return abs(self._ahead - before) > _STEP
