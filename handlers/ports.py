"""What the pipeline needs of the world. Each port has one contract suite in ``tests/contract``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from handlers.domain.batch import BatchMessage, DeadLetter, QueueCounts, QueueMessage
from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.domain.job import JobRecord, JobStats
from handlers.domain.ledger import (
    ANY_ATTEMPT,
    Attempt,
    BatchFigures,
    Commit,
    LeaseState,
    PaperRow,
    Reusable,
    StoredAnswer,
)
from handlers.domain.money import NanoUsd
from handlers.domain.paper import PaperStatus
from handlers.domain.result import Part, PartPointer
from handlers.domain.run import Control, RunRecord, RunSpec, RunTotals, SessionRecord
from handlers.ledger_ports import Drawn as Drawn
from handlers.ledger_ports import EndpointNotes as EndpointNotes
from handlers.ledger_ports import OpenRuns as OpenRuns
from handlers.ledger_ports import RunMoney as RunMoney
from handlers.task_ports import Ask as Ask
from handlers.task_ports import Cut as Cut
from handlers.task_ports import PassageWork as PassageWork
from handlers.task_ports import SampledTask as SampledTask
from handlers.task_ports import Task as Task
from handlers.task_ports import WholePaperTask as WholePaperTask


class Clock(Protocol):
    """Time and chance, passed in so that tests and the simulator own them."""

    def now(self) -> float:
        """Unix seconds."""

    def monotonic(self) -> float:
        """Seconds that never step back."""

    def sleep(self, seconds: float) -> None: ...

    def random(self) -> float:
        """Uniform in [0, 1)."""


class ChatModel(Protocol):
    """One HTTP call, never retried inside."""

    def complete(self, request: ChatRequest, *, timeout: float, cut: Cut | None = None) -> ChatAnswer:
        """The answer within ``timeout`` seconds, or one of ``ModelCallError``'s classes. Where ``cut`` is
        given, it may end this call alone."""

    def abort(self) -> None:
        """Make the calls in flight fail soon, from another thread."""

    def close(self) -> None: ...


class BatchQueue(Protocol):
    """At-least-once delivery with a visibility timeout, like SQS."""

    def send(self, messages: Iterable[tuple[str, str]]) -> int:
        """Enqueue (deduplication key, body) pairs; returns how many. Where the queue can, a key that
        it holds already is made visible in place of being added (receives keep their count)."""

    def receive(self, *, limit: int, visibility: float) -> list[QueueMessage]:
        """Up to ``limit`` messages, hidden from others for ``visibility`` seconds. One received more
        often than the queue's maximum goes to the dead letters in place of being delivered."""

    def extend(self, receipt: str, seconds: float) -> bool:
        """Hide for ``seconds`` from now; False if the receipt is void."""

    def release(
        self, receipt: str, *, delay: float, reason: str = "", blame: bool = True, body: str = ""
    ) -> None:
        """Make it visible after ``delay``. Without ``blame`` the receive is not counted, where the queue is
        what counts (see ``Ledger.lease``). ``body`` is the message's, for queues that keep no reasons."""

    def bury(self, message: QueueMessage, reason: str) -> None:
        """Put a delivered message among the dead letters, with the reason; "" keeps the last one given."""

    def delete(self, receipt: str) -> None: ...

    def dead_letters(self) -> list[DeadLetter]: ...

    def redrive(self, wanted: Callable[[str], bool] = lambda _body: True) -> int:
        """Send the dead letters whose body is ``wanted`` back with a receive count of 0; returns how
        many. The others stay dead."""

    def counts(self) -> QueueCounts: ...

    def purge(self) -> None:
        """Drop every message but the dead letters; none where several runs share the queue: those of a
        cancelled run are dropped when they are received."""


