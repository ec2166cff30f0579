"""Wall time that jumps apart from a process's own: a machine that slept, or a clock that was set."""

from __future__ import annotations

from handlers.ports import Clock

_STEP = 5.0
"""Seconds; less is the clock's own correction."""


class ClockSteps:
    """Leases and visibility are told in wall time, so that all of a machine's seem to have run out at once
    when it wakes, while the jobs that hold them go on as if nothing had happened; and to run for an hour more
    when it is set back by one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = clock.now() - clock.monotonic()

    def stepped(self) -> bool:
        """Whether it jumped, either way, since it was last asked."""
        before, self._ahead = self._ahead, self._clock.now() - self._clock.monotonic()
        return abs(self._ahead - before) > _STEP
