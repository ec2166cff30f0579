"""A run that is over, put into real embedded adapters without making a call: for pages and exports."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.corpus.ingest import ingest
from handlers.corpus.sources.formats import open_source
from handlers.domain.batch import BatchMessage
from handlers.domain.call import CallRecord, CallTotals, Usage
from handlers.domain.job import JobRecord, JobStats
from handlers.domain.ledger import Commit, LedgerEntry
from handlers.domain.paper import Paper, PaperStatus
from handlers.domain.result import Check, Part, PartLine
from handlers.domain.run import RunSpec, SessionRecord
from handlers.domain.run_report import RunReport
from handlers.ports import Backend
from handlers.runs.submit import RunRequest, submit_run
from handlers.runs.summarise import summarise
from tests.builders.fakes import FakeClock
from tests.builders.whole_bodies import WholeBody

RUN = "backfill"
START = 1_700_000_000.0


@dataclass(frozen=True)
class Outcome:
    """What became of one paper: the answer's fields, verdicts, and what its one call took."""

    status: PaperStatus = "done"
    fields: dict[str, Any] | None = None
    checks: tuple[Check, ...] = (Check(name="numbers", verdict="pass"),)
    error: str | None = None
    reason: str | None = None
    cost: int = 1_300_000
    latency: float = 1.0
    whole: WholeBody | None = None
    """Of a paper that was asked passage by passage; its body is put into the fields. A ``pending`` one has
    the lines of its passages alone."""


Decide = Callable[[Paper, int], Outcome]


@dataclass(frozen=True)
class FinishedRun(Backend):
    """Its clock stands at the run's end."""

    directory: Path

    def report(self) -> RunReport:
        return summarise(self, RUN, is_alive=lambda _: False, detail=True)


@contextmanager
def finished_run(
    directory: Path,
    papers: Iterable[dict[str, Any]],
    decide: Decide,
    *,
    jobs: int = 3,
    workers: int = 10,
    batches: int | None = None,
) -> Iterator[FinishedRun]:
    """Ingest the papers, cut batches, and commit ``decide``'s outcomes as ``jobs`` jobs would have.

    ``batches``: so many are worked on, the papers of the others stay pending; None: all.
    """
    source = directory / "source.jsonl"
    source.parent.mkdir(parents=True, exist_ok=True)
    with source.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(paper, ensure_ascii=False) + "\n" for paper in papers)
    clock = FakeClock(START)
    ledger = SqliteLedger(directory / "ledger.sqlite3")
    queue = SqliteQueue(directory / "queue.sqlite3", RUN, clock)
    store = FileStore(directory)
    found = ingest(open_source(str(source)), directory)
    spec = RunSpec(
        corpus_sha256=found.sha256, corpus=found.key, prompt_version="p", masking_version="1", model="model-a"
    )
    request = RunRequest(
        run_id=RUN, spec=spec, papers=found.papers, same_as=found.same_as, budget=45_000_000_000
    )
    submit_run(Backend(ledger, queue, store, clock), request)
    queue.purge()
    fleet = _Fleet(ledger, store, decide, jobs, workers)
    try:
        end = fleet.work(batches) if batches != 0 else START
        yield FinishedRun(ledger, queue, store, FakeClock(end), directory)
    finally:
        ledger.close()
        queue.close()
        store.close()