class ObjectStore(Protocol):
    """Immutable objects under keys such as ``corpora/<sha256>.jsonl``."""

    def put_file(self, key: str, path: Path) -> None:
        """Store a file's content under a key; a key that exists is left as it is."""

    def exists(self, key: str) -> bool: ...

    def read(self, key: str, offset: int, length: int) -> bytes:
        """Exactly that byte range. DamagedObjectError if the object is missing or shorter,
        CorpusChangedError if it is a corpus."""

    def read_many(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """The same for many (offset, length) of an object, in their order."""

    def lines(self, key: str) -> Iterator[bytes]:
        """All lines of an object, streamed; those of a packed part, unpacked."""

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys of the objects that begin so, in order, streamed."""

    def write_parts(self, job_id: str, parts: Sequence[Part]) -> list[tuple[PartPointer, ...]]:
        """Durable when it returns; one pointer per line, per part. Each part name is written once."""


class Ledger(EndpointNotes, OpenRuns, RunMoney, Protocol):
    """What became of each paper, and what each call cost. Every method is atomic, on every backend."""

    def away_for(self) -> float:
        """Seconds since a write failed, none having succeeded; 0 if the last one did."""

    # runs
    def create_run(self, record: RunRecord) -> RunRecord:
        """Put if absent; returns the run as it stands, which may have other settings."""

    def run(self, run_id: str) -> RunRecord:
        """UnknownRunError if there is none."""

    def judge_by(self, run_id: str, spec: RunSpec, *, known: RunSpec) -> bool:
        """Let a run have ``spec``, which asks the same, in place of ``known``; False if it has another."""

    def run_ids(self) -> list[str]:
        """In the order of their creation; of the same instant, by id."""

    def set_control(self, run_id: str, control: Control) -> None: ...

    def park(self, run_id: str, control: Control) -> None:
        """Set the control item only if the run is active: the first reason stands, and a pause or a
        cancel is never overwritten."""

    def control(self, run_id: str) -> Control: ...

    def heard_control(self, run_id: str, listener: str) -> Control:
        """The same, as a job hears it: it may be some seconds old, and half a minute where a writer died."""

    # batches
    def add_batches(self, messages: Iterable[BatchMessage]) -> int:
        """Put each if absent; returns how many were new."""

    def unfinished_batches(self, run_id: str) -> Iterator[BatchMessage]:
        """In the order of the cut, each with its current generation."""

    def lease(
        self,
        run_id: str,
        batch_id: str,
        owner: str,
        *,
        now: float,
        ttl: float,
        attempt: Attempt = ANY_ATTEMPT,
    ) -> int | None:
        """Claim a batch and return the lease's epoch; None if it is finished, another lease is live or ran
        out less than ``attempt.overdue`` seconds ago, or ``attempt.most`` attempts failed. It counts as one
        of them from now on: a holder's death says nothing more."""

    def lease_state(self, run_id: str, batch_id: str) -> LeaseState | None:
        """None if there is no such batch."""

    def extend_lease(self, run_id: str, batch_id: str, epoch: int, *, now: float, ttl: float) -> bool:
        """False if the lease has passed to another epoch."""

    def end_lease(self, run_id: str, batch_id: str, epoch: int, *, pardon: bool = False) -> None:
        """With ``pardon`` the attempt counts as none that failed; once, and only of this epoch."""

    def forgive(self, run_id: str) -> None:
        """Somebody has mended something: the run's unfinished batches have no failed attempts."""

    def finish_batch(self, run_id: str, batch_id: str, *, now: float) -> bool:
        """Mark it finished if all its papers are in a terminal state; False if some are not."""

    def batch_figures(self, run_id: str) -> Iterator[BatchFigures]:
        """Of every batch, the heaviest papers first, streamed."""

    # papers
    def paper_rows(self, run_id: str, paper_ids: Sequence[str]) -> dict[str, PaperRow]:
        """The rows that exist; a paper without one is pending."""

    def commit(self, commits: Sequence[Commit]) -> set[tuple[str, str]]:
        """Book the parts: put-if-absent for each part's calls, and for each paper without a terminal
        state in its generation its outcome. Returns the (run, paper) pairs whose outcome was taken.

        An entry that says ``pending`` is put among the batch's answers, whatever the paper's state."""

    def unbooked(self, run_id: str, parts: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Those of the (job, part) pairs whose calls are not booked, in their order."""

    def answers(self, run_id: str, batch_id: str) -> dict[str, list[StoredAnswer]]:
        """What the batch's papers were answered before they ended, by paper id, in the order of generation,
        key and offset. Nothing takes one away: a reopened paper keeps those of its earlier generations."""

    def reusable(self, fingerprints: Sequence[str], *, earlier: bool = False) -> dict[str, Reusable]:
        """Results of earlier runs by fingerprint, of whatever release. ``earlier``: none of the fingerprints
        is given to new results, and what was noted within the last second may be missed."""

    def forget_result(self, fingerprint: str, pointer: PartPointer) -> None:
        """What the fingerprint points at is gone: the next result for it takes its place. Nothing happens
        if it points elsewhere by now."""

    def reopen(self, run_id: str, *, statuses: Sequence[PaperStatus], error: str | None) -> int:
        """Open the next generation for the papers in these states (and of that error class, if given).
        Returns how many papers, followers included."""

    def rejudge(self, commit: Commit, before: Mapping[str, PaperRow]) -> set[str]:
        """Other verdicts on papers of a finished batch: of each entry that has ended the row, where it is
        still the one of ``before`` (status, generation and pointer), with the entry's generation; what it
        cost stays. Entries that say ``pending`` are put among the batch's answers. No calls are booked. A
        paper that is not done any more has no result for others. Returns the ids of the papers whose row was
        taken; the same once more mends what a crash left undone of it."""

    def entries(self, run_id: str) -> Iterator[PaperRow]:
        """Every row of a run, ordered by paper id, streamed."""

    def skip_reasons(self, run_id: str) -> dict[str, int]:
        """Why papers were skipped → papers; "" for those of a version that did not note it."""

    # jobs and sessions
    def open_session(self, session: SessionRecord) -> None: ...

    def close_session(self, session_id: str, *, at: float, outcome: str) -> None: ...

    def take_start(self, session_id: str) -> bool:
        """Count one paper as started; False once the session's limit is reached."""

    def start_job(self, job: JobRecord) -> None: ...

    def beat(self, run_id: str, job_id: str, *, at: float, stats: JobStats) -> bool:
        """False if others declared the job dead and closed it."""

    def live_jobs(self, run_id: str, job_id: str | None, *, since: float) -> list[JobStats]:
        """The last stats of the open jobs whose heartbeat came after ``since``, of those next to ``job_id``
        (on a machine all, in a fleet some thirty); reads no others. Of all if it is None."""

    def jobs_at_work(self, run_id: str) -> int:
        """About how many jobs are open; 0 where ``live_jobs`` tells of all."""

    def recount_jobs(self, run_id: str) -> None:
        """Mend what starts and ends that were counted twice made of that number."""

    def most_overrun(self, run_id: str) -> int:
        """The largest ``JobStats.overrun`` that a job of the run reported, ended ones too."""

    def most_room(self, run_id: str) -> int:
        """The same of ``JobStats.room``."""

    def end_job(
        self, run_id: str, job_id: str, *, at: float, outcome: str, stats: JobStats | None
    ) -> NanoUsd:
        """Close a job. What it holds of the budget and did not book is booked as indeterminate and
        returned (0 for a job that gave everything back). Closing twice changes nothing."""

    def free_leases(self, run_id: str, owner: str) -> list[BatchMessage]:
        """End all leases of a dead job; returns its unfinished batches, to be emitted again."""

    def jobs(self, run_id: str) -> list[JobRecord]:
        """In the order of their start; of the same instant, by id."""

    def sessions(self, run_id: str) -> list[SessionRecord]:
        """In the order of their start, the latest last; of the same instant, by id."""

    def totals(self, run_id: str) -> RunTotals: ...


@dataclass(frozen=True)
class Backend:
    """Where runs live, and the time. The queue is one run's on a machine, and all runs' in a stack."""

    ledger: Ledger
    queue: BatchQueue
    store: ObjectStore
    clock: Clock
