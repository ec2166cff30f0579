"""A job's heartbeat has four threads: one reads the runs' control items, one extends leases, one reports the
job's counters, one reads the others'. A ledger that is slow with one of them delays none of the others."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from handlers.domain.job import LEASE_TTL, JobStats
from handlers.errors import UnavailableError
from handlers.llm.limits.gossip import FleetView, LimiterReport
from handlers.pipeline.clock_jumps import ClockSteps
from handlers.pipeline.context import RunContext
from handlers.ports import Backend

logger = logging.getLogger(__name__)

_EXTEND_EVERY = 30.0
BEAT = 1.0
"""Seconds between two looks of each thread; a report waits for the job's ``report_every``, too."""
_BILLED_BEAT = 1.9
"""Seconds between two looks at what jobs hear of their runs."""
_REMEMBERED = 30.0
"""Seconds that what other jobs said holds while nobody tells it anew."""
_COUNTED_EVERY = 10.0
"""Seconds between two looks at how many jobs there are, at least."""
_COUNTS_A_SECOND = 50
"""Such looks of all jobs together, at most."""
_GATHERING = 10.0
"""Seconds of a job's life in which the rest of its fleet may not have reported yet."""


@dataclass(frozen=True)
class BatchLease:
    """A lease and its delivery: both are extended together."""

    run_id: str
    batch_id: str
    epoch: int
    receipt: str
    lost: threading.Event = field(default_factory=threading.Event, compare=False)
    """Set once the lease has passed to another job: no further paper of the batch is started here."""


