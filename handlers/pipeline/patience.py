"""What an outage interrupts is tried again, for as long as there may be an end of it."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from typing import TypeVar

from handlers.errors import UnavailableError
from handlers.ports import Clock

logger = logging.getLogger(__name__)

_LONGEST_OUTAGE = 1800.0
"""Seconds that what is paid for waits in memory for a store or a ledger."""
_LONGEST_WAIT = 15.0
T = TypeVar("T")


class Patience:
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
                left = min(_LONGEST_OUTAGE - (self._clock.monotonic() - since), self._time_left())
                if left <= 0:
                    raise
                logger.warning("what is paid for waits to be written: %s", error)
                wait = min(_LONGEST_WAIT, 2.0 ** min(tried, 10)) * (0.5 + self._clock.random() / 2)
                self._clock.sleep(min(left, wait))
        raise AssertionError("unreachable")
