"""One thread a job: keeps leases alive, hears of pauses and fatal stops, says how the job stands."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from handlers.pipeline.context import RunContext
from handlers.ports import BatchQueue, Clock, Ledger

logger = logging.getLogger(__name__)

LEASE_TTL = 120.0
_EXTEND_EVERY = 30.0
_BEAT_EVERY = 2.0


@dataclass(frozen=True)
class Held:
    """A lease and the delivery that goes with it: both are extended together."""

    run_id: str
    batch_id: str
    epoch: int
    receipt: str
    lost: threading.Event = field(default_factory=threading.Event, compare=False)
    """Set once the lease has passed to another job: no further paper of the batch is started here."""


class Heartbeat:
    def __init__(
        self,
        ledger: Ledger,
        queue: BatchQueue,
        clock: Clock,
        contexts: Callable[[], Iterable[RunContext]],
        *,
        report_every: float = 0.0,
        each_time: Callable[[], None] = lambda: None,
    ) -> None:
        self._ledger = ledger
        self._queue = queue
        self._clock = clock
        self._contexts = contexts
        self._held: set[Held] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._extended_at = clock.monotonic()
        self._report_every = report_every
        self._each_time = each_time
        self._reported_at = -math.inf
        self._thread = threading.Thread(target=self._loop, name="heartbeat", daemon=True)
        self._thread.start()

    @contextmanager
    def holding(self, held: Held) -> Iterator[None]:
        # A platform's event source hides a message for the longest run of a function; a lease is shorter.
        self._queue.extend(held.receipt, LEASE_TTL)
        with self._lock:
            self._held.add(held)
        try:
            yield
        finally:
            with self._lock:
                self._held.discard(held)

    def close(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _loop(self) -> None:
        while not self._stopped.wait(_BEAT_EVERY / 2):
            try:
                self.beat()
            except Exception:
                # The ledger may be busy or throttled; leases last four missed beats.
                logger.warning("heartbeat missed", exc_info=True)

    def beat(self) -> None:
        """What is done each second or so."""
        now = self._clock.now()
        reports = self._clock.monotonic() - self._reported_at >= self._report_every
        self._each_time()
        for context in self._contexts():
            context.refresh()
            if reports:
                self._report(context, now)
        if reports:
            self._reported_at = self._clock.monotonic()
        if self._clock.monotonic() - self._extended_at >= _EXTEND_EVERY:
            self._extended_at = self._clock.monotonic()
            self._extend(now)

    def _report(self, context: RunContext, now: float) -> None:
        context.purse.trim()
        jobs = self._ledger.jobs(context.run_id)
        if any(job.job_id == context.job_id and job.ended_at is not None for job in jobs):
            context.stop.drain("this job was given up for dead")
        live = sum(job.ended_at is None and now - job.heartbeat_at < LEASE_TTL for job in jobs)
        context.limiter.set_share(max(1, live))
        self._ledger.beat(
            context.run_id, context.job_id, at=now, stats=context.meter.snapshot(context.limiter)
        )

    def _extend(self, now: float) -> None:
        with self._lock:
            held = list(self._held)
        for lease in held:
            if self._ledger.extend_lease(lease.run_id, lease.batch_id, lease.epoch, now=now, ttl=LEASE_TTL):
                self._queue.extend(lease.receipt, LEASE_TTL)
            else:
                lease.lost.set()
                logger.warning("lease of batch %s passed to another job", lease.batch_id)
