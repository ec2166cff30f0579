"""What a job does with a delivered batch."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from pydantic import ValidationError

from handlers.corpus.batching import read_paper
from handlers.domain.batch import BatchMessage
from handlers.domain.call import CallRecord
from handlers.domain.ledger import PaperRow
from handlers.domain.paper import TERMINAL, Paper
from handlers.domain.part_lines import decode
from handlers.domain.result import PartLine
from handlers.errors import (
    BadLineError,
    BadMessageError,
    DamagedObjectError,
    PaperfleetError,
    UsageError,
    first_problem,
)
from handlers.pipeline.committer import Committer, Finished
from handlers.pipeline.context import Contexts, RunContext
from handlers.pipeline.heartbeat import LEASE_TTL, BatchLease, Heartbeat
from handlers.pipeline.paper_times import text_size
from handlers.pipeline.pool import WorkerPool
from handlers.pipeline.run_paper import PendingPaper, failed_unread, reuse_results, run_paper
from handlers.ports import BatchQueue, Clock, Ledger, ObjectStore

logger = logging.getLogger(__name__)

_LONGEST_DELAY = 900.0
"""Seconds: no queue delays a message for longer."""


@dataclass(frozen=True)
class Delivery:
    """One SQS record: what is needed to work on it and to give it back."""

    id: str
    receipt: str
    body: str
    receives: int


class _Open:
    """Counts down the papers of a batch that workers and committer still have."""

    def __init__(self, papers: int) -> None:
        self._left = papers
        self._changed = threading.Condition()

    def landed(self) -> None:
        with self._changed:
            self._left -= 1
            if self._left <= 0:
                self._changed.notify_all()

    def wait(self) -> None:
        with self._changed:
            while self._left > 0:
                self._changed.wait()


class _Once:
    """Calls what it wraps the first time and never again."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    def __call__(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call()


