"""Whether an API answers this process at all: what a refusal means depends on it."""

from __future__ import annotations

import threading

from handlers.ports import Clock

_TELLING = 3
"""Refusals in a row from which on their time counts: one alone may be a hiccup."""


class Answering:
    """Counts answers and the refusals since the last of them. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._refusals = 0
        self._first = 0.0
        self.ever = False
        """True once there was an answer."""

    def answered(self) -> None:
        if self.ever and not self._refusals:
            return
        with self._lock:
            self.ever = True
            self._refusals = 0

    def refused(self) -> float:
        """One more refusal. Returns the seconds since the first of them in a row; 0 if they are few."""
        now = self._clock.monotonic()
        with self._lock:
            if self._refusals == 0:
                self._first = now
            self._refusals += 1
            return now - self._first if self._refusals >= _TELLING else 0.0
