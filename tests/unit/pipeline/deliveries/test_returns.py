"""How a message goes back: whose fault it was, and after how long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.batch import QueueMessage
from handlers.domain.ledger import Attempt
from handlers.errors import BadMessageError, CorpusChangedError, UnavailableError, UnknownRunError
from handlers.pipeline.deliveries.returns import Returns
from handlers.pipeline.pace import AWS
from tests.builders.fakes import FakeClock
from tests.builders.values import RUN, backend, batch, commit, entry, run_record

MESSAGE = batch()
MOST = 5


class Queue:
    """Notes what is done with messages."""

    def __init__(self) -> None:
        self.released: list[tuple[float, bool]] = []
        self.buried: list[str] = []

    def release(self, receipt: str, *, delay: float, blame: bool = True, **_: Any) -> None:
        self.released.append((delay, blame))

    def bury(self, message: QueueMessage, reason: str) -> None:
        self.buried.append(reason)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.clock, self.queue = FakeClock(start=0), Queue()
        self.ledger = SqliteLedger(folder / "ledger.sqlite3")
        self.ledger.add_batches([MESSAGE])
        self.ledger.create_run(run_record(papers=2))
        parts = {"ledger": self.ledger, "queue": self.queue, "clock": self.clock}
        self.returns = Returns(backend(**parts), AWS, MOST)

    def lease(self, message: str = "1/m1") -> int | None:
        attempt = Attempt(message, MOST)
        return self.ledger.lease(RUN, "b1", "job", now=self.clock.now(), ttl=120, attempt=attempt)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.ledger.close()


def delivered(receives: int = 1, name: str = "m1") -> QueueMessage:
    return QueueMessage(name, "receipt", MESSAGE.model_dump_json(), receives)


def test_an_outage_is_asked_after_for_longer_each_time_and_blames_nobody(bench: Bench) -> None:
    for receives in (1, 2, 3, 6, 999):
        assert not bench.returns.unavailable(delivered(receives), UnavailableError("away"))
    assert bench.queue.released == [(60, False), (120, False), (240, False), (900, False), (900, False)]
    assert bench.queue.buried == []


@pytest.mark.parametrize("error", [BadMessageError("no batch"), UnknownRunError("no run")])
def test_what_never_comes_to_a_lease_is_given_up_by_its_receives(bench: Bench, error: Exception) -> None:
    for receives in range(1, MOST):
        assert not bench.returns.blamed(delivered(receives), error, leased=False)
    assert all(blame for _, blame in bench.queue.released)
    assert bench.returns.blamed(delivered(MOST), error, leased=False)
    assert bench.queue.buried == [f"{type(error).__name__}: {error}"]


def test_what_was_leased_is_given_up_by_its_attempts(bench: Bench) -> None:
    assert not bench.returns.blamed(delivered(99), CorpusChangedError("gone"), leased=True)
    assert bench.queue.buried == []
    for _ in range(MOST):
        bench.lease()
        bench.clock.advance(200)
    assert bench.returns.refused(MESSAGE, delivered(99))
    assert bench.queue.buried == [""], "the reason that was kept stands"


def test_a_finished_batch_needs_no_message(bench: Bench) -> None:
    bench.ledger.commit([commit(entry("p1"), entry("p2"))])
    assert bench.returns.refused(MESSAGE, delivered())
    assert (bench.queue.released, bench.queue.buried) == ([], [])


def test_a_second_message_of_a_batch_at_work_is_dropped_and_the_same_one_waits_for_its_lease(
    bench: Bench,
) -> None:
    bench.lease("1/m1")
    assert bench.returns.refused(MESSAGE, delivered(name="m2"))
    assert not bench.returns.refused(MESSAGE, delivered(name="m1"))
    ((delay, blame),) = bench.queue.released
    assert 120 <= delay <= 130
    assert not blame


def test_a_retrys_message_is_no_double_of_the_one_before(bench: Bench) -> None:
    bench.lease("1/m1")
    later = MESSAGE.model_copy(update={"generation": 2})
    assert not bench.returns.refused(later, delivered(name="m2"))


def test_a_lease_that_an_earlier_release_took_names_no_message(bench: Bench) -> None:
    bench.lease("")
    assert not bench.returns.refused(MESSAGE, delivered(name="m2"))


def test_a_batch_that_nobody_cut_is_a_bad_message(bench: Bench) -> None:
    assert not bench.returns.refused(batch("b9"), delivered())
    assert bench.returns.refused(batch("b9"), delivered(MOST))
    assert "no batch b9" in bench.queue.buried[0]


def test_who_is_short_of_money_comes_back_later_each_time(bench: Bench) -> None:
    for _ in range(9):
        epoch = bench.lease()
        assert epoch
        bench.ledger.end_lease(RUN, "b1", epoch, pardon=True)
        bench.returns.unfinished(MESSAGE, delivered(), "short", pardoned=True, short=True)
    assert [delay for delay, _ in bench.queue.released] == [10, 20, 40, 80, 160, 320, 640, 900, 900]
    bench.returns.unfinished(MESSAGE, delivered(), "deadline", pardoned=True, short=False)
    assert bench.queue.released[-1] == (0, False)
    bench.returns.unfinished(MESSAGE, delivered(), "deadline", pardoned=False, short=False)
    assert bench.queue.released[-1] == (AWS.first_return, True)
