"""What becomes of a delivery when it is not the message's fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.domain.batch import QueueMessage
from handlers.domain.run import Control, ControlState
from handlers.errors import PaperfleetError
from handlers.pipeline.job_runner import Job, JobSize
from handlers.ports import Backend
from handlers.runs.submit import queue_entry
from tests.builders.bench import GOOD, Bench
from tests.builders.fakes import FakeClock
from tests.builders.values import RUN, batch, commit, entry, run_record


class Refusing(SqliteLedger):
    """A ledger that stays throttled for longer than anybody waits."""

    def lease(self, *_: object, **__: object) -> int | None:
        raise PaperfleetError("table 'fleet': dynamodb:UpdateItem failed: too fast")


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[SqliteQueue]:
    queue = SqliteQueue(tmp_path / "queue.sqlite3", RUN, FakeClock())
    queue.send([queue_entry(batch())])
    yield queue
    queue.close()


def test_a_ledger_that_refuses_puts_a_message_off_for_longer_each_time(
    tmp_path: Path, queue: SqliteQueue
) -> None:
    bench = Bench(tmp_path, GOOD)
    clock: FakeClock = queue._clock
    waits = []
    with ExitStack() as closing:
        ledger = Refusing(tmp_path / "ledger.sqlite3")
        ledger.create_run(run_record())
        ledger.add_batches([batch()])
        closing.callback(ledger.close)
        backend = Backend(ledger, queue, FileStore(tmp_path), clock)
        job = Job(replace(bench.job, backend=backend), lambda _run: bench.context, JobSize(workers=1))
        closing.callback(job.close, "finished")
        for _ in range(3):
            (message,) = queue.receive(limit=1, visibility=900)
            delivery = QueueMessage(message.id, message.receipt, message.body, message.receives)
            assert job.run([delivery], lambda: 900.0) == [message.id]
            since = clock.now()
            while not queue.counts().visible:
                clock.advance(1)
            waits.append(clock.now() - since)
    assert waits == [60, 120, 240]


class Decided(SqliteLedger):
    """What jobs hear of the run, and what was decided; a batch of finished papers that nobody can close."""

    heard = decided = Control("active", "", 0.0)

    def control(self, _run_id: str) -> Control:
        return self.decided

    def heard_control(self, _run_id: str, _listener: str) -> Control:
        return self.heard

    def lease(self, *_: object, **__: object) -> int | None:
        self.leased = True
        return 1

    def finish_batch(self, *_: object, **__: object) -> bool:
        if self.then is not None:
            self.decided = self.then
        self.meanwhile()
        return False

    leased = False
    then: Control | None = None
    """What is decided while the batch is worked on."""
    meanwhile: Callable[[], None] = lambda: None


@pytest.mark.parametrize("state", ["paused", "parked", "cancelled"])
@pytest.mark.parametrize("when", ["heard", "decided", "then"])
def test_messages_are_dropped_only_on_the_control_items_own_word(
    tmp_path: Path, queue: SqliteQueue, state: ControlState, when: str
) -> None:
    """A copy may be old: what jobs heard stops calls, and drops no message, before the work or after it."""
    bench = Bench(tmp_path, GOOD)
    with ExitStack() as closing:
        ledger = Decided(tmp_path / "decided.sqlite3")
        closing.callback(ledger.close)
        ledger.create_run(run_record())
        ledger.add_batches([batch()])
        ledger.commit([commit(*map(entry, batch().ids))])
        backend = Backend(ledger, queue, FileStore(tmp_path), bench.clock)
        context = replace(bench.context, job=replace(bench.job, backend=backend))
        job = Job(context.job, lambda _run: context, JobSize(workers=1))
        closing.callback(job.close, "finished")
        ledger.meanwhile = context.listen
        setattr(ledger, when, Control(state, "by hand", 1.0))
        context.refresh()
        context.listen()
        assert context.control.state == ("active" if when == "then" else state)
        (message,) = queue.receive(limit=1, visibility=900)
        returned = job.run([message], lambda: 900.0)
    assert ledger.leased == (when != "decided")
    assert returned == ([message.id] if when == "heard" else [])
