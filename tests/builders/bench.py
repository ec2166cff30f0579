"""A run's context on a bench: a real ledger, a scripted API, a clock of its own."""

from __future__ import annotations

from pathlib import Path

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.domain.call import ChatAnswer, ChatRequest, Message, Usage
from handlers.domain.call_errors import ModelCallError
from handlers.domain.job import JobRecord, JobStats
from handlers.domain.money import Price
from handlers.domain.run import RunRecord
from handlers.llm.limits.aimd import AimdLimit
from handlers.llm.limits.limiter import Limiter
from handlers.llm.prices.tariff import ModelTariff
from handlers.pipeline.circuit_breaker import CircuitBreaker
from handlers.pipeline.context import JobContext, RunContext
from handlers.pipeline.result_names import ResultNames
from handlers.pipeline.stop import Deadline, StopSignal
from handlers.ports import Backend
from handlers.tasks.translation.translate import TranslateTask
from tests.builders.fakes import FakeClock, ScriptedModel
from tests.builders.values import spec as run_spec

REQUEST = ChatRequest(messages=(Message(role="user", content="text"),), max_tokens=50)


GOOD = ChatAnswer(content="answer", finish_reason="stop", usage=Usage(prompt_tokens=10, completion_tokens=20))


PRICE = Price(prompt=1_000_000, completion=2_000_000, cached=1_000_000)


class Bench:
    """A run's context over a real ledger, with a scripted API and a clock of its own."""

    def __init__(
        self, folder: Path, *outcomes: ChatAnswer | ModelCallError, limit: int | None = None
    ) -> None:
        self.clock = FakeClock()
        self.ledger = SqliteLedger(folder / "ledger.sqlite3")
        record = self.ledger.create_run(RunRecord("r", run_spec(), 10, 0, 0.0, None))
        self.ledger.start_job(JobRecord("j", "r", "s", "host:1:1", 1, 0.0, 0.0, None, "", JobStats()))
        self.model = ScriptedModel(*outcomes, clock=self.clock)
        self.stop = StopSignal()
        queue = SqliteQueue(folder / "queue.sqlite3", "r", self.clock)
        self.job = JobContext(
            id="j",
            session_id="s",
            owner="host:1:1",
            backend=Backend(self.ledger, queue, FileStore(folder), self.clock),
            limiter=Limiter(AimdLimit(ceiling=4, start=4), self.clock),
            stop=self.stop,
            deadline=Deadline(),
            call_timeout=60,
            limited=limit is not None,
        )
        self.context = RunContext(
            job=self.job,
            record=record,
            task=(task := TranslateTask(record.spec)),
            names=ResultNames(task, record.spec, TranslateTask),
            model=self.model,
            tariff=ModelTariff(PRICE),
            breaker=CircuitBreaker(self.clock),
        )
        # Sleeping moves the clock: no test waits for real.
        self.stop.wait = self.clock.sleep

    def settled(self) -> int:
        self.context.budget.return_unused()
        return self.ledger.budget_state("r").drawn
