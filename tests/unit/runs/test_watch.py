"""What the schedule does for runs that have no parent process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.domain.run import Control
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
    assert fleet.ledger.draw(values.RUN, "job-a", 1, 5000)
    fleet.clock.advance(DEAD_AFTER - 1)
    fleet.watch()
    assert fleet.ledger.jobs(values.RUN)[0].ended_at is None
    fleet.clock.advance(2)
    (report,) = fleet.watch()
    assert report.lost_jobs == ("job-a",)
    assert report.spend_nano_usd == 5000
