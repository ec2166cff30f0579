"""How a job asks the budget: for seconds of work and all its threads at once, and for less if it is short."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import pytest

from handlers.domain.ledger import BudgetState
from handlers.domain.run import Control
from handlers.errors import BudgetSpentError, StoppedError
from handlers.pipeline.budget_lease import BudgetLease
from handlers.pipeline.calls.spending_rate import SpendingRate, seconds_ahead
from handlers.pipeline.pace import AWS
from handlers.ports import Drawn
from tests.builders.fakes import FakeClock

SOON = AWS.__class__(**{**vars(AWS), "asks_again": (0.0, 0.0)})


class Words:
    """A ledger whose draws end as the test says, then are drawn."""

    def __init__(self, *words: Drawn) -> None:
        self.words = deque(words)
        self.asked: list[int] = []
        self.returned: list[int] = []
        self.tidied = 0
        self.state, self.held = "active", 0

    def draw(self, _run: str, _job: str, _seq: int, amount: int) -> Drawn:
        self.asked.append(amount)
        return self.words.popleft() if self.words else "drawn"

    def give_back(self, _run: str, _job: str, _seq: int, amount: int) -> None:
        self.returned.append(amount)

    def tidy_budget(self, _run: str, _job: str) -> None:
        self.tidied += 1

    def control(self, _run: str) -> Any:
        return Control(self.state, "", 0.0)

    def budget_state(self, _run: str) -> BudgetState:
        return BudgetState(100, 100, 50, self.held)


def never() -> bool:
    return False


def lease(ledger: Any, clock: FakeClock | None = None) -> BudgetLease:
    return BudgetLease(ledger, "r", "a", clock or FakeClock(), pace=SOON)


def test_the_more_jobs_the_more_seconds_of_work_each_draws_for() -> None:
    assert [seconds_ahead(jobs) for jobs in (1, 100, 250, 500, 5000)] == [1, 1, 2.5, 5, 5]
    clock = FakeClock()
    rate = SpendingRate(clock.monotonic)
    for _ in range(40):
        clock.advance(1)
        rate.add(100)
    assert 95 <= rate.ahead(1) <= 125
    assert 475 <= rate.ahead(5000) <= 625
    clock.advance(60)
    assert rate.ahead(1) < 2


def test_what_is_drawn_ahead_is_kept_until_it_is_far_more_than_needed() -> None:
    ledger, clock = Words(), FakeClock()
    budget = lease(ledger, clock)
    for _ in range(30):
        clock.advance(1)
        budget.reserve(100, never)
        budget.settle(100, 40)
    assert len(ledger.asked) < 25
    assert sum(ledger.asked) < 30 * 40 + 300
    budget.trim()
    assert ledger.returned == []
    clock.advance(100)
    budget.trim()
    assert len(ledger.returned) == 1
    budget.return_unused()
    assert sum(ledger.asked) - sum(ledger.returned) == 30 * 40


def test_all_threads_that_wait_are_asked_for_at_once_then_one_call_alone() -> None:
    ledger = Words("busy", "busy")
    budget = lease(ledger)
    threads = [threading.Thread(target=budget.reserve, args=(100, never)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert max(ledger.asked) > 100
    assert sum(ledger.asked[2:]) >= 500
    ledger.asked, ledger.words = [], deque(["short"])
    with budget._changed:
        budget._wanted += 300
    budget.reserve(100, never)
    assert ledger.asked[:2] == [400, 100]


def test_where_money_is_short_nothing_is_kept_and_nothing_drawn_ahead() -> None:
    ledger, clock = Words(), FakeClock()
    budget = lease(ledger, clock)
    clock.advance(1)
    budget.reserve(500, never)
    budget.settle(500, 100)
    budget.tidy()
    assert (ledger.returned, ledger.tidied) == ([], 0)
    budget.is_said_short = True
    budget.tidy()
    assert (ledger.returned, ledger.tidied) == ([400], 1)
    budget.reserve(500, never)
    assert ledger.asked[-1] == 500


def test_spent_ends_the_wait_and_names_what_is_held_once() -> None:
    ledger = Words("spent", "spent")
    ledger.held = 30
    with pytest.raises(BudgetSpentError, match="held for calls whose cost is unknown"):
        lease(ledger).reserve(100, never)
    ledger.state = "parked"
    with pytest.raises(BudgetSpentError) as told:
        lease(ledger).reserve(100, never)
    assert "held" not in str(told.value)


@pytest.mark.parametrize("word", ["short", "closed"])
def test_who_has_calls_to_book_waits_for_no_money(word: Drawn) -> None:
    with pytest.raises(StoppedError):
        lease(Words(word)).reserve(100, never, patient=False)
    lease(Words("busy")).reserve(100, never, patient=False)
