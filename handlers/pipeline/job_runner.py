"""A job: one process's share of the fleet, wired once and kept warm."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from handlers.domain.batch import QueueMessage
from handlers.domain.job import JobRecord
from handlers.pipeline.auto_workers import AutoWorkers, WorkerLoad
from handlers.pipeline.batch_runner import BatchRunner
from handlers.pipeline.calls.hedging import HedgeWatch, send_again
from handlers.pipeline.committer import Committer
from handlers.pipeline.context import Contexts, JobContext, RunContext
from handlers.pipeline.deliveries.returns import Returns
from handlers.pipeline.heartbeat import Heartbeat
from handlers.pipeline.pace import EMBEDDED, Pace
from handlers.pipeline.pool import WorkerPool
from handlers.pipeline.stop import Patience

logger = logging.getLogger(__name__)

_CHANGES_NOTED = 10
"""Changes of the number of workers that a heartbeat carries at most."""


@dataclass(frozen=True)
class JobSize:
    """``workers`` at most, of the job; ``fleet``: jobs that share the declared limits, until they report."""

    workers: int
    fleet: int = 1
    auto: AutoWorkers | None = None
    """Chooses the number of workers, where nobody else does."""


class Job:
    """Pool, committer and heartbeat of a process; contexts are made as runs turn up in its batches."""

    def __init__(
        self, shared: JobContext, make_context: Contexts, size: JobSize, *, pace: Pace = EMBEDDED
    ) -> None:
        backend = shared.backend
        self.id = shared.id
        self.ledger = backend.ledger
        self.queue = backend.queue
        self.clock = backend.clock
        self.stop = shared.stop
        self.pool = WorkerPool(size.auto.workers if size.auto else size.workers)
        self._shared = shared
        self._size = size
        self._looked_at = self.clock.monotonic()
        self._make_context = make_context
        self._contexts: dict[str, RunContext] = {}
        self._lock = threading.Lock()
        self._patience = Patience(backend.clock, self._time_left)
        self._committer = Committer(
            backend, self.id, pace=pace, on_failure=self.stop.abandon, time_left=self._time_left
        )
        self._heartbeat = Heartbeat(
            backend,
            lambda: self.contexts,
            report_every=pace.report_every,
            each_time=self._look_at_workers,
            fleet=size.fleet,
        )
        self._hedges = HedgeWatch(self._hedge, pace.hedges_every) if shared.hedge else None
        returns = Returns(backend, pace, shared.max_receives)
        self._runner = BatchRunner(shared, self.context, self._committer, self.pool, self._heartbeat, returns)

    def _time_left(self) -> float:
        """Who asks twice for the end does not wait for a ledger that is away."""
        return 0.0 if self.stop.abandoned else self._shared.deadline.time_left

    @property
    def taken(self) -> int:
        """Deliveries whose papers are all with the pool, or that needed none."""
        return self._runner.taken

    @property
    def out_of_time(self) -> bool:
        """True when no call of a run at hand fits any more before the deadline."""
        return any(context.out_of_time for context in self.contexts)

    @property
    def failure(self) -> str | None:
        """Why results could not be kept, if they could not."""
        return self._committer.failure

    @property
    def contexts(self) -> list[RunContext]:
        """The runs whose batches it has worked on."""
        return list(self._contexts.values())

    def run(self, deliveries: Sequence[QueueMessage], remaining: Callable[[], float]) -> list[str]:
        """One invocation; returns the ids of messages to be delivered again.

        ``remaining`` gives the seconds that the platform leaves it.
        """
        self._shared.deadline.use(remaining, fresh=self._shared.on_platform)
        return self._runner.run(deliveries)

    def context(self, run_id: str) -> RunContext:
        """The run's context in this job, made and booked as a job of the run at first use."""
        with self._lock:
            if run_id not in self._contexts:
                if not self._contexts:
                    self._looked_at = self.clock.monotonic()
                context = self._make_context(run_id)
                self.ledger.start_job(self._record(context))
                context.refresh()
                if not self._shared.in_stack:  # there the control item says it
                    context.estimator.allow_overrun(self.ledger.most_overrun(run_id))
                    context.room.hear(self.ledger.most_room(run_id))
                self._contexts[run_id] = context
            return self._contexts[run_id]

    def _record(self, context: RunContext) -> JobRecord:
        now = self.clock.now()
        return JobRecord(
            self.id,
            context.run_id,
            self._shared.session_id,
            self._shared.owner,
            self._size.workers,
            now,
            now,
            None,
            "",
            context.stats(),
        )

    def _look_at_workers(self) -> None:
        """Grow or shrink, if the number of workers is the job's own business."""
        contexts, auto = self.contexts, self._size.auto
        if auto is None or not contexts:
            return
        self._count_offered()
        limiter, meters = self._shared.limiter, [context.meter for context in contexts]
        throttled = sum(meter.throttled + meter.lost for meter in meters)
        change = auto.look(
            WorkerLoad(
                answered=sum(meter.sent for meter in meters) - throttled,
                throttled=throttled,
                in_flight=limiter.in_flight,
                waiting=self.pool.backlog,
                slots=limiter.slots,
                latency=max(meter.latency for meter in meters),
                memory=auto.free_memory(),
            )
        )
        if change is not None:
            logger.info("%s", change)
            self.pool.resize(change.workers)
            limiter.set_ceiling(change.workers)
            for meter in meters:
                meter.note = "\n".join([*meter.note.splitlines(), str(change)][-_CHANGES_NOTED:])

    def _hedge(self) -> None:
        """Send slow calls again, where nothing waits for a worker in the whole fleet."""
        for context in self.contexts:
            if context.hedges is None or self.pool.backlog or not context.may_hedge:
                continue
            slow = context.hedges.slow(self.pool.idle)
            if not slow or self.queue.counts().visible:
                continue
            for pair in filter(context.hedges.take, slow):
                self.pool.submit(partial(send_again, pair, context.hedges))

    def _count_offered(self) -> None:
        """Add the worker-seconds since they were last counted, or since the run's job began."""
        if self._size.auto is None:
            return
        now = self.clock.monotonic()
        offered, self._looked_at = self.pool.workers * (now - self._looked_at), now
        for context in self.contexts:
            context.meter.offered += offered

    def rest(self) -> None:
        """Between two invocations: keep no money, and report the job's counters."""
        for context in self.contexts:
            context.budget.return_unused()
            self.ledger.beat(context.run_id, self.id, at=self.clock.now(), stats=context.stats())

    def cut_off(self) -> None:
        """Make the calls in flight fail now; they are booked as indeterminate."""
        self.stop.wake()
        for context in self.contexts:
            context.model.abort()

    def close(self, outcome: str, *, patient: bool = False) -> None:
        """Commit what waits, give the rest of the budget back and book how the job ended; again does nothing
        twice. ``patient``: wait for a ledger that is away as long as results do."""
        if self._hedges is not None:
            self._hedges.close()
        self.pool.close()
        self._committer.close()
        self._heartbeat.close()
        self._count_offered()
        for context in self.contexts:
            if patient:
                self._patience.keep_at(partial(self._end, context, outcome))
            else:
                self._end(context, outcome)
            context.model.close()

    def _end(self, context: RunContext, outcome: str) -> None:
        context.budget.return_unused()
        lost = self.ledger.end_job(
            context.run_id, self.id, at=self.clock.now(), outcome=outcome, stats=context.stats()
        )
        if lost:
            logger.warning("job %s ends holding %d nano-USD", self.id, lost)
