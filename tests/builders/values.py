"""Values for tests: each builder gives a valid one, and its arguments say what the test is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handlers.domain.batch import BatchMessage
from handlers.domain.call import CallRecord, CallTotals, Usage
from handlers.domain.job import JobRecord, JobStats
from handlers.domain.ledger import Commit, LedgerEntry
from handlers.domain.paper import PaperStatus
from handlers.domain.result import Check, PartLine, PartPointer
from handlers.domain.run import RunRecord, RunSpec, SessionRecord
from handlers.ports import Backend
from tests.builders.fakes import FakeClock

RUN = "r"
SHA256 = "c" * 64
CORPUS = f"corpora/{SHA256}.jsonl"


def backend(**parts: Any) -> Backend:
    """Of the parts that a test is about: ``ledger``, ``queue``, ``store``, ``clock``."""
    return Backend(**{"ledger": None, "queue": None, "store": None, "clock": FakeClock()} | parts)


def spec(**changes: Any) -> RunSpec:
    settings: dict[str, Any] = {
        "corpus_sha256": SHA256,
        "corpus": CORPUS,
        "prompt_version": "p1",
        "masking_version": "m1",
        "model": "model-a",
    }
    return RunSpec(**settings | changes)


def run_record(
    run_id: str = RUN, *, papers: int = 4, same_as: int = 0, budget: int | None = None, **changes: Any
) -> RunRecord:
    return RunRecord(run_id, spec(**changes), papers, same_as, created_at=0.0, budget=budget)


def batch(
    batch_id: str = "b1", ids: Sequence[str] = ("p1", "p2"), *, run_id: str = RUN, **changes: Any
) -> BatchMessage:
    weights = changes.pop("weights", ())
    fields: dict[str, Any] = {
        "run_id": run_id,
        "batch_id": batch_id,
        "generation": 1,
        "corpus": CORPUS,
        "corpus_sha256": SHA256,
        "ranges": tuple((100 * n, 100) for n in range(len(ids))),
        "ids": tuple(ids),
        "weights": tuple(weights),
        "papers": sum(weights) if weights else len(ids),
        "tokens": 10 * len(ids),
    }
    return BatchMessage(**fields | changes)


def call(call_id: str = "call-1", **changes: Any) -> CallRecord:
    fields: dict[str, Any] = {
        "id": call_id,
        "kind": "translate",
        "attempt": 1,
        "outcome": "ok",
        "request": "digest",
        "usage": Usage(prompt_tokens=100, completion_tokens=50),
        "cost": 1000,
        "estimate": 1200,
        "started_at": 0.0,
        "latency": 1.0,
    }
    return CallRecord(**fields | changes)


def entry(paper_id: str = "p1", status: PaperStatus = "done", **changes: Any) -> LedgerEntry:
    fields: dict[str, Any] = {
        "paper_id": paper_id,
        "generation": 1,
        "status": status,
        "pointer": PartPointer(key="runs/r/segments/job-a.jsonl", offset=0, length=10),
    }
    return LedgerEntry(**fields | changes)


def commit(
    *entries: LedgerEntry,
    batch_id: str = "b1",
    part: str = "1",
    job: str = "job-a",
    run_id: str = RUN,
    calls: Sequence[CallRecord] = (),
    at: float = 1.0,
) -> Commit:
    return Commit(
        run_id=run_id,
        batch_id=batch_id,
        part_id=f"{batch_id}/1-{job}-{part}",
        job_id=job,
        entries=entries,
        calls=CallTotals.of(list(calls)),
        at=at,
    )


def part_line(paper_id: str = "p1", status: PaperStatus = "done", **changes: Any) -> PartLine:
    fields: dict[str, Any] = {
        "id": paper_id,
        "run_id": RUN,
        "batch_id": "b1",
        "generation": 1,
        "status": status,
        "fields": {"title": "A title", "abstract": "An abstract.", "keywords": ["one", "two"]},
        "checks": (Check(name="placeholders", verdict="pass"),),
        "calls": (call(f"call-{paper_id}"),),
        "model": "model-a",
        "prompt_version": "p1",
        "fingerprint": f"fp-{paper_id}",
        "latency": 1.5,
        "at": 10.0,
        "notice": "Machine translation.",
    }
    return PartLine(**fields | changes)


def passage_line(passage: str, *calls: str, **changes: Any) -> PartLine:
    """An interim line of the whole paper ``p1``, with calls of these ids."""
    fields: dict[str, Any] = {
        "status": "pending",
        "passage": passage,
        "calls": tuple(map(call, calls)),
        "fields": {},
        "checks": (),
        "fingerprint": "",
    }
    return part_line("p1", **fields | changes)


def job(job_id: str = "job-a", *, session: str = "s1", started: float = 0.0, **changes: Any) -> JobRecord:
    fields: dict[str, Any] = {
        "run_id": RUN,
        "owner": f"host:1:{job_id}",
        "workers": 10,
        "heartbeat_at": started,
        "ended_at": None,
        "outcome": "",
        "stats": JobStats(),
    }
    return JobRecord(job_id=job_id, session_id=session, started_at=started, **fields | changes)


def session(session_id: str = "s1", *, started: float = 0.0, **changes: Any) -> SessionRecord:
    fields: dict[str, Any] = {"run_id": RUN, "jobs": 1, "workers": 10, "ended_at": None, "outcome": ""}
    return SessionRecord(session_id=session_id, started_at=started, **fields | changes)
