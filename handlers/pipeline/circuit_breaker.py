"""Tells an API that fails now and then from one that is not there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from handlers.ports import Clock

_THRESHOLD = 20
"""Failures in a row that open it."""
_PATIENCE = 300.0
"""Seconds without a success after which an open one is hopeless."""
_STARVED = 600.0
"""Seconds of nothing but refusals for the rate, after which waiting is no way to get an answer."""
_REFUSALS = 5
"""Refusals in that time at least: one long ``Retry-After`` is no refusal for good."""
_NOBODY_THERE = 3
"""Failed connections in a row after which nobody is taken to be there, however few the workers."""
_ABSENT = 1.0
"""Seconds without one connection after which an endpoint that nobody ever reached is not there."""


class CircuitBreaker:
    """Opens after twenty failures in a row. While it is open, failures are the API's and not the papers':
    they use up no paper's tries. After five minutes without one success (a tenth of it when there never was
    one in this job) the run is better parked than burnt through.
    """

    def __init__(self, clock: Clock, *, connects_within: float = 20.0) -> None:
        """``connects_within``: seconds after which a call in flight must have got its connection."""
        self._clock = clock
        self._connects_within = connects_within
        self._in_flight: dict[object, float] = {}
        self._lock = threading.Lock()
        self._failures = 0
        self._unreached = 0
        self._broken = 0
        """Failures in a row of calls that had reached it."""
        self._first_failure = 0.0
        self._ever = self._ever_reached = False
        self._refusals = 0
        self._first_refusal = 0.0
        self.answered = 0
        """Calls of this job that were."""

    @property
    def open(self) -> bool:
        return self._failures >= _THRESHOLD

    @contextmanager
    def call(self) -> Iterator[None]:
        """A call is in flight."""
        token = object()
        with self._lock:
            self._in_flight[token] = self._clock.monotonic()
        try:
            yield
        finally:
            with self._lock:
                del self._in_flight[token]

    def succeeded(self) -> None:
        with self._lock:
            self._failures = self._unreached = self._broken = self._refusals = 0
            self._ever = self._ever_reached = True
            self.answered += 1

    def failed(self, *, reached: bool = True) -> None:
        """``reached`` is False when no connection came about: such a failure is never a paper's."""
        with self._lock:
            self._unreached = 0 if reached else self._unreached + 1
            self._broken += reached
            self._ever_reached = self._ever_reached or reached
            if self._failures == 0:
                self._first_failure = self._clock.monotonic()
            self._failures += 1

    def throttled(self) -> None:
        """A call was refused for the rate: the API is there, but perhaps not for this account."""
        with self._lock:
            self._unreached, self._ever_reached = 0, True
            if self._refusals == 0:
                self._first_refusal = self._clock.monotonic()
            self._refusals += 1

    def full(self) -> None:
        """A tier that is waited for had no room: the API is there, and it is no matter of rates."""
        with self._lock:
            self._unreached = self._refusals = 0
            self._ever_reached = True

    @property
    def starved(self) -> bool:
        """Nothing but refusals for minutes: a used-up daily quota, or a rate of zero."""
        waited = self._clock.monotonic() - self._first_refusal
        return self._refusals >= _REFUSALS and waited > _STARVED

    @property
    def silent(self) -> float:
        """Seconds since the first of the failures in a row."""
        return self._clock.monotonic() - self._first_failure

    @property
    def absent(self) -> bool:
        """No connection came about in this job. One that answered others may be restarting."""
        return not self._ever_reached and self._unreached >= _NOBODY_THERE and self.silent > _ABSENT

    @property
    def hopeless(self) -> bool:
        """Open, or nobody there, for longer than patience lasts. A call that waits for its answer on a
        connection keeps it from being hopeless, as a slow API that refuses some connections is there; but
        not if such calls have failed too often, and not for ever: where names resolve slowly, a call may only
        seem to have a connection."""
        patience = _PATIENCE if self._ever else _PATIENCE / 10
        gone = self.open or self._unreached >= _NOBODY_THERE
        waited = self.silent
        if not gone or waited <= patience:
            return False
        return waited > _PATIENCE or self._broken >= _THRESHOLD or not self._is_awaited()

    def _is_awaited(self) -> bool:
        now = self._clock.monotonic()
        with self._lock:
            return any(now - began > self._connects_within for began in self._in_flight.values())
