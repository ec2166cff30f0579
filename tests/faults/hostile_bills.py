"""Jobs of one run that share a tight budget, and a provider that bills whatever it likes, up to the
reservation, for every kind of broken answer: a step at a time, in one thread."""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.merge_ledger import merge_ledger
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.audit.audit import audit, release_held
from handlers.audit.bill import Bill
from handlers.domain.call import CallRecord, CallTotals, ChatAnswer, ChatRequest, Message, Usage
from handlers.domain.call_errors import ModelCallError
from handlers.domain.job import JobRecord, JobStats
from handlers.domain.ledger import Commit
from handlers.domain.money import NanoUsd
from handlers.domain.run import Control
from handlers.errors import StoppedError, UsageError
from handlers.llm.limits.aimd import AimdLimit
from handlers.llm.prices.tariff import ModelTariff
from handlers.pipeline.calls.paper_calls import PaperCalls
from handlers.pipeline.circuit_breaker import CircuitBreaker
from handlers.pipeline.context import JobContext, RunContext
from handlers.pipeline.result_names import ResultNames
from handlers.pipeline.stop import Deadline, StopSignal
from handlers.ports import Backend
from handlers.tasks.translation.translate import TranslateTask
from tests.builders.fakes import FakeClock
from tests.builders.values import RUN, run_record
from tests.faults.hostile_provider import HOSTILE, Impatient, KilledError, answered, billed, some
from tests.faults.one_thread import PRICE, Unheld

BUDGET = 4_000_000
"""nano-USD: some ten calls at their worst."""


@dataclass
class Job:
    context: RunContext
    ledger: Impatient
    unbooked: list[CallRecord] = field(default_factory=list)
    busy: bool = False

    @property
    def id(self) -> str:
        return self.context.job.id


