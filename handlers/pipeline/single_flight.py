"""Equal requests of a job are sent once: later callers wait for the first one's answer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from handlers.domain.call import ChatAnswer
from handlers.errors import StoppedError

_KEPT = 1000
"""Answers remembered. Papers that share a request are in one batch, but heavier papers of
later batches may be begun between them."""
_POLL = 0.25


@dataclass(slots=True)
class Flight:
    """One request under way; ``answer`` is set by whoever sends it."""

    answer: ChatAnswer | None = None
    turn: threading.Lock = field(default_factory=threading.Lock)
    callers: int = 0
    """Threads that send it or wait for it."""


class SingleFlight:
    """The requests of a run that are under way, and the last answers. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: OrderedDict[str, Flight] = OrderedDict()

    @contextmanager
    def join(self, digest: str, give_up: Callable[[], bool]) -> Iterator[Flight]:
        """The request's flight, for one caller at a time: it has an answer, or the caller sets one. If a
        caller fails, the next one sends. StoppedError if ``give_up`` says so first."""
        with self._lock:
            flight = self._flights.setdefault(digest, Flight())
            flight.callers += 1
            self._flights.move_to_end(digest)
            self._forget()
        try:
            while not flight.turn.acquire(timeout=_POLL):
                if give_up():
                    raise StoppedError("stopped while waiting for an equal request")
            try:
                yield flight
            finally:
                flight.turn.release()
        finally:
            self._leave(digest, flight)

    def _leave(self, digest: str, flight: Flight) -> None:
        """Forget a flight that failed and that nobody waits for."""
        with self._lock:
            flight.callers -= 1
            if not flight.callers and flight.answer is None:
                del self._flights[digest]

    def _forget(self) -> None:
        """Drop the oldest that is answered; those under way stay."""
        while len(self._flights) > _KEPT:
            oldest = next((key for key, flight in self._flights.items() if not flight.callers), None)
            if oldest is None:
                return
            del self._flights[oldest]
