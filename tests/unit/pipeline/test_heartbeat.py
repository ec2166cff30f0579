"""The heartbeat's threads: whatever holds one up, the others go on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.domain.job import JobStats
from handlers.domain.run import Control, ControlState
from handlers.errors import UnavailableError
from handlers.pipeline.heartbeat import LEASE_TTL, BatchLease, Heartbeat
from handlers.pipeline.job_meter import JobMeter
from handlers.ports import Backend, BatchQueue, Clock, Ledger
from tests.builders.bench import GOOD, Bench
from tests.builders.command import until
from tests.builders.fakes import FakeClock, SetClock
from tests.builders.values import RUN, batch, job


class Slow(SqliteLedger):
    """A ledger that is throttled: what a report reads takes until the test says so. It tells when a lease was
    extended."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.may_go = threading.Event()
        self.asked = threading.Event()
        self.extended_at = 0.0

    def extend_lease(self, run_id: str, batch_id: str, epoch: int, *, now: float, ttl: float) -> bool:
        done = super().extend_lease(run_id, batch_id, epoch, now=now, ttl=ttl)
        self.extended_at = now
        return done

    def live_jobs(self, run_id: str, job_id: str | None, *, since: float) -> list[JobStats]:
        self.asked.set()
        self.may_go.wait()
        return super().live_jobs(run_id, job_id, since=since)


class Telling(SqliteQueue):
    """A queue that tells when a message's visibility was extended."""

    def __init__(self, path: Path, clock: FakeClock) -> None:
        super().__init__(path, RUN, clock)
        self.now = clock.now
        self.extended_at = 0.0

    def extend(self, receipt: str, seconds: float) -> bool:
        now = self.now()
        done = super().extend(receipt, seconds)
        self.extended_at = now
        return done


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Slow]:
    ledger = Slow(tmp_path / "ledger.sqlite3")
    yield ledger
    ledger.may_go.set()
    ledger.close()


def test_a_pause_is_heard_while_the_report_is_held_up(tmp_path: Path, ledger: Slow) -> None:
    bench = Bench(tmp_path, GOOD)
    queue = SqliteQueue(tmp_path / "q", RUN, bench.clock)
    heartbeat = Heartbeat(backend(ledger, queue, bench.clock), lambda: [bench.context])
    try:
        until(ledger.asked.is_set)
        _set(ledger, "paused")
        until(bench.context.give_up)
        assert not ledger.may_go.is_set(), "the report is held up still"
    finally:
        ledger.may_go.set()
        heartbeat.close()
    queue.close()


def test_leases_and_visibility_are_extended_while_the_report_is_held_up(tmp_path: Path, ledger: Slow) -> None:
    bench = Bench(tmp_path, GOOD)
    clock = bench.clock
    ledger.add_batches([batch("b1")])
    queue = Telling(tmp_path / "q", clock)
    queue.send([("b1", "body")])
    (message,) = queue.receive(limit=1, visibility=900)
    epoch = ledger.lease(RUN, "b1", "j", now=clock.now(), ttl=LEASE_TTL)
    assert epoch is not None
    heartbeat = Heartbeat(backend(ledger, queue, clock), lambda: [bench.context])
    try:
        with heartbeat.extending(BatchLease(RUN, "b1", epoch, message.receipt)):
            until(ledger.asked.is_set)
            clock.advance(LEASE_TTL - 1)
            until(lambda: min(queue.extended_at, ledger.extended_at) >= clock.now())
            clock.advance(LEASE_TTL - 1)
            assert ledger.lease(RUN, "b1", "k", now=clock.now(), ttl=LEASE_TTL) is None
            assert queue.receive(limit=1, visibility=900) == []
    finally:
        ledger.may_go.set()
        heartbeat.close()
    queue.close()


class Unseen(SqliteLedger):
    """A ledger that tells nobody of the others, and counts beats."""

    beats, looks = 0, 0

    def live_jobs(self, run_id: str, job_id: str | None, *, since: float) -> list[JobStats]:
        self.looks += 1
        if self.looks > 1:
            raise UnavailableError("throttled")
        return super().live_jobs(run_id, job_id, since=since)

    def beat(self, run_id: str, job_id: str, *, at: float, stats: JobStats) -> bool:
        self.beats += 1
        return super().beat(run_id, job_id, at=at, stats=stats)


def test_a_look_that_is_refused_costs_no_beat_and_holds_what_was_seen_for_a_while(tmp_path: Path) -> None:
    bench = Bench(tmp_path, GOOD)
    ledger, clock, context = Unseen(tmp_path / "ledger.sqlite3"), bench.clock, bench.context
    for name in ("a", "b"):
        ledger.start_job(job(name, heartbeat_at=clock.now()))
    heartbeat = Heartbeat(backend(ledger, SqliteQueue(tmp_path / "q", RUN, clock), clock), list)
    heartbeat.close()
    heartbeat._look_all([context])
    for _ in range(3):
        clock.advance(9)
        heartbeat._report_all([context])
        assert len(heartbeat._look(context, clock.now())) == 2
    clock.advance(9)
    with pytest.raises(UnavailableError):
        heartbeat._look_all([context])
    heartbeat._report_all([context])
    assert ledger.beats == 4
    ledger.close()


