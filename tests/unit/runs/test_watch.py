"""What the schedule does for runs that have no parent process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.domain.run import Control, ControlState
from handlers.domain.run_report import RunReport
from handlers.ports import Backend
from handlers.runs.submit import queue_entry
from handlers.runs.watch import DEAD_AFTER, watch
from tests.builders import values
from tests.builders.fakes import FakeClock


class Fleet(Backend):
    def watch(self) -> list[RunReport]:
        return watch(self)

    def finish(self) -> None:
        for batch_id, ids in (("b1", ("p1", "p2")), ("b2", ("p3", "p4"))):
            self.ledger.commit([values.commit(*map(values.entry, ids), batch_id=batch_id)])
            self.ledger.finish_batch(values.RUN, batch_id, now=self.clock.now())


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    clock = FakeClock()
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    queue = SqliteQueue(tmp_path / "queue.sqlite3", values.RUN, clock)
    store = FileStore(tmp_path)
    ledger.add_batches([values.batch("b1", ["p1", "p2"]), values.batch("b2", ["p3", "p4"])])
    ledger.create_run(values.run_record(budget=1_000_000))
    yield Fleet(ledger, queue, store, clock)
    for adapter in (ledger, queue, store):
        adapter.close()


def test_an_open_run_is_reported_at_every_look(fleet: Fleet) -> None:
    for _ in range(2):
        (report,) = fleet.watch()
        assert report.counts["pending"] == 4
        fleet.clock.advance(300)


def test_an_ended_run_is_reported_once_more_and_again_after_a_retry(fleet: Fleet) -> None:
    fleet.finish()
    (report,) = fleet.watch()
    assert report.state == "finished"
    fleet.clock.advance(300)
    assert fleet.watch() == []
    assert fleet.ledger.reopen(values.RUN, statuses=["done"], error=None) == 4
    fleet.clock.advance(300)
    (report,) = fleet.watch()
    assert report.counts["pending"] == 4


def test_lost_batches_are_sent_again(fleet: Fleet) -> None:
    fleet.watch()
    assert fleet.queue.counts().visible == 2


def test_dead_letters_stay_dead_and_those_of_other_runs_hold_up_nothing(fleet: Fleet) -> None:
    dead = [values.batch("b1", ["p1", "p2"]), values.batch("b9", ["p9"], run_id="other")]
    fleet.queue.send(map(queue_entry, dead))
    for _ in range(5 * len(dead)):
        (message,) = fleet.queue.receive(limit=1, visibility=60)
        fleet.queue.release(message.receipt, delay=0, reason="gone")
    assert fleet.queue.receive(limit=1, visibility=60) == []
    fleet.watch()
    (sent,) = fleet.queue.receive(limit=9, visibility=60)
    assert '"b2"' in sent.body
    assert fleet.queue.counts().dead == 2


def test_nothing_is_sent_while_messages_wait_or_somebody_stopped_the_run(fleet: Fleet) -> None:
    fleet.queue.send(map(queue_entry, [values.batch("b1", ["p1", "p2"])]))
    fleet.watch()
    assert fleet.queue.counts().visible == 1
    fleet.queue.purge()
    for state in ("paused", "parked", "cancelled"):
        fleet.ledger.set_control(values.RUN, Control(state, "by hand", fleet.clock.now()))
        fleet.clock.advance(300)
        fleet.watch()
        assert fleet.queue.counts().visible == 0


def test_a_job_that_died_is_closed_and_what_it_held_is_booked(fleet: Fleet) -> None:
    fleet.ledger.start_job(values.job("job-a", started=fleet.clock.now()))
    assert fleet.ledger.draw(values.RUN, "job-a", 1, 5000) == "drawn"
    fleet.clock.advance(DEAD_AFTER - 1)
    fleet.watch()
    assert fleet.ledger.jobs(values.RUN)[0].ended_at is None
    fleet.clock.advance(2)
    (report,) = fleet.watch()
    assert report.lost_jobs == ("job-a",)
    assert report.spend_nano_usd == 5000


def test_runs_that_ended_cost_one_look_more(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.finish()
    assert [report.state for report in fleet.watch()] == ["finished"]
    assert fleet.watch() == []
    assert fleet.ledger.open_runs() == []
    monkeypatch.setattr(fleet.ledger, "control", pytest.fail)
    assert fleet.watch() == []


def test_a_run_whose_job_could_still_book_something_is_not_closed(fleet: Fleet) -> None:
    fleet.finish()
    fleet.ledger.start_job(values.job("job-a", started=fleet.clock.now()))
    for _ in range(3):
        fleet.watch()
    assert len(fleet.ledger.open_runs()) == 1
    fleet.clock.advance(DEAD_AFTER + 1)
    fleet.watch()
    assert fleet.ledger.open_runs() == []


@pytest.mark.parametrize("state", ["parked", "paused"])
def test_a_stopped_run_is_looked_at_each_hour_and_written_of_when_something_is_new(
    fleet: Fleet, state: ControlState
) -> None:
    fleet.ledger.set_control(values.RUN, Control(state, "by hand", fleet.clock.now()))
    told = []
    for _ in range(24 * 12):
        told += fleet.watch()
        fleet.clock.advance(300)
    assert [report.state for report in told] == [state]
    fleet.ledger.commit([values.commit(values.entry("p1"), calls=[values.call()])])  # a late one
    fleet.clock.advance(3600)
    assert len(fleet.watch()) == 1
    fleet.ledger.set_control(values.RUN, Control("active", "", fleet.clock.now()))
    assert len(fleet.watch()) == 1


def test_a_look_ends_in_time_and_begins_with_the_newest(fleet: Fleet) -> None:
    for number in range(1, 4):
        fleet.ledger.create_run(replace(values.run_record(f"r{number}"), created_at=float(number)))
    left = iter([300.0, 31.0, 29.0])
    assert [report.run_id for report in watch(fleet, time_left=lambda: next(left))] == ["r3", "r2"]
