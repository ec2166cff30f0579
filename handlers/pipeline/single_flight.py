"""Equal requests of a job are sent once: whoever comes second waits for the first one's answer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from handlers.domain.call import ChatAnswer
from handlers.errors import StoppedError

_KEPT = 1000
"""Answers remembered after they landed. Papers that share a request are in one batch, but heavier papers of
later batches may be begun between them."""
_POLL = 0.25


@dataclass
class Flight:
    """One request under way; ``answer`` is set by whoever sends it."""

    answer: ChatAnswer | None = None
    turn: threading.Lock = field(default_factory=threading.Lock)
    aboard: int = 0
    """Who sends it or waits for it."""


class Flights:
    """Thread-safe; the waiting is bounded by ``give_up``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: OrderedDict[str, Flight] = OrderedDict()

    @contextmanager
    def board(self, digest: str, give_up: Callable[[], bool]) -> Iterator[Flight]:
        """The flight of a request, alone: with an answer already, or to be given one. If the sender
        fails, the next in turn sends. StoppedError if the job gives up first."""
        with self._lock:
            flight = self._flights.setdefault(digest, Flight())
            flight.aboard += 1
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
        """One that failed and that nobody waits for is forgotten at once."""
        with self._lock:
            flight.aboard -= 1
            if not flight.aboard and flight.answer is None:
                del self._flights[digest]

    def _forget(self) -> None:
        """Drop the oldest that landed; those under way are never dropped."""
        while len(self._flights) > _KEPT:
            oldest = next((key for key, flight in self._flights.items() if not flight.aboard), None)
            if oldest is None:
                return
            del self._flights[oldest]