class Heartbeat:
    def __init__(
        self,
        backend: Backend,
        contexts: Callable[[], Iterable[RunContext]],
        *,
        report_every: float = 0.0,
        each_time: Callable[[], None] = lambda: None,
        fleet: int = 1,
    ) -> None:
        """``fleet``: the jobs to come, whose parts of a declared limit are left to them. ``each_time`` is
        called about once a second."""
        self._ledger = backend.ledger
        self._queue = backend.queue
        self._clock = clock = backend.clock
        self._contexts = contexts
        self._leases: set[BatchLease] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._extended_at = self._hidden_at = clock.monotonic()
        self._steps, self._queue_steps = ClockSteps(clock), ClockSteps(clock)
        self._report_every = report_every
        self._each_time = each_time
        self._fleet = fleet
        self._began = clock.monotonic()
        self._reported_at = self._looked_at = self._heard_at = -math.inf
        self._fleet_view = FleetView()
        self._seen: dict[str, tuple[float, Sequence[JobStats]]] = {}
        """Of each run: when its jobs were looked at last, and what they said."""
        self._jobs_at_work: dict[str, tuple[float, int]] = {}
        """Of each run: when they were counted last, and how many there were."""
        self._threads = [
            threading.Thread(target=self._every, args=(each,), name=each.__name__, daemon=True)
            for each in (self.listen, self.hide, self.keep, self.report, self.look)
        ]
        for thread in self._threads:
            thread.start()

    @contextmanager
    def extending(self, lease: BatchLease) -> Iterator[None]:
        """Keep the lease and its message's visibility alive until the block ends."""
        # A platform's event source hides a message for the longest run of a function; a lease is shorter.
        self._queue.extend(lease.receipt, LEASE_TTL)
        with self._lock:
            self._leases.add(lease)
        try:
            yield
        finally:
            with self._lock:
                self._leases.discard(lease)

    def close(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _every(self, work: Callable[[], None]) -> None:
        while not self._stopped.wait(BEAT):
            try:
                work()
            except Exception:
                # The ledger may be busy or throttled; leases last four missed beats.
                logger.warning("heartbeat missed", exc_info=True)

    def listen(self) -> None:
        """About once a second, half as often where a look is billed: hear what people and other jobs decided
        about the runs."""
        now = self._clock.monotonic()
        if not self._report_every or now - self._heard_at >= _BILLED_BEAT:
            self._heard_at = now
            for context in self._contexts():
                context.listen()
        self._each_time()

    def hide(self) -> None:
        """Each half minute, and at once where the clock jumped: keep the messages from others. Apart from the
        leases: a ledger that is away, and is waited for, must not let messages go to others."""
        if self._queue_steps.stepped():
            self._hidden_at = -math.inf
        if self._clock.monotonic() - self._hidden_at >= _EXTEND_EVERY:
            self._hidden_at = self._clock.monotonic()
            for lease in self._held():
                self._queue.extend(lease.receipt, LEASE_TTL)

    def keep(self) -> None:
        """As often: extend the leases."""
        if self._steps.stepped():
            self._extended_at = -math.inf
        if self._clock.monotonic() - self._extended_at >= _EXTEND_EVERY:
            self._extend(self._clock.now())
            self._extended_at = self._clock.monotonic()

    def _held(self) -> list[BatchLease]:
        with self._lock:
            return [lease for lease in self._leases if not lease.lost.is_set()]

    def report(self) -> None:
        """As often as the job's pace says: write the job's counters. First and alone: whoever is not heard of
        is taken for dead, and nothing that only helps may come before."""
        if self._clock.monotonic() - self._reported_at >= self._report_every:
            self._report_all(list(self._contexts()))
            self._reported_at = self._clock.monotonic()

    def _report_all(self, contexts: Iterable[RunContext]) -> None:
        for context in contexts:
            now, job = self._clock.now(), context.job
            if not self._ledger.beat(context.run_id, job.id, at=now, stats=context.stats()):
                job.stop.drain("this job was declared dead")
            job.grace.heard()

    def look(self) -> None:
        """As often: read the counters of the others, and let them have what money is not needed here; where
        money is short, each time."""
        for context in self._contexts():
            context.budget.tidy()
        if self._clock.monotonic() - self._looked_at >= self._report_every:
            self._look_all(list(self._contexts()))
            self._looked_at = self._clock.monotonic()

    def _look_all(self, contexts: Sequence[RunContext]) -> None:
        """Jobs exchange counters once per heartbeat, one beat late. Runs share the limiter, and a job reports
        all its calls in each of them: the fleet's are observed once, not once a run."""
        reports: list[LimiterReport] = []
        for context in contexts:
            jobs = self._look(context, self._clock.now())
            gathering = self._clock.monotonic() - self._began < _GATHERING
            context.budget.jobs = at_work = max(len(jobs), self._at_work(context.run_id))
            context.job.limiter.set_share(max(self._fleet if gathering else 1, at_work))
            context.observe(jobs)
            context.budget.trim()
            reports += [
                LimiterReport(job.job, job.answered, job.throttled, job.level, job.ceiling) for job in jobs
            ]
        fleet = self._fleet_view.observe(reports, self._clock.monotonic())
        if fleet is not None:
            for limiter in {context.job.limiter for context in contexts}:
                limiter.observe(fleet)

    def _at_work(self, run_id: str) -> int:
        """About how many jobs work for the run; 0 while nobody tells."""
        read_at, jobs = self._jobs_at_work.get(run_id, (-math.inf, 0))
        if self._clock.monotonic() - read_at >= max(_COUNTED_EVERY, jobs / _COUNTS_A_SECOND):
            with suppress(UnavailableError):
                jobs = self._ledger.jobs_at_work(run_id)
            self._jobs_at_work[run_id] = (self._clock.monotonic(), jobs)
        return jobs

    def _look(self, context: RunContext, now: float) -> Sequence[JobStats]:
        """What the jobs next to this one say of themselves; where nobody tells, what they said last, for a
        while."""
        run_id = context.run_id
        try:
            live = self._ledger.live_jobs(run_id, context.job.id, since=now - LEASE_TTL)
        except UnavailableError:
            looked_at, seen = self._seen.get(run_id, (-math.inf, ()))
            if now - looked_at > _REMEMBERED:
                raise
            logger.warning("no look at the other jobs of run %s", run_id, exc_info=True)
            return seen
        self._seen[run_id] = (now, live)
        return live

    def _extend(self, now: float) -> None:
        for lease in self._held():
            if not self._ledger.extend_lease(
                lease.run_id, lease.batch_id, lease.epoch, now=now, ttl=LEASE_TTL
            ):
                lease.lost.set()
                logger.warning("lease of batch %s passed to another job", lease.batch_id)
