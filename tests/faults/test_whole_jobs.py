"""Whole papers over the threads of a real job: passages side by side, papers counted once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.bootstrap.state import SystemClock
from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.domain.run import SessionRecord
from handlers.llm.limits.aimd import AimdLimit
from handlers.llm.limits.limiter import Limiter
from handlers.llm.prices.tariff import ModelTariff
from handlers.model_server.canned import Filler
from handlers.model_server.content import compose
from handlers.pipeline.circuit_breaker import CircuitBreaker
from handlers.pipeline.context import JobContext, RunContext
from handlers.pipeline.job_runner import Job, JobSize
from handlers.pipeline.result_names import ResultNames
from handlers.pipeline.stop import Deadline, StopSignal
from handlers.ports import Backend
from tests.builders.command import until
from tests.builders.paragraph_task import ParagraphTask
from tests.faults.one_thread import PRICE, USAGE
from tests.faults.small_fleet import SmallFleet


class Together:
    """A ``ChatModel`` that answers a stage of a paper only once so many of its passages are asked at once."""

    def __init__(self, stages: tuple[int, ...] = ()) -> None:
        self._stages = [threading.Barrier(passages) for passages in stages]
        self.calls = 0
        self.bodies: list[bool] = []
        """Whether each was asked for a part of a body."""
        self._lock = threading.Lock()

    def complete(self, request: ChatRequest, *, timeout: float) -> ChatAnswer:
        of_body = '"body/' in request.messages[-1].content
        with self._lock:
            self.calls += 1
            self.bodies.append(of_body)
        if self._stages:
            self._stages[of_body].wait(30)
        content = compose(request.messages[-1].content, Filler(), None, 0.5)
        return ChatAnswer(content=content.text, finish_reason="stop", usage=USAGE)

    def abort(self) -> None: ...
    def close(self) -> None: ...


class Threads:
    """One run of whole papers, and jobs with workers of their own."""

    def __init__(self, folder: Path, closing: ExitStack, *, papers: int, limit: int | None = None) -> None:
        clock: Any = SystemClock()
        ledger, store = SqliteLedger(folder / "ledger.sqlite3"), FileStore(folder)
        queue = SqliteQueue(folder / "queue.sqlite3", "r", clock)
        self.fleet = SmallFleet(
            folder, ledger=ledger, store=store, clock=clock, papers=papers, paragraphs=6,
            task_of=ParagraphTask, queue_of=lambda _name: queue,
        )  # fmt: skip
        self.fleet.submit("r")
        ledger.open_session(SessionRecord("s", "r", 1, 1, 0.0, None, "", limit=limit))
        self.backend = Backend(ledger, queue, store, clock)
        self.limited = limit is not None
        for adapter in (ledger, store, queue):
            closing.callback(adapter.close)

    def work(self, model: Any, workers: int) -> Job:
        """One delivery."""
        clock = self.backend.clock
        shared = JobContext(
            id="j", session_id="s", owner="host:1:1", backend=self.backend, stop=StopSignal(),
            limiter=Limiter(AimdLimit(ceiling=workers, start=workers), clock), deadline=Deadline(),
            call_timeout=60, limited=self.limited,
        )  # fmt: skip

        def context(run_id: str) -> RunContext:
            record = self.backend.ledger.run(run_id)
            task = ParagraphTask(record.spec)
            return RunContext(
                job=shared, record=record, task=task, model=model, tariff=ModelTariff(PRICE),
                names=ResultNames(task, record.spec, ParagraphTask), breaker=CircuitBreaker(clock),
            )  # fmt: skip

        job = Job(shared, context, JobSize(workers))
        for message in self.backend.queue.receive(limit=1, visibility=600):
            job.run([message], lambda: 900.0)
        job.close("finished")
        return job

    @property
    def counts(self) -> dict[str, int]:
        return {str(status): n for status, n in self.backend.ledger.totals("r").counts.items() if n}


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_the_passages_of_a_stage_are_asked_side_by_side(tmp_path: Path, closing: ExitStack) -> None:
    threads, model = Threads(tmp_path, closing, papers=1), Together(stages=(2, 6))
    job = threads.work(model, workers=6)
    assert threads.counts == {"done": 2, "skipped": 1}  # it has a twin
    assert model.calls == 8
    until(lambda: job.pool.backlog == 0)  # nothing more is expected, once the threads have ended


def test_of_many_workers_one_counts_a_paper_against_the_limit(tmp_path: Path, closing: ExitStack) -> None:
    threads, model = Threads(tmp_path, closing, papers=4, limit=1), Together()
    job = threads.work(model, workers=100)
    assert model.calls == 8, "the paper that started is finished, and no other starts"
    assert threads.backend.ledger.sessions("r")[-1].started == 1
    assert threads.counts["done"] in (1, 2)
    until(lambda: job.pool.backlog == 0)


def test_heads_of_a_batch_are_asked_before_its_bodies(tmp_path: Path, closing: ExitStack) -> None:
    threads, model = Threads(tmp_path, closing, papers=4), Together()
    threads.work(model, workers=1)
    assert model.bodies == sorted(model.bodies)
    assert model.bodies.count(False) > 2
