"""Everything was silent for minutes and comes back: two jobs hear of it at different times, and the first one
finds the other's lease run out while that holds what it paid for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.bootstrap.state import State
from handlers.domain.job import LEASE_TTL, JobRecord, JobStats
from handlers.domain.result import Part, PartPointer
from handlers.llm.limits.aimd import AimdLimit
from handlers.llm.prices.tariff import ModelTariff
from handlers.local.fleet import reap_dead_jobs
from handlers.pipeline.batch_runner import BatchRunner
from handlers.pipeline.circuit_breaker import CircuitBreaker
from handlers.pipeline.context import JobContext, RunContext
from handlers.pipeline.deliveries.returns import Returns
from handlers.pipeline.heartbeat import Heartbeat
from handlers.pipeline.pace import AWS
from handlers.pipeline.result_names import ResultNames
from handlers.pipeline.stop import Deadline, StopSignal
from handlers.ports import Backend
from handlers.tasks.translation.translate import TranslateTask
from tests.builders.fakes import FakeClock
from tests.faults.one_thread import PRICE, AtOnce, Inline, Unheld
from tests.faults.small_fleet import SmallFleet

BEAT = AWS.report_every
OUTAGE = 600.0


class StackJob:
    """One that works in a stack, in the test's thread: its heartbeat does what the test says."""

    def __init__(self, fleet: SmallFleet, name: str, *, on_platform: bool = False) -> None:
        self.fleet, self.clock = fleet, fleet.clock
        backend = Backend(fleet.raw, fleet.queue("r"), Holding(fleet.store, self), self.clock)
        self.while_writing: Callable[[], None] = lambda: None
        """What happens before the first part of this job is durable."""
        stop = StopSignal()
        stop.wait = self._wait
        job = JobContext(
            id=name, session_id="s", owner=name, backend=backend, stop=stop, deadline=Deadline(),
            limiter=Unheld(AimdLimit(ceiling=1, start=1), self.clock), call_timeout=60, in_stack=True,
            on_platform=on_platform,
        )  # fmt: skip
        now = self.clock.now()
        fleet.raw.start_job(JobRecord(name, "r", "s", name, 1, now, now, None, "", JobStats()))
        record = fleet.raw.run("r")
        task = TranslateTask(record.spec)
        fleet.api.run_id = "r"
        self.context = RunContext(
            job=job, record=record, task=task, names=ResultNames(task, record.spec, TranslateTask),
            model=fleet.api, tariff=ModelTariff(PRICE), breaker=CircuitBreaker(self.clock),
        )  # fmt: skip
        self.heartbeat = Heartbeat(backend, lambda: [self.context], report_every=BEAT)
        self.heartbeat.close()
        committer = AtOnce(backend, name, on_failure=stop.abandon)
        returns = Returns(backend, AWS, job.max_receives)
        self._runner = BatchRunner(
            job, lambda _run: self.context, committer, Inline(1), self.heartbeat, returns
        )

    def _wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.heartbeat.report()

    def live(self, seconds: float) -> None:
        for _ in range(round(seconds / BEAT)):
            self.clock.advance(BEAT)
            self.heartbeat.report()

    def work(self) -> bool:
        """Receive what is visible; True if it needs no other delivery."""
        queue = self.fleet.queue("r")
        deliveries = queue.receive(limit=1, visibility=LEASE_TTL)
        assert deliveries, "nothing is visible"
        returned = self._runner.run(deliveries)
        for each in deliveries:
            if each.id not in returned:
                queue.delete(each.receipt)
        return not returned


class Holding:
    """A bucket whose first write tells when it begins."""

    def __init__(self, store: Any, job: StackJob) -> None:
        self._store, self._job = store, job

    def write_parts(self, job_id: str, parts: Sequence[Part]) -> list[tuple[PartPointer, ...]]:
        meanwhile, self._job.while_writing = self._job.while_writing, lambda: None
        meanwhile()
        written: list[tuple[PartPointer, ...]] = self._store.write_parts(job_id, parts)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[SmallFleet]:
    clock, ledger, store = FakeClock(), SqliteLedger(tmp_path / "ledger.sqlite3"), FileStore(tmp_path)
    made = SmallFleet(
        tmp_path, ledger=ledger, store=store, clock=clock, papers=3,
        queue_of=lambda name: SqliteQueue(tmp_path / "queue.sqlite3", name, clock, max_receives=9),
    )  # fmt: skip
    made.submit("r", batch_papers=1000)  # one
    yield made
    made.close()
    ledger.close()
    store.close()