class HostileFleet:
    """Jobs of one run in one thread. While a call of one is under way, others make theirs."""

    tariff = ModelTariff(PRICE)
    fallback: float | None = None
    """Seconds, for a run that asks for the flex tier."""

    def __init__(self, folder: Path, ends: tuple[str, ...] = HOSTILE, jobs: int = 3) -> None:
        self.folder, self.ends = folder, ends
        self.clock = FakeClock()
        self.raw = SqliteLedger(folder / "ledger.sqlite3")
        self.record = self.raw.create_run(run_record(budget=BUDGET))
        self.queue, self.store = SqliteQueue(folder / "q.sqlite3", RUN, self.clock), FileStore(folder)
        self.chance = random.Random(0)
        self.bill = self.calls = self._names = 0
        self.budget = BUDGET
        self.booked = (0, 0)
        """Spend and what is held, at the end."""
        self.most = 0
        """The most that was billed, as a share of the budget in a thousand."""
        self.at_work: list[Job] = []
        self.dead: list[Job] = []
        self.buried: list[Job] = []
        self._depth = 0
        for _ in range(jobs):
            self.hire()

    def close(self) -> None:
        self.raw.close()
        self.queue.close()
        self.store.close()

    # the provider

    def complete(self, request: ChatRequest, *, timeout: float) -> ChatAnswer:
        self.calls += 1
        self.clock.advance(self.chance.choice((0.1, 1.0, min(timeout, 60.0))))
        while self._depth < 2 and self.chance.random() < 0.4:
            self.ask()
        end = self.chance.choice(self.ends)
        usage = Usage(
            prompt_tokens=some(self.chance, sum(size for _, size in request.sizes)),
            completion_tokens=some(self.chance, request.max_tokens),
        )
        self.bill += billed(end, request, usage, self.chance)
        self.check()
        return answered(end, usage)

    def abort(self) -> None: ...

    # the fleet

    def hire(self) -> None:
        self._names += 1
        ledger, name, now = Impatient(self.raw), f"job-{self._names}", self.clock.now()
        stop = StopSignal()
        stop.wait = self.clock.sleep
        backend = Backend(ledger, self.queue, self.store, self.clock)
        limiter = Unheld(AimdLimit(ceiling=4, start=4), self.clock)
        job = JobContext(
            id=name, session_id="s", owner="host:1:1", backend=backend, limiter=limiter, stop=stop,
            deadline=Deadline(), call_timeout=60,
        )  # fmt: skip
        self.raw.start_job(JobRecord(name, RUN, "s", "host:1:1", 1, now, now, None, "", JobStats()))
        task = TranslateTask(self.record.spec)
        context = RunContext(
            job=job, record=self.record, task=task, model=self,
            names=ResultNames(task, self.record.spec, TranslateTask),
            tariff=self.tariff, flex_fallback=self.fallback, breaker=CircuitBreaker(self.clock),
        )  # fmt: skip
        context.give_up = lambda: ledger.short or context.control.state != "active"
        self.at_work.append(Job(context, ledger))

    def ask(self) -> None:
        """A paper of a job that is not in the middle of another."""
        idle = [job for job in self.at_work if not job.busy]
        if not idle:
            return
        job = self.chance.choice(idle)
        job.busy, job.ledger.short = True, False
        self._depth += 1
        job.context.control = Control("active", "", 0.0)
        job.context.breaker = CircuitBreaker(self.clock)
        calls = PaperCalls(job.context, generation=self.calls)
        try:
            with suppress(ModelCallError, StoppedError):
                for _ in range(self.chance.randint(1, 3)):
                    calls.ask(self._request())
            job.unbooked += calls.records
        except KilledError:
            self.at_work.remove(job)
            self.dead.append(job)
            if self.chance.random() < 0.5:  # frozen rather, with calls that it may still book
                job.unbooked += calls.records
            else:
                job.unbooked.clear()
        finally:
            job.busy = False
            self._depth -= 1

    def _request(self) -> ChatRequest:
        text = self.chance.choice("字a") * self.chance.randint(1, 60) + str(self.chance.random())
        return ChatRequest(
            messages=(Message(role="user", content=text),), max_tokens=self.chance.choice((20, 100, 300))
        )

    def commit(self, jobs: list[Job] | None = None) -> None:
        """One part, perhaps twice."""
        job = self._one(self.at_work if jobs is None else jobs)
        if job is None or job.busy or not job.unbooked:
            return
        few = self.chance.randint(1, len(job.unbooked))
        booked, job.unbooked = job.unbooked[:few], job.unbooked[few:]
        part = Commit(RUN, "b", f"b/1-{job.id}-{booked[0].id}", job.id, (), CallTotals.of(booked), 0.0)
        for _ in range(self.chance.choice((1, 2))):
            self.raw.commit([part])

    def give_back(self) -> None:
        if (job := self._one(self.at_work)) is not None and not job.busy:
            job.context.budget.return_unused()

    def end(self) -> None:
        """A job ends as it should, and another takes its place."""
        job = self._one(self.at_work)
        if job is None or job.busy:
            return
        while job.unbooked:
            self.commit([job])
        job.context.budget.return_unused()
        self.raw.end_job(RUN, job.id, at=self.clock.now(), outcome="finished", stats=None)
        self.at_work.remove(job)
        self.hire()

    def die(self) -> None:
        job = self._one(self.at_work)
        if job is not None and not job.busy:
            self.at_work.remove(job)
            self.dead.append(job)

    def bury(self) -> None:
        for job in self.dead:
            self.raw.end_job(RUN, job.id, at=self.clock.now(), outcome="killed", stats=None)
            self.buried.append(job)
            self.hire()
        self.dead.clear()

    def come_back(self) -> None:
        """A job that was declared dead books what it did, or returns what it has."""
        job = self._one(self.buried)
        if job is not None:
            self.commit([job])

    def release(self) -> None:
        """With the provider's bill, as an operator does whose run is parked."""
        self.bury()
        bill = Bill(rows=1, cost=NanoUsd(self.bill), calls=None, prompt_tokens=None, completion_tokens=None)
        backend = Backend(self.raw, self.queue, self.store, self.clock)
        with suppress(UsageError):  # of jobs at work there is more on the bill than in the ledger
            release_held(self.raw, audit(backend, RUN, bill), bill)

    def pay_more(self) -> None:
        """A larger budget."""
        self.budget += BUDGET // 4
        self.raw.set_budget(RUN, NanoUsd(self.budget), at=self.clock.now())

    def unite(self) -> None:
        """Merged into an empty ledger and once more, the money is the same."""
        if self.at_work or self.dead:
            return
        united, copy = self.folder / "united.sqlite3", self.folder / "copy.sqlite3"
        for path in (united, copy):
            path.unlink(missing_ok=True)
        for _ in range(2):
            self.raw._db.rows("PRAGMA wal_checkpoint(TRUNCATE)")
            shutil.copyfile(self.folder / "ledger.sqlite3", copy)
            merge_ledger(united, copy, RUN, size=lambda _key: 0)
            ledger = SqliteLedger(united)
            assert ledger.budget_state(RUN) == self.raw.budget_state(RUN)
            ledger.close()

    def _one(self, jobs: list[Job]) -> Job | None:
        return self.chance.choice(jobs) if jobs else None

    # what must hold

    def check(self) -> None:
        """At any moment, calls under way included."""
        money = self.raw.budget_state(RUN)
        self.most = max(self.most, 1000 * self.bill // self.budget)
        assert self.bill <= money.drawn, "something was billed that nobody had reserved"
        assert money.budget is not None
        assert self.bill <= money.drawn <= money.budget, "the budget is passed"
        assert money.spend + money.held <= money.drawn

    def rest(self) -> None:
        """Everybody ends: what is booked and held covers the bill, and nothing else is taken."""
        self.bury()
        for _ in range(len(self.at_work)):
            self.chance.shuffle(self.at_work)
            self.end()
            self.at_work.pop()
        for job in self.at_work:
            self.raw.end_job(RUN, job.id, at=self.clock.now(), outcome="finished", stats=None)
        self.check()
        money = self.raw.budget_state(RUN)
        assert self.bill <= money.spend + money.held == money.drawn
        self.booked = (money.spend, money.held)

    def step(self, name: str, seed: int) -> None:
        self.chance.seed(seed)
        getattr(self, name)()
        self.check()