class Away(SqliteLedger):
    """A ledger that is away for whoever would extend a lease."""

    def extend_lease(self, *_: object, **__: object) -> bool:
        raise UnavailableError("away")


def test_messages_stay_hidden_while_the_ledger_is_away(tmp_path: Path) -> None:
    """The queue is there: to others they would only go to fail, too."""
    ledger, clock = Away(tmp_path / "ledger.sqlite3"), FakeClock()
    queue = SqliteQueue(tmp_path / "q", RUN, clock)
    queue.send([("b1", "one"), ("b2", "two")])
    first, second = queue.receive(limit=2, visibility=LEASE_TTL)
    heartbeat = Heartbeat(backend(ledger, queue, clock), list)
    heartbeat.close()
    with (
        heartbeat.extending(BatchLease(RUN, "b1", 1, first.receipt)),
        heartbeat.extending(BatchLease(RUN, "b2", 1, second.receipt)),
    ):
        for _ in range(3):
            clock.advance(LEASE_TTL - 1)
            with pytest.raises(UnavailableError):
                heartbeat.keep()  # in a thread of its own, which may wait for the ledger for minutes
            heartbeat.hide()
        assert queue.receive(limit=2, visibility=900) == []
    queue.close()
    ledger.close()


@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
def test_leases_are_made_good_at_once_when_the_clock_jumps(tmp_path: Path, ahead: float) -> None:
    clock = SetClock()
    ledger, queue = Slow(tmp_path / "ledger.sqlite3"), Telling(tmp_path / "q", clock)
    ledger.add_batches([batch("b1")])
    queue.send([("b1", "body")])
    (message,) = queue.receive(limit=1, visibility=LEASE_TTL)
    epoch = ledger.lease(RUN, "b1", "j", now=clock.now(), ttl=LEASE_TTL)
    assert epoch is not None
    heartbeat = Heartbeat(backend(ledger, queue, clock), list)
    try:
        with heartbeat.extending(BatchLease(RUN, "b1", epoch, message.receipt)):
            clock.ahead = ahead
            until(
                lambda: all(
                    abs(each - clock.now()) < LEASE_TTL for each in (queue.extended_at, ledger.extended_at)
                )
            )
            assert ledger.lease(RUN, "b1", "k", now=clock.now(), ttl=LEASE_TTL) is None
            assert queue.receive(limit=1, visibility=LEASE_TTL) == []
    finally:
        heartbeat.close()
    queue.close()
    ledger.close()


@pytest.mark.parametrize("runs", [1, 3])
def test_a_job_hears_at_its_heartbeat_that_others_were_refused(tmp_path: Path, runs: int) -> None:
    """Through the ledger, with what each heartbeat writes and reads anyway; once, however many runs it is
    that the jobs share."""
    bench = Bench(tmp_path, GOOD)
    ledger, clock, context = bench.ledger, bench.clock, bench.context
    other = JobMeter().snapshot(context.job.limiter)
    ledger.start_job(job("other", heartbeat_at=clock.now()))
    ledger.beat(RUN, "j", at=clock.now(), stats=context.stats())
    queue = SqliteQueue(tmp_path / "q", RUN, clock)
    heartbeat = Heartbeat(backend(ledger, queue, clock), list)
    limit = context.job.limiter._admission.limit
    contexts = [context, *(replace(context) for _ in range(1, runs))]
    try:
        for second in range(1, 5):
            clock.advance(1.0)
            with context.job.limiter.slot(1, lambda: False) as slot:
                slot.succeeded()
            words = replace(other, job="other", answered=9 * second, throttled=second // 3, ceiling=4)
            ledger.beat(RUN, "other", at=clock.now(), stats=words)
            heartbeat._look_all(contexts)
            heartbeat._report_all(contexts)
            assert limit._calm == (10 if second in (2, 4) else 0), second
    finally:
        heartbeat.close()
    assert (context.stats().job, context.stats().answered, context.stats().ceiling) == ("j", 4, 4)
    queue.close()


def backend(ledger: Ledger, queue: BatchQueue, clock: Clock) -> Backend:
    """A heartbeat needs no store."""
    return Backend(ledger, queue, FileStore(Path("nowhere")), clock)


def _set(ledger: SqliteLedger, state: ControlState) -> None:
    ledger.set_control(RUN, Control(state, "by hand", 1.0))


def test_what_a_job_heard_of_before_does_not_undo_what_it_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy may be older than the job's own word; the item itself has the last one."""
    bench = Bench(tmp_path, GOOD)
    context, clock = bench.context, bench.clock
    context.refresh()
    monkeypatch.setattr(bench.ledger, "heard_control", lambda *_: Control("active", "", 0.0))
    clock.advance(1)
    context.park("no credit")
    context.listen()
    assert context.control.state == "parked"
    bench.ledger.set_control(RUN, Control("active", "", 1.0))
    clock.advance(30)
    resumed: list[bool] = []
    context.on_resumed = lambda: resumed.append(True)
    context.listen()
    assert (context.control.state, resumed) == ("active", [True])