@pytest.fixture
def asked(fleet: SmallFleet) -> Counter[str]:
    """How often each request was sent."""
    sent: Counter[str] = Counter()
    look = fleet.api._look

    def counted(run_id: str, request: Any) -> None:
        sent[request.digest] += 1
        look(run_id, request)

    fleet.api._look = counted
    return sent


@pytest.mark.parametrize("outage", [LEASE_TTL + 1, OUTAGE, 1700.0])
@pytest.mark.parametrize("late", [0.0, 5.0, 55.0])
def test_who_hears_of_the_return_first_does_not_pay_again_for_what_the_other_holds(
    fleet: SmallFleet, asked: Counter[str], outage: float, late: float
) -> None:
    holder, other = StackJob(fleet, "holder"), StackJob(fleet, "other")
    other.live(60)

    def meanwhile() -> None:
        fleet.clock.advance(outage)
        other.heartbeat.report()  # the first request that gets through
        other.live(late)
        assert not other.work(), "the holder is still stuck in the silence"
        holder.heartbeat.keep()

    holder.while_writing = meanwhile
    assert holder.work()
    assert set(asked.values()) == {1}
    assert fleet.raw.totals("r").counts["done"] == 4


def test_a_job_that_has_just_begun_knows_of_no_outage_and_gives_the_message_back(
    fleet: SmallFleet, asked: Counter[str]
) -> None:
    holder = StackJob(fleet, "holder")

    def meanwhile() -> None:
        fleet.clock.advance(OUTAGE)
        assert not StackJob(fleet, "new").work()
        holder.heartbeat.keep()

    holder.while_writing = meanwhile
    assert holder.work()
    assert set(asked.values()) == {1}


def test_a_sandbox_waits_within_its_invocation(fleet: SmallFleet, asked: Counter[str]) -> None:
    """Its next one may find another, or a process that slept."""
    holder = StackJob(fleet, "holder")

    def meanwhile() -> None:
        fleet.clock.advance(OUTAGE)
        new, waited = StackJob(fleet, "new", on_platform=True), Counter[str]()

        def wait(seconds: float) -> None:
            waited["for"] += 1
            new.live(BEAT)
            if waited["for"] == 5:
                holder.heartbeat.keep()

        new.context.job.stop.wait = wait  # the story's own time
        assert not new.work()
        assert waited["for"] > 5

    holder.while_writing = meanwhile
    assert holder.work()
    assert set(asked.values()) == {1}


def test_a_machine_that_begins_or_ends_then_frees_no_lease_of_another(
    fleet: SmallFleet, asked: Counter[str], tmp_path: Path
) -> None:
    """Heartbeats of all are as old as the outage was long."""
    holder, other = StackJob(fleet, "holder"), StackJob(fleet, "other")
    state = State(fleet.raw, fleet.queue("r"), fleet.store, fleet.clock, tmp_path, lambda: None, True)

    def meanwhile() -> None:
        fleet.clock.advance(OUTAGE)
        reap_dead_jobs(state, "r")
        other.heartbeat.report()
        assert not other.work()
        holder.heartbeat.keep()
        holder.heartbeat.report()  # closed by its age, it starts no further call

    holder.while_writing = meanwhile
    assert not holder.work()
    new = StackJob(fleet, "new")
    new.live(LEASE_TTL + BEAT)
    assert new.work()
    assert set(asked.values()) == {1}
    assert fleet.raw.totals("r").counts["done"] == 4


@pytest.mark.parametrize("on_platform", [False, True], ids=["machine", "sandbox"])
def test_a_holder_that_is_dead_is_waited_for_once(fleet: SmallFleet, on_platform: bool) -> None:
    (batch,) = fleet.raw.unfinished_batches("r")
    assert fleet.raw.lease("r", batch.batch_id, "dead", now=fleet.clock.now(), ttl=LEASE_TTL)
    fleet.clock.advance(OUTAGE)
    new = StackJob(fleet, "new", on_platform=on_platform)
    began = fleet.clock.now()
    if not on_platform:
        assert not new.work()
        new.live(75)
    assert new.work()
    assert fleet.clock.now() - began < 85
    assert fleet.raw.totals("r").counts["done"] == 4


def test_a_job_that_lived_through_quiet_minutes_waits_for_nobody(fleet: SmallFleet) -> None:
    (batch,) = fleet.raw.unfinished_batches("r")
    assert fleet.raw.lease("r", batch.batch_id, "dead", now=fleet.clock.now(), ttl=LEASE_TTL)
    other = StackJob(fleet, "other")
    other.live(LEASE_TTL + BEAT)
    assert other.work()