class _Fleet:
    """Plays a session: papers one after the other on the least busy of all workers."""

    def __init__(
        self, ledger: SqliteLedger, store: FileStore, decide: Decide, jobs: int, workers: int
    ) -> None:
        self._ledger, self._store, self._decide, self._workers = ledger, store, decide, workers
        self._names = [f"job-{number:02d}" for number in range(jobs)]
        self._free = {name: [START + 0.1 * n] * workers for n, name in enumerate(self._names)}
        self._busy = dict.fromkeys(self._names, 0.0)
        self._papers = dict.fromkeys(self._names, 0)
        self._calls = {name: CallTotals() for name in self._names}
        self._chance = random.Random(1)
        self._count = 0
        self._numbers = count(1)

    def work(self, batches: int | None = None) -> float:
        """Unix seconds at the end."""
        self._ledger.open_session(
            SessionRecord("s1", RUN, len(self._names), self._workers, START, None, "", None)
        )
        for name in self._names:
            self._ledger.start_job(self._job(name, None))
        for message in list(self._ledger.unfinished_batches(RUN))[:batches]:
            self._batch(message)
        end = max(max(times) for times in self._free.values())
        for name in self._names:
            stats = JobStats(
                papers=self._papers[name],
                busy=self._busy[name],
                latency=dict(self._calls[name].latency),
                errors=dict(self._calls[name].errors),
            )
            self._ledger.end_job(RUN, name, at=max(self._free[name]), outcome="finished", stats=stats)
        self._ledger.close_session("s1", at=end, outcome="finished")
        return end

    def _job(self, name: str, ended: float | None) -> JobRecord:
        started = min(self._free[name])
        return JobRecord(
            name, RUN, "s1", f"h:1:{name}", self._workers, started, started, ended, "", JobStats()
        )

    def _batch(self, message: BatchMessage) -> None:
        name = min(self._names, key=lambda each: min(self._free[each]))
        lines: list[PartLine] = []
        weights: list[int] = []
        for position, (offset, length) in enumerate(message.ranges):
            paper = Paper.model_validate_json(self._store.read(message.corpus, offset, length))
            made = self._lines(name, message, paper)
            lines += made
            weights += [message.weight(position)] * len(made)
        part = Part(RUN, f"{message.batch_id}/1-{name}-1", tuple(_encoded(line) for line in lines))
        (pointers,) = self._store.write_parts(name, [part])
        entries = tuple(
            LedgerEntry(
                paper_id=line.id,
                generation=1,
                status=line.status,
                weight=weight,
                error=line.error,
                pointer=pointer,
                cost=sum(call.cost for call in line.calls),
                flags=tuple(check.name for check in line.checks if check.verdict == "fail"),
                segments=line.coverage.counts() if line.coverage is not None else {},
            )
            for line, weight, pointer in zip(lines, weights, pointers, strict=True)
        )
        calls = CallTotals.of([call for line in lines for call in line.calls])
        self._calls[name] = self._calls[name].plus(calls)
        at = max(line.at for line in lines)
        self._ledger.commit([Commit(RUN, message.batch_id, part.name, name, entries, calls, at)])
        self._ledger.finish_batch(RUN, message.batch_id, now=at)

    def _lines(self, job: str, message: BatchMessage, paper: Paper) -> list[PartLine]:
        """The paper's last line, behind those of its passages if it is a whole one."""
        outcome = self._decide(paper, self._count)
        self._count += 1
        base = PartLine(
            id=paper.id, run_id=RUN, batch_id=message.batch_id, generation=1, status="pending",
            model="model-a", prompt_version="p", at=min(self._free[job]),
        )  # fmt: skip
        self._papers[job] += 1
        if outcome.whole is None:
            calls = () if outcome.status == "skipped" else (self._booked(job, paper, outcome),)
            return [base.model_copy(update=self._last(paper, outcome, calls))]
        passages = [
            base.model_copy(update={"passage": key, "calls": (self._booked(job, paper, outcome),)})
            for key in outcome.whole.passages
        ]
        if outcome.status == "pending":
            return passages
        calls = tuple(call for line in passages for call in line.calls)
        last = self._last(paper, outcome, calls) | outcome.whole.of_last_line()
        last |= {"calls": (), "behind": CallTotals.of(calls)}
        last["fields"] = {**last["fields"], "body": outcome.whole.body}
        return [*passages, base.model_copy(update=last)]

    def _booked(self, job: str, paper: Paper, outcome: Outcome) -> CallRecord:
        at = min(self._free[job])
        call = self._call(paper, outcome, at)
        self._free[job][self._free[job].index(at)] = at + call.latency
        self._busy[job] += call.latency
        return call

    @staticmethod
    def _last(paper: Paper, outcome: Outcome, calls: tuple[CallRecord, ...]) -> dict[str, Any]:
        return {
            "status": outcome.status,
            "error": outcome.error,
            "reason": outcome.reason,
            "fields": outcome.fields or {},
            "checks": outcome.checks if outcome.status in ("done", "flagged") else (),
            "calls": calls,
            "latency": sum(call.latency for call in calls),
            "url": paper.url,
            "license": paper.license,
            "notice": "Machine translation; not reviewed by the authors.",
        } | ({"at": max(call.started_at + call.latency for call in calls)} if calls else {})

    def _call(self, paper: Paper, outcome: Outcome, at: float) -> CallRecord:
        latency = outcome.latency * self._chance.lognormvariate(0, 0.4)
        failed = outcome.status == "failed"
        return CallRecord(
            id=f"call-{next(self._numbers)}",
            kind="translate",
            attempt=1,
            outcome="transient" if failed else "ok",
            code=outcome.error if failed else None,
            request="digest",
            usage=None if failed else Usage(prompt_tokens=600, completion_tokens=400),
            cost=outcome.cost,
            estimate=outcome.cost,
            started_at=at,
            latency=latency,
            raw=json.dumps(outcome.fields or {}, ensure_ascii=False),
        )


def _encoded(line: PartLine) -> bytes:
    return line.model_dump_json().encode() + b"\n"
