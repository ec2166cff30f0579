"""When a job must stop starting calls: a signal, its deadline, or what the run's control item says.
And how long it keeps at what an outage interrupts."""

from __future__ import annotations

import itertools
import logging
import math
import threading
from collections.abc import Callable
from typing import TypeVar

from handlers.errors import StoppedError, UnavailableError
from handlers.ports import Clock

logger = logging.getLogger(__name__)

LONGEST_OUTAGE = 1800.0
"""Seconds that what is paid for waits in memory for a store or a ledger."""
_LONGEST_WAIT = 15.0
T = TypeVar("T")


class StopSignal:
    """Close: no new paper starts. Drain: no new call starts, those in flight finish. Abandon: those in flight
    are cut off and booked.

    Safe to set from a signal handler: it takes no lock that the interrupted thread may hold.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._draining_for = ""
        self._closed_for = ""
        self.abandoned = False

    @property
    def draining(self) -> bool:
        return bool(self._draining_for)

    @property
    def closed(self) -> bool:
        """True when no further paper starts; those that have started finish."""
        return bool(self._closed_for) or self.draining

    @property
    def reason(self) -> str:
        return self._draining_for or self._closed_for

    def close(self, reason: str) -> None:
        self._closed_for = self._closed_for or reason

    def drain(self, reason: str) -> None:
        """Ask for a drain; the first reason stands."""
        self._draining_for = self._draining_for or reason

    def abandon(self, reason: str) -> None:
        self.drain(reason)
        self.abandoned = True

    def wake(self) -> None:
        """Wake all threads in ``wait``. Call it from an ordinary thread, not from a signal handler."""
        self._event.set()

    def wait(self, seconds: float) -> None:
        """Wait for ``seconds``, or until ``wake``."""
        self._event.wait(seconds)


class Deadline:
    """The end of an invocation: no call starts that could outlast it."""

    SHORTEST = 5.0
    """Seconds that a call is given at least, before anything is known of the API's latency."""
    _SHARE = 0.8
    """Of an invocation: in the rest of it calls start whatever they took before, or none would ever."""
    _LAST_WORDS = 2.0
    """Seconds kept for giving a message back."""

    def __init__(self, margin: float = 1.0) -> None:
        """``margin`` is the seconds kept for the last commit."""
        self._margin = margin
        self._remaining: Callable[[], float] = lambda: math.inf
        self.invocation = math.inf
        """Seconds that the platform gave this invocation, if another follows it."""

    def use(self, remaining: Callable[[], float], *, fresh: bool = False) -> None:
        """``remaining`` gives the seconds that the platform leaves this invocation. ``fresh``: it begins now,
        and another one follows; else its end is the session's."""
        self._remaining = remaining
        self.invocation = remaining() if fresh else math.inf

    def timeout(self, call_timeout: float, usual_latency: float) -> float:
        """Seconds for a call that starts now; StoppedError if it would probably be cut off.

        ``usual_latency`` is a high quantile of the calls seen so far (0 before the first).
        """
        if self.is_near(call_timeout, usual_latency):
            raise StoppedError("deadline")
        return min(call_timeout, self._remaining() - self._margin)

    def is_near(self, call_timeout: float, usual_latency: float) -> bool:
        """True when a call that started now would probably be cut off."""
        usual = max(self.SHORTEST, 1.5 * usual_latency)
        needed = min(call_timeout, usual, self._SHARE * (self.invocation - self._margin))
        return self._remaining() - self._margin < needed

    @property
    def time_left(self) -> float:
        """Seconds for trying to keep what is paid for."""
        return self._remaining() - self._LAST_WORDS


class Patience:
    """With an outage: what it interrupts is tried again."""

    def __init__(self, clock: Clock, time_left: Callable[[], float]) -> None:
        """``time_left``: seconds for which it may try on while store or ledger are out of reach."""
        self._clock = clock
        self._time_left = time_left

    def keep_at(self, work: Callable[[], T]) -> T:
        """Try on for as long as the job may, if what is missing will be there again."""
        since = self._clock.monotonic()
        for tried in itertools.count():
            try:
                return work()
            except UnavailableError as error:
                left = min(LONGEST_OUTAGE - (self._clock.monotonic() - since), self._time_left())
                if left <= 0:
                    raise
                logger.warning("what is paid for waits to be written: %s", error)
                wait = min(_LONGEST_WAIT, 2.0 ** min(tried, 10)) * (0.5 + self._clock.random() / 2)
                self._clock.sleep(min(left, wait))
        raise AssertionError("unreachable")