class BatchRunner:
    """Leases batches, leaves out what is finished, and hands the rest to the pool."""

    def __init__(
        self,
        contexts: Contexts,
        ledger: Ledger,
        queue: BatchQueue,
        store: ObjectStore,
        committer: Committer,
        pool: WorkerPool,
        heartbeat: Heartbeat,
        clock: Clock,
    ) -> None:
        self._contexts = contexts
        self._ledger = ledger
        self._queue = queue
        self._store = store
        self._committer = committer
        self._pool = pool
        self._heartbeat = heartbeat
        self._clock = clock
        self._lock = threading.Lock()
        self.taken = 0
        """Deliveries whose papers are all with the pool, or that needed none."""

    def run(self, deliveries: Sequence[Delivery]) -> list[str]:
        """Work on each batch; returns the ids of messages to be delivered again."""
        return [delivery.id for delivery in deliveries if not self._accept(delivery)]

    def _accept(self, delivery: Delivery) -> bool:
        """True if the message has served its purpose and can be deleted."""
        took = _Once(self._take)
        try:
            return self._try(delivery, took)
        finally:
            took()

    def _take(self) -> None:
        with self._lock:
            self.taken += 1

    def _try(self, delivery: Delivery, took: _Once) -> bool:
        try:
            message = _parse(delivery.body)
            context = self._contexts(message.run_id)
            return self._batch(context, message, delivery, took)
        except (BadMessageError, DamagedObjectError, UsageError) as error:
            logger.error("message %s: %s", delivery.id, error)
            delay = min(30.0, 0.25 * 2**delivery.receives)
            reason = f"{type(error).__name__}: {error}"
            self._queue.release(delivery.receipt, delay=delay, reason=reason, body=delivery.body)
            return False
        except PaperfleetError as error:
            # The ledger or the store did not do it: most likely they will, in a while.
            logger.exception("message %s", delivery.id)
            delay = min(_LONGEST_DELAY, 30.0 * 2**delivery.receives)
            self._queue.release(delivery.receipt, delay=delay, reason=str(error)[:500], body=delivery.body)
            return False

    def _batch(self, context: RunContext, message: BatchMessage, delivery: Delivery, took: _Once) -> bool:
        context.refresh()  # a process may have been frozen since its heartbeat last looked
        if context.control.state != "active":
            return True  # not lost: `resume` and `run` emit unfinished batches from the ledger
        now = self._clock.now()
        epoch = self._ledger.lease(message.run_id, message.batch_id, context.job_id, now=now, ttl=LEASE_TTL)
        if epoch is None:
            if self._ledger.finish_batch(message.run_id, message.batch_id, now=now):
                return True
            self._queue.release(
                delivery.receipt, delay=10, reason="leased by another job", blame=False, body=delivery.body
            )
            return False
        try:
            held = BatchLease(message.run_id, message.batch_id, epoch, delivery.receipt)
            with self._heartbeat.holding(held):
                opened = self._hand_out(context, message, held)
                took()
                opened.wait()
        finally:
            self._ledger.end_lease(message.run_id, message.batch_id, epoch)
        return self._settle(context, message, delivery)

    def _settle(self, context: RunContext, message: BatchMessage, delivery: Delivery) -> bool:
        if self._ledger.finish_batch(message.run_id, message.batch_id, now=self._clock.now()):
            return True
        if self._superseded(message):
            return True
        context.refresh()
        if context.control.state != "active":
            return True
        stopped = context.stop.closed or context.out_of_time
        blame = not (stopped or context.short_of_money)
        reason = context.stop.reason or ("deadline" if stopped else "some papers are still pending")
        self._queue.release(
            delivery.receipt,
            delay=0 if stopped else 1,
            reason=reason,
            blame=blame,
            body=delivery.body,
        )
        return False

    def _superseded(self, message: BatchMessage) -> bool:
        """True if a retry has opened a later generation, which has a message of its own."""
        rows = self._ledger.paper_rows(message.run_id, message.ids)
        return any(row.generation > message.generation for row in rows.values())

    def _hand_out(self, context: RunContext, message: BatchMessage, held: BatchLease) -> _Open:
        rows = self._ledger.paper_rows(message.run_id, message.ids)
        todo = [
            position
            for position, paper_id in enumerate(message.ids)
            if (row := rows.get(paper_id)) is None
            or (row.status not in TERMINAL and row.generation <= message.generation)
        ]
        papers, unreadable = self._read(context, message, todo, rows)
        opened = _Open(len(papers) + len(unreadable))
        for position, lost in unreadable:
            self._committer.add(Finished(lost, held.epoch, message.weight(position), opened.landed))
        reused = reuse_results(context, self._store, message, papers)
        self._pool.reorder()
        for each in papers:
            line = reused.get(each.paper.id)
            if line is not None:
                self._committer.add(Finished(line, held.epoch, each.weight, opened.landed))
            else:
                task = partial(self._paper, context, message, held, each, opened)
                self._pool.submit(task, seconds=_forecast(context, each.paper))
        return opened

    def _paper(
        self, context: RunContext, message: BatchMessage, held: BatchLease, todo: PendingPaper, opened: _Open
    ) -> None:
        """A worker's task: whatever happens, the batch hears that the paper is out of its hands."""
        line = None
        try:
            if not held.lost.is_set():
                line = run_paper(context, message, todo)
                context.watch_failures(line)
        finally:
            if line is None:
                opened.landed()
            else:
                self._committer.add(Finished(line, held.epoch, todo.weight, opened.landed))

    def _read(
        self, context: RunContext, message: BatchMessage, todo: list[int], rows: dict[str, PaperRow]
    ) -> tuple[list[PendingPaper], list[tuple[int, PartLine]]]:
        """(papers, the lines of those whose bytes are no paper): one bad line fails its paper alone. That
        the corpus is gone or short is no paper's fault: CorpusChangedError."""
        papers: list[PendingPaper] = []
        unreadable: list[tuple[int, PartLine]] = []
        found = self._store.read_many(message.corpus, [message.ranges[position] for position in todo])
        for position, line in zip(todo, found, strict=True):
            paper_id = message.ids[position]
            try:
                paper = read_paper(line, paper_id)
            except BadLineError as error:
                logger.error("batch %s: %s", message.batch_id, error)
                unreadable.append((position, failed_unread(context, message, paper_id, error)))
            else:
                carried = self._carried(rows.get(paper_id))
                papers.append(PendingPaper.of(context, paper, message.weight(position), carried))
        return papers, unreadable

    def _carried(self, row: PaperRow | None) -> tuple[CallRecord, ...]:
        """Calls of an interrupted attempt, whose answers need not be paid for again."""
        if row is None or row.pointer is None:
            return ()
        where = row.pointer
        try:
            line = decode(self._store.read(where.key, where.offset, where.length), where)
        except DamagedObjectError as error:
            logger.warning("answers of an interrupted attempt are asked for anew: %s", error)
            return ()
        return line.carried + line.calls


def _forecast(context: RunContext, paper: Paper) -> Callable[[], float]:
    size = text_size(paper, full_text=context.record.spec.full_text)
    return partial(context.forecast.seconds, size, paper.language)


def _parse(body: str) -> BatchMessage:
    try:
        return BatchMessage.model_validate_json(body)
    except ValidationError as error:
        raise BadMessageError(f"no batch message of version 1: {first_problem(error)}") from error
