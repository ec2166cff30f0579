"""The budget: reserved before, settled after, never passed and not given up early."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

import pytest

from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.call import CallTotals
from handlers.domain.job import JobRecord, JobStats
from handlers.domain.ledger import Commit
from handlers.domain.run import RunRecord
from handlers.errors import BudgetSpentError, StoppedError
from handlers.pipeline.budget_lease import BudgetLease
from handlers.ports import Drawn
from tests.builders.fakes import FakeClock
from tests.builders.values import spec as run_spec


def ledger_with(tmp_path: Path, budget: int | None, *jobs: str) -> SqliteLedger:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    ledger.create_run(RunRecord("r", run_spec(), 10, 0, 0.0, budget))
    for job in jobs:
        ledger.start_job(JobRecord(job, "r", "s", "host:1:1", 1, 0.0, 0.0, None, "", JobStats()))
    return ledger


def book(ledger: SqliteLedger, job: str, cost: int, part: str) -> None:
    ledger.commit([Commit("r", "b", part, job, (), CallTotals(sent=1, ok=1, cost=cost), 0.0)])


def never() -> bool:
    return False


def test_a_reservation_is_drawn_from_the_budget_and_the_rest_given_back(tmp_path: Path) -> None:
    ledger = ledger_with(tmp_path, 1000, "a")
    budget = BudgetLease(ledger, "r", "a", FakeClock())
    budget.reserve(100, never)
    budget.settle(100, 30)
    book(ledger, "a", 30, "p1")
    budget.return_unused()
    state = ledger.budget_state("r")
    assert (state.drawn, state.spend) == (30, 30)


def test_the_budget_is_spent_only_when_nothing_is_outstanding(tmp_path: Path) -> None:
    ledger = ledger_with(tmp_path, 100, "a")
    budget = BudgetLease(ledger, "r", "a", FakeClock())
    budget.reserve(80, never)
    waiting = threading.Thread(target=budget.reserve, args=(80, never), daemon=True)
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive(), "80 of 100 are outstanding: they may come back"
    budget.settle(80, 10)
    book(ledger, "a", 10, "p1")
    waiting.join(60)
    assert not waiting.is_alive()
    budget.settle(80, 80)
    book(ledger, "a", 80, "p2")
    with pytest.raises(BudgetSpentError):
        budget.reserve(80, never)


def test_a_waiting_reservation_gives_up_when_the_job_drains(tmp_path: Path) -> None:
    ledger = ledger_with(tmp_path, 100, "a")
    budget = BudgetLease(ledger, "r", "a", FakeClock())
    budget.reserve(100, never)
    with pytest.raises(StoppedError):
        budget.reserve(50, lambda: True)


def test_money_that_another_job_holds_is_waited_for(tmp_path: Path) -> None:
    ledger = ledger_with(tmp_path, 100, "a", "b")
    first, second = BudgetLease(ledger, "r", "a", FakeClock()), BudgetLease(ledger, "r", "b", FakeClock())
    first.reserve(90, never)
    waiting = threading.Thread(target=second.reserve, args=(50, never), daemon=True)
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    first.settle(90, 0)
    first.return_unused()
    waiting.join(60)
    assert not waiting.is_alive()


def test_many_threads_and_jobs_never_hold_more_than_the_budget(tmp_path: Path) -> None:
    ledger = ledger_with(tmp_path, 500, "a", "b")
    budgets = {
        "a": BudgetLease(ledger, "r", "a", FakeClock()),
        "b": BudgetLease(ledger, "r", "b", FakeClock()),
    }
    spent: list[int] = []

    def worker(job: str, number: int) -> None:
        for turn in range(50):
            try:
                budgets[job].reserve(20, never)
            except BudgetSpentError:
                return
            assert ledger.budget_state("r").drawn <= 500
            budgets[job].settle(20, 7)
            spent.append(7)
            book(ledger, job, 7, f"{job}-{number}-{turn}")

    threads = [threading.Thread(target=worker, args=(job, number)) for job in "ab" for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert 500 - 20 < sum(spent) <= 500


def test_whoever_has_calls_to_book_does_not_wait_for_money(tmp_path: Path) -> None:
    """Else the others would wait for what it has spent and not booked."""
    ledger = ledger_with(tmp_path, 100, "a")
    budget = BudgetLease(ledger, "r", "a", FakeClock())
    budget.reserve(90, never)
    with pytest.raises(StoppedError):
        budget.reserve(50, never, patient=False)
    budget.settle(90, 60)
    with pytest.raises(StoppedError):
        budget.reserve(50, never, patient=False)
    book(ledger, "a", 60, "p1")
    with pytest.raises(BudgetSpentError):
        budget.reserve(50, never)


def test_whoever_has_calls_to_book_is_let_go_beside_others_that_wait(tmp_path: Path) -> None:
    """The one that asks the ledger asks again and again: the rest must not wait for a turn to ask."""
    ledger = ledger_with(tmp_path, 100, "a")
    budget = BudgetLease(ledger, "r", "a", FakeClock())
    budget.reserve(90, never)
    refused: list[StoppedError] = []

    def impatient() -> None:
        try:
            budget.reserve(50, never, patient=False)
        except StoppedError as error:
            refused.append(error)

    over = threading.Event()
    patient = [threading.Thread(target=_reserve_until, args=(budget, over), daemon=True) for _ in range(3)]
    for thread in patient:
        thread.start()
    patient[0].join(0.3)
    threads = [threading.Thread(target=impatient, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    over.set()
    for thread in patient:
        thread.join(60)
    assert len(refused) == 3


def _reserve_until(budget: BudgetLease, over: threading.Event) -> None:
    with suppress(StoppedError):
        budget.reserve(50, over.is_set)


class Deaf(SqliteLedger):
    """Does what it is told and loses its answers."""

    deaf = True

    def draw(self, run_id: str, job_id: str, seq: int, amount: int) -> Drawn:
        drawn = super().draw(run_id, job_id, seq, amount)
        if self.deaf and job_id == "deaf":
            raise TimeoutError("no answer")
        return drawn

    def give_back(self, run_id: str, job_id: str, seq: int, amount: int) -> None:
        super().give_back(run_id, job_id, seq, amount)
        if self.deaf:
            raise TimeoutError("no answer")


def test_a_return_whose_answer_was_lost_is_neither_spent_nor_made_twice(tmp_path: Path) -> None:
    ledger_with(tmp_path, 100, "a", "b").close()
    ledger = Deaf(tmp_path / "ledger.sqlite3")
    first, second = BudgetLease(ledger, "r", "a", FakeClock()), BudgetLease(ledger, "r", "b", FakeClock())
    second.reserve(40, never)
    first.reserve(50, never)
    first.settle(50, 0)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            first.return_unused()
        assert ledger.budget_state("r").drawn == 40
    ledger.deaf = False
    first.reserve(50, never)
    assert ledger.budget_state("r").drawn == 90


def test_a_draw_whose_answer_was_lost_is_not_waited_for(tmp_path: Path) -> None:
    """Nobody would ever return what the job does not know that it holds."""
    ledger_with(tmp_path, 100, "deaf").close()
    ledger = Deaf(tmp_path / "ledger.sqlite3")
    budget = BudgetLease(ledger, "r", "deaf", FakeClock())
    for _ in range(2):
        with pytest.raises(TimeoutError):
            budget.reserve(60, never)
        assert ledger.budget_state("r").drawn == 60
    with pytest.raises(TimeoutError):
        budget.return_unused()
    ledger.deaf = False
    patience = iter([False] * 5)
    budget.reserve(60, lambda: next(patience, True))
    budget.settle(60, 0)
    budget.return_unused()
    assert ledger.budget_state("r").drawn == 0


def test_what_was_drawn_comes_back_though_the_last_draw_was_never_answered(tmp_path: Path) -> None:
    ledger_with(tmp_path, 100, "deaf").close()
    ledger = Deaf(tmp_path / "ledger.sqlite3")
    ledger.deaf = False
    budget = BudgetLease(ledger, "r", "deaf", FakeClock())
    budget.reserve(30, never)
    ledger.deaf = True
    with pytest.raises(TimeoutError):
        budget.reserve(60, never)
    ledger.deaf = False
    budget.settle(30, 0)
    budget.return_unused()
    assert ledger.budget_state("r").drawn == 0
