"""The gate before every call: slots, declared rates and pauses for all worker threads of a job."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from handlers.errors import StoppedError
from handlers.llm.limits.admission import Admission
from handlers.llm.limits.aimd import AimdLimit
from handlers.llm.limits.gossip import FleetReport, LimiterReport
from handlers.llm.limits.rate_headers import RateHint
from handlers.llm.limits.stated_limits import StatedLimits
from handlers.llm.limits.token_bucket import TokenBucket
from handlers.ports import Clock


@dataclass(frozen=True)
class Slot:
    """One call's permission; say within it how the call ended."""

    limiter: Limiter
    started_at: float

    def throttled(self, retry_after: float | None) -> None:
        """The API refused the call; ``retry_after`` seconds stop the other workers' calls too."""
        self.limiter.throttled(self.started_at, retry_after)

    def lost(self) -> bool:
        """The call got no answer in time; see ``Limiter.lost``."""
        return self.limiter.lost(self.started_at)

    def succeeded(self) -> None:
        """The call was answered."""
        self.limiter.succeeded(self.started_at)


class Limiter:
    """``Admission`` for threads: a lock around each decision, and an event for each sleeper."""

    def __init__(
        self,
        limit: AimdLimit,
        clock: Clock,
        *,
        requests: TokenBucket | None = None,
        tokens: TokenBucket | None = None,
        patience: float = math.inf,
    ) -> None:
        """``patience``: seconds after which a call is given up."""
        self._admission = Admission(limit, clock.random, requests=requests, tokens=tokens, patience=patience)
        self._clock = clock
        self._lock = threading.Lock()
        self._stated = StatedLimits()

    @contextmanager
    def slot(self, tokens: int, give_up: Callable[[], bool]) -> Iterator[Slot]:
        """Wait for the turn of a call that may take ``tokens``. StoppedError, within a quarter of a second,
        once ``give_up()`` is true."""
        started_at = self._acquire(tokens, give_up)
        try:
            yield Slot(self, started_at)
        finally:
            self._release()

    def throttled(self, started_at: float, retry_after: float | None) -> None:
        """A call that started then (monotonic seconds) was refused for its rate."""
        with self._lock:
            self._admission.throttled(started_at, retry_after, self._clock.monotonic())

    def lost(self, started_at: float) -> bool:
        """A call that started then got no answer in time. True if that is a sign of too many in flight."""
        with self._lock:
            return self._admission.lost(started_at, self._clock.monotonic())

    def succeeded(self, started_at: float) -> None:
        """A call that started then (monotonic seconds) was answered."""
        with self._lock:
            self._admission.succeeded(started_at, self._clock.monotonic())

    def hint(self, hint: RateHint) -> None:
        """What a response says of the API's window."""
        with self._lock:
            self._admission.hint(hint, self._clock.monotonic())
            self._stated.observe(hint.stated)

    def set_share(self, live_jobs: int) -> None:
        """The declared rates are for the fleet: take this job's share of them."""
        with self._lock:
            self._admission.set_share(live_jobs)

    def report(self, job: str) -> LimiterReport:
        """For the other jobs of the fleet, from ``job``, this one."""
        with self._lock:
            return self._admission.report(job)

    def observe(self, fleet: FleetReport) -> None:
        """Take in what became of the fleet's calls."""
        with self._lock:
            self._admission.limit.observe(fleet, self._clock.monotonic())

    def set_ceiling(self, slots: int) -> None:
        """The most calls that may ever be in flight from now on."""
        with self._lock:
            self._admission.limit.set_ceiling(slots, self._clock.monotonic())

    @property
    def slots(self) -> int:
        """Calls that may be in flight now."""
        with self._lock:
            return self._admission.slots(self._clock.monotonic())

    @property
    def ever_refused(self) -> bool:
        """Whether the API refused a call for its rate, or a quota of it was found."""
        with self._lock:
            return self._admission.limit.refused

    @property
    def in_flight(self) -> int:
        return self._admission.in_flight

    @property
    def stated(self) -> dict[str, int]:
        """The API's limits by its own headers: ``requests_per_minute`` and the like."""
        with self._lock:
            return self._stated.limits()

    def _acquire(self, tokens: int, give_up: Callable[[], bool]) -> float:
        """Monotonic time at which the slot was given."""
        if give_up():
            raise StoppedError("stopped before a call")
        woken = threading.Event()
        with self._lock:
            ticket = self._admission.join(tokens, woken.set)
            timeout = self._admission.step(ticket, self._clock.monotonic())
        while not ticket.granted:
            woken.wait(timeout)
            stopped = give_up()
            with self._lock:
                woken.clear()
                now = self._clock.monotonic()
                timeout = self._admission.step(ticket, now)
                if stopped:
                    self._admission.leave(ticket, now)
                    raise StoppedError("stopped while waiting for a slot")
        return self._clock.monotonic()

    def _release(self) -> None:
        with self._lock:
            self._admission.release(self._clock.monotonic())
