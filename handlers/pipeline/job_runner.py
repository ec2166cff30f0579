"""A job: one process's share of the fleet, wired once and kept warm."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from handlers.domain.job import JobRecord
from handlers.pipeline.auto_workers import AutoWorkers, Seen
from handlers.pipeline.batch_runner import BatchRunner, Delivery
from handlers.pipeline.committer import Committer
from handlers.pipeline.context import RunContext
from handlers.pipeline.heartbeat import Heartbeat
from handlers.pipeline.pace import EMBEDDED, Pace
from handlers.pipeline.pool import WorkerPool
from handlers.pipeline.stop import Deadline, StopSignal
from handlers.ports import BatchQueue, Clock, Ledger, ObjectStore

logger = logging.getLogger(__name__)

_CHANGES_TOLD = 10


class Job:
    """Pool, committer and heartbeat of a process; contexts are made as runs turn up in its batches."""

    def __init__(
        self,
        job_id: str,
        *,
        session_id: str,
        owner: str,
        workers: int,
        ledger: Ledger,
        queue: BatchQueue,
        store: ObjectStore,
        clock: Clock,
        make_context: Callable[[str, Job], RunContext],
        fleet: int = 1,
        pace: Pace = EMBEDDED,
        auto: AutoWorkers | None = None,
        free_memory: Callable[[], float] = lambda: 1.0,
    ) -> None:
        """``fleet``: jobs that are to share the declared limits, until they are heard of."""
        self.id = job_id
        self.session_id = session_id
        self.ledger = ledger
        self.queue = queue
        self.clock = clock
        self.stop = StopSignal()
        self.deadline = Deadline(pace.margin)
        self.pool = WorkerPool(auto.workers if auto else workers)
        self._most_workers = workers
        self._looked_at = clock.monotonic()
        self._auto = auto
        self._free_memory = free_memory
        self._owner = owner
        self._make_context = make_context
        self._contexts: dict[str, RunContext] = {}
        self._lock = threading.Lock()
        self._committer = Committer(
            store,
            ledger,
            clock,
            job_id,
            delay=pace.commit_delay,
            papers=pace.commit_papers,
            on_failure=self.stop.abandon,
        )
        self._heartbeat = Heartbeat(
            ledger,
            queue,
            clock,
            lambda: self.contexts,
            report_every=pace.report_every,
            each_time=self._look_at_workers,
            fleet=fleet,
        )
        self._runner = BatchRunner(
            self.context, ledger, queue, store, self._committer, self.pool, self._heartbeat, clock
        )

    @property
    def taken(self) -> int:
        """Deliveries whose papers are all with the pool, or that needed none."""
        return self._runner.taken

    @property
    def out_of_time(self) -> bool:
        """No call of a run at hand fits any more before the deadline."""
        return any(context.out_of_time for context in list(self._contexts.values()))

    @property
    def failure(self) -> str | None:
        """Why results could not be kept, if they could not."""
        return self._committer.failure

    @property
    def contexts(self) -> list[RunContext]:
        """The runs whose batches it has worked on."""
        return list(self._contexts.values())

    def run(self, deliveries: Sequence[Delivery], remaining: Callable[[], float]) -> list[str]:
        """One invocation; returns the ids of messages to be delivered again.

        ``remaining`` gives the seconds that the platform leaves it.
        """
        self.deadline.use(remaining)
        return self._runner.run(deliveries)

    def context(self, run_id: str) -> RunContext:
        with self._lock:
            if run_id not in self._contexts:
                now = self.clock.now()
                if not self._contexts:
                    self._looked_at = self.clock.monotonic()
                context = self._make_context(run_id, self)
                self.ledger.start_job(
                    JobRecord(
                        self.id,
                        run_id,
                        self.session_id,
                        self._owner,
                        self._most_workers,
                        now,
                        now,
                        None,
                        "",
                        context.stats(),
                    )
                )
                context.refresh()
                context.estimator.allow_overrun(self.ledger.most_overrun(run_id))
                self._contexts[run_id] = context
            return self._contexts[run_id]

    def _look_at_workers(self) -> None:
        """Grow or shrink, if the number of workers is the job's own business."""
        contexts = self.contexts
        if self._auto is None or not contexts:
            return
        self._count_offered()
        limiter, meters = contexts[0].limiter, [context.meter for context in contexts]
        throttled = sum(meter.throttled for meter in meters)
        change = self._auto.look(
            Seen(
                answered=sum(meter.sent for meter in meters) - throttled,
                throttled=throttled,
                in_flight=limiter.in_flight,
                waiting=self.pool.backlog,
                slots=limiter.slots,
                latency=max(meter.latency for meter in meters),
                memory=self._free_memory(),
            )
        )
        if change is not None:
            logger.info("%s", change)
            self.pool.resize(change.workers)
            limiter.set_ceiling(change.workers)
            for meter in meters:
                meter.note = "\n".join([*meter.note.splitlines(), str(change)][-_CHANGES_TOLD:])

    def _count_offered(self) -> None:
        """Workers that there were since it was last counted, or since the run's job began."""
        if self._auto is None:
            return
        now = self.clock.monotonic()
        offered, self._looked_at = self.pool.workers * (now - self._looked_at), now
        for context in self.contexts:
            context.meter.offered += offered

    def rest(self) -> None:
        """Between two invocations: hold no money, and say how it stands."""
        for context in self.contexts:
            context.budget.return_unused()
            self.ledger.beat(context.run_id, self.id, at=self.clock.now(), stats=context.stats())

    def cut_off(self) -> None:
        """Make the calls in flight fail now; they are booked as indeterminate."""
        self.stop.wake()
        for context in list(self._contexts.values()):
            context.model.abort()

    def close(self, outcome: str) -> None:
        """Commit what waits, give the rest of the budget back and say how it ended."""
        self.pool.close()
        self._committer.close()
        self._heartbeat.close()
        self._count_offered()
        for context in self._contexts.values():
            context.budget.return_unused()
            lost = self.ledger.end_job(
                context.run_id, self.id, at=self.clock.now(), outcome=outcome, stats=context.stats()
            )
            if lost:
                logger.warning("job %s ends holding %d nano-USD", self.id, lost)
            context.model.close()
