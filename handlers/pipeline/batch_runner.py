"""What a job does with a delivered batch."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial

from pydantic import ValidationError

from handlers.corpus.batching import read_paper
from handlers.domain.batch import BatchMessage, QueueMessage
from handlers.domain.job import LEASE_TTL
from handlers.domain.ledger import PaperRow
from handlers.domain.paper import TERMINAL, Paper
from handlers.domain.result import PartLine
from handlers.errors import (
    BadLineError,
    BadMessageError,
    DamagedObjectError,
    EarlierLayoutError,
    UnavailableError,
    UnknownRunError,
    UsageError,
    first_problem,
)
from handlers.pipeline.committer import Committer
from handlers.pipeline.context import Contexts, JobContext, RunContext
from handlers.pipeline.deliveries.adopted_parts import adopt_parts
from handlers.pipeline.deliveries.company import Company, Place
from handlers.pipeline.deliveries.returns import Returns
from handlers.pipeline.heartbeat import BatchLease, Heartbeat
from handlers.pipeline.papers.known_heads import NO_HEAD, known_heads, task_for_body
from handlers.pipeline.papers.open_batch import OpenBatch
from handlers.pipeline.papers.open_paper import OpenPaper
from handlers.pipeline.papers.reused_results import reuse_results
from handlers.pipeline.papers.sampled_paper import sampled_outcome
from handlers.pipeline.pool import WorkerPool
from handlers.pipeline.run_paper import PaperAttempt, PendingPaper, failed_unread, run_paper
from handlers.pipeline.stop import LONGEST_OUTAGE
from handlers.pipeline.stored_answers import NOTHING, StoredCalls, stored_calls

logger = logging.getLogger(__name__)

_SUSPECT = 3
"""Attempt from which on a batch is worked on alone."""


class BatchRunner:
    """Leases batches, leaves out what is finished, and hands the rest to the pool."""

    def __init__(
        self,
        job: JobContext,
        contexts: Contexts,
        committer: Committer,
        pool: WorkerPool,
        heartbeat: Heartbeat,
        returns: Returns,
    ) -> None:
        self._job = job
        self._contexts = contexts
        self._backend = backend = job.backend
        self._ledger = backend.ledger
        self._store = backend.store
        self._clock = backend.clock
        self._returns = returns
        self._committer = committer
        self._pool = pool
        self._heartbeat = heartbeat
        self._company = Company()
        self._lock = threading.Lock()
        self._received = 0
        self._arriving: set[str] = set()
        """Receipts of the deliveries whose papers are not all with the pool yet."""

    @property
    def taken(self) -> int:
        """Deliveries whose papers are all with the pool, or that needed none."""
        with self._lock:
            return self._received - len(self._arriving)

    def run(self, deliveries: Sequence[QueueMessage]) -> list[str]:
        """Work on each batch; returns the ids of messages to be delivered again."""
        return [delivery.id for delivery in deliveries if not self._accept(delivery)]

    def _accept(self, delivery: QueueMessage) -> bool:
        """True if the message has served its purpose and can be deleted."""
        with self._lock:
            self._received += 1
            self._arriving.add(delivery.receipt)
        epoch = None
        try:
            message = _parse(delivery.body)
            context = self._contexts(message.run_id)
            context.refresh()  # a process may have been frozen since its heartbeat last looked
            if context.control.state != "active":
                return True  # not lost: `resume` and `run` emit unfinished batches from the ledger
            with self._company.joined() as place:
                epoch = self._lease(context, message, delivery)
                if epoch is None:
                    return self._returns.refused(message, delivery, grace=self._job.grace.left)
                return self._work_on(context, message, delivery, epoch, place)
        except UnavailableError as error:
            logger.warning("message %s: %s", delivery.id, error)
            return self._returns.unavailable(delivery, error)
        except (BadMessageError, DamagedObjectError, UsageError) as error:
            logger.error("message %s: %s", delivery.id, error)
            return self._refused(delivery, error, leased=epoch is not None)
        except Exception as error:
            logger.exception("message %s", delivery.id)
            return self._returns.blamed(delivery, error, leased=epoch is not None)
        finally:
            self._has_arrived(delivery)

    def _refused(self, delivery: QueueMessage, error: Exception, *, leased: bool) -> bool:
        """A stack's wrong settings are no message's fault: somebody deploys it again."""
        its_own = isinstance(error, UnknownRunError | EarlierLayoutError)
        ours = isinstance(error, UsageError) and not its_own
        if not (ours and self._job.in_stack):
            return self._returns.blamed(delivery, error, leased=leased)
        if not self._job.on_platform:  # nobody sets it right while this process lives
            self._job.stop.drain(str(error))
        return self._returns.unavailable(delivery, error)

    def _has_arrived(self, delivery: QueueMessage) -> None:
        with self._lock:
            self._arriving.discard(delivery.receipt)

    def _lease(self, context: RunContext, message: BatchMessage, delivery: QueueMessage) -> int | None:
        """On a platform, whose sandboxes may sleep until the next message, it waits here until leases that
        ran out may be taken."""
        epoch = self._ask_lease(message, delivery)
        if epoch is None and self._job.on_platform and self._job.grace.left and self._has_run_out(message):
            context.await_holders()
            epoch = self._ask_lease(message, delivery)
        return epoch

    def _ask_lease(self, message: BatchMessage, delivery: QueueMessage) -> int | None:
        now, attempt = self._clock.now(), self._returns.attempt(message, delivery)
        if self._job.grace.left:
            attempt = attempt._replace(overdue=LONGEST_OUTAGE)
        where = (message.run_id, message.batch_id, self._job.id)
        return self._ledger.lease(*where, now=now, ttl=LEASE_TTL, attempt=attempt)

    def _has_run_out(self, message: BatchMessage) -> bool:
        state = self._ledger.lease_state(message.run_id, message.batch_id)
        return state is not None and 0 < state.lease_until <= self._clock.now()

    def _work_on(
        self, context: RunContext, message: BatchMessage, delivery: QueueMessage, epoch: int, place: Place
    ) -> bool:
        lease = BatchLease(message.run_id, message.batch_id, epoch, delivery.receipt)
        batch = OpenBatch(context, message, lease, self._committer)
        pardoned = False
        try:
            with self._heartbeat.extending(lease):
                if epoch > 1:
                    self._part_if_suspect(message, place)
                    adopt_parts(self._backend, message, epoch)
                self._hand_out(batch)
                self._has_arrived(delivery)
                batch.wait()
            pardoned = batch.pardoned
        except UnavailableError:
            pardoned = True
            raise
        finally:
            self._ledger.end_lease(message.run_id, message.batch_id, epoch, pardon=pardoned)
        return self._settle(batch, delivery, pardoned=pardoned)

    def _part_if_suspect(self, message: BatchMessage, place: Place) -> None:
        state = self._ledger.lease_state(message.run_id, message.batch_id)
        if state is not None and state.attempts >= _SUSPECT:
            logger.warning("batch %s: attempt %d, worked on alone", message.batch_id, state.attempts)
            place.be_alone()

    def _settle(self, batch: OpenBatch, delivery: QueueMessage, *, pardoned: bool) -> bool:
        context, message = batch.context, batch.message
        if self._ledger.finish_batch(message.run_id, message.batch_id, now=self._clock.now()):
            return True
        if self._superseded(message):
            return True
        context.refresh()
        if context.control.state != "active":
            return True
        self._returns.unfinished(
            message,
            delivery,
            batch.why_unfinished,
            pardoned=pardoned,
            short=batch.short and not batch.progress,
        )
        return False

    def _superseded(self, message: BatchMessage) -> bool:
        """True if a retry has opened a later generation, which has a message of its own."""
        rows = self._ledger.paper_rows(message.run_id, message.ids)
        return any(row.generation > message.generation for row in rows.values())

    def _hand_out(self, batch: OpenBatch) -> None:
        """Unreadable papers and results of earlier runs go to the committer, the others to the pool."""
        context, message = batch.context, batch.message
        papers, unreadable = self._read_pending(context, message)
        batch.more(len(papers) + len(unreadable))
        for position, line in unreadable:
            batch.finish(line, message.weight(position))
        reused, answered = reuse_results(context, message, papers)
        papers = [each.knowing(answered.get(each.paper.id)) for each in papers]
        new = [pending for pending in papers if pending.paper.id not in reused]
        heads = known_heads(context, new, again=message.generation > 1)
        self._pool.reorder()
        for pending in papers:
            paper, head = pending.paper, heads.get(pending.paper.id, NO_HEAD)
            pending = pending.knowing(head.answered)
            task = partial(self._run_paper, batch, pending)
            if paper.id in reused:
                batch.finish(reused[paper.id], pending.weight)
            elif (whole := task_for_body(context, pending)) is not None:
                OpenPaper(whole, batch, pending, self._pool, head).begin(or_else=task)
            else:
                self._pool.submit(task, seconds=_forecast(context, paper))

    def _run_paper(self, batch: OpenBatch, pending: PendingPaper) -> None:
        """A worker's task: whatever happens, the batch learns that the paper is done."""
        line = None
        try:
            if not batch.lease.lost.is_set():
                put = partial(batch.put, weight=pending.weight)
                line = run_paper(batch.context, batch.message, pending, put, _sampled(batch.context, put))
                batch.context.watch_failures(line)
        finally:
            if line is None:
                batch.paper_done()
            else:
                batch.finish(line, pending.weight)

    def _read_pending(
        self, context: RunContext, message: BatchMessage
    ) -> tuple[list[PendingPaper], list[tuple[int, PartLine]]]:
        """(papers without a terminal state, positions and lines of those whose bytes are no paper): one bad
        line fails its paper alone. A corpus that is gone or short is no paper's fault: CorpusChangedError."""
        rows = self._ledger.paper_rows(message.run_id, message.ids)
        positions = [
            position
            for position, paper_id in enumerate(message.ids)
            if (row := rows.get(paper_id)) is None
            or (row.status not in TERMINAL and row.generation <= message.generation)
        ]
        papers: list[PendingPaper] = []
        unreadable: list[tuple[int, PartLine]] = []
        lines = self._store.read_many(message.corpus, [message.ranges[position] for position in positions])
        paid = self._paid(
            message, {paper_id: rows.get(paper_id) for paper_id in map(message.ids.__getitem__, positions)}
        )
        for position, line in zip(positions, lines, strict=True):
            paper_id = message.ids[position]
            try:
                paper = read_paper(line, paper_id)
            except BadLineError as error:
                logger.error("batch %s: %s", message.batch_id, error)
                unreadable.append((position, failed_unread(context, message, paper_id, error)))
            else:
                weight, stored = message.weight(position), paid.get(paper_id, NOTHING)
                papers.append(PendingPaper.of(context, paper, weight, stored))
        return papers, unreadable

    def _paid(self, message: BatchMessage, papers: dict[str, PaperRow | None]) -> dict[str, StoredCalls]:
        """Calls of interrupted attempts, whose answers need not be paid for again, by paper."""
        found = stored_calls(self._ledger, self._store, message, papers)
        for paper_id, stored in found.items():
            for problem in stored.damaged:
                logger.warning(
                    "answers to %s of an interrupted attempt are asked for again: %s", paper_id, problem
                )
        return found


def _sampled(
    context: RunContext, put: Callable[[PartLine], None]
) -> Callable[[PaperAttempt], PartLine] | None:
    """Of a task that asks several times over, with a line for each answer."""
    task = context.sampled
    return None if task is None else lambda attempt: sampled_outcome(attempt, task, put)


def _forecast(context: RunContext, paper: Paper) -> Callable[[], float]:
    size = context.task.size(paper)
    return partial(context.forecast.seconds, size, paper.language)


def _parse(body: str) -> BatchMessage:
    try:
        return BatchMessage.model_validate_json(body)
    except ValidationError as error:
        raise BadMessageError(f"no batch message of version 1: {first_problem(error)}") from error
