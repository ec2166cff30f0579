"""How long a lease that ran out is left to its holder.

An outage ends for everybody at once, and is noticed at different times: a request that hangs in an endpoint's
silence hangs on until its read times out. A job that hears the ledger again a moment before a lease's holder
does would find the lease run out, and pay again for what the holder has in its hands.
"""

from __future__ import annotations

from handlers.ports import Clock

_IN_A_STACK = 60.0
"""Seconds after the ledger's return within which every job has extended its leases, on a busy machine too: a
request that hangs (30), the longest pause before the next try (5), a look of the heartbeat (1), and the
requests themselves."""
_ON_A_MACHINE = 10.0
_GAP = 15.0
"""Seconds between two heartbeats that are no outage: three times their usual pause."""


class TakeoverGrace:
    """What a job's own heartbeats tell: as long as each followed the one before, the ledger was there for
    others too, and a lease that ran out is of a job that died."""

    def __init__(self, clock: Clock, *, in_stack: bool) -> None:
        """``in_stack``: what was before this job began is not known either, and may have been an outage. On
        one machine the jobs that died are known."""
        self._clock = clock
        self._seconds = _IN_A_STACK if in_stack else _ON_A_MACHINE
        self._heard_at: tuple[float, float] | None = None
        self._left_at_first = self._seconds if in_stack else 0.0
        self._until = 0.0

    def heard(self) -> None:
        """The ledger has taken a heartbeat."""
        first, wait = self._heard_at is None, self._seconds
        if first or self._has_gap():
            self._until = self._clock.monotonic() + (self._left_at_first if first else wait)
        self._heard_at = self._clock.now(), self._clock.monotonic()

    def _has_gap(self) -> bool:
        """By the wall's time too: a machine that sleeps does not count."""
        if self._heard_at is None:
            return False
        wall, own = self._heard_at
        return max(self._clock.now() - wall, self._clock.monotonic() - own) > _GAP

    @property
    def left(self) -> float:
        """Seconds; 0 where a lease that ran out may be taken."""
        if self._heard_at is None:
            return self._left_at_first
        return self._seconds if self._has_gap() else max(0.0, self._until - self._clock.monotonic())
