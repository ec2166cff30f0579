"""``Ledger``: what is held for calls whose cost nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from handlers.domain.call import CallTotals
from handlers.domain.ledger import BudgetState
from handlers.domain.money import NanoUsd
from handlers.ports import Ledger
from tests.builders import values
from tests.builders.fakes import FakeClock
from tests.builders.local_aws import LocalAws, name_of
from tests.builders.values import RUN, call, commit


@pytest.fixture
def budgeted(ledger: Ledger) -> Ledger:
    """A budget of 1,000 nano-USD and a job that draws from it."""
    ledger.set_budget(RUN, NanoUsd(1000))
    ledger.start_job(values.job("job-a"))
    return ledger


def unknown(cost: int, held: int, name: str = "a") -> Any:
    return call(name, cost=cost, held=held, indeterminate=True, usage=None)


def test_what_is_held_stays_drawn_and_is_no_loss_of_its_job(budgeted: Ledger) -> None:
    budgeted.draw(RUN, "job-a", 1, 700)
    budgeted.commit([commit(calls=[unknown(100, 300), call("b", cost=50)])])
    budgeted.give_back(RUN, "job-a", 2, 250)
    assert budgeted.end_job(RUN, "job-a", at=9, outcome="finished", stats=None) == 0
    assert budgeted.budget_state(RUN) == BudgetState(1000, 450, 150, 300)
    calls = budgeted.totals(RUN).calls
    assert (calls.cost, calls.indeterminate, calls.held, calls.sent) == (150, 100, 300, 2)
    budgeted.start_job(values.job("job-b"))
    assert budgeted.draw(RUN, "job-b", 1, 551) != "drawn"
    assert budgeted.draw(RUN, "job-b", 2, 550) == "drawn"


def test_a_dead_job_loses_neither_what_it_booked_nor_what_is_held_for_it(budgeted: Ledger) -> None:
    budgeted.draw(RUN, "job-a", 1, 500)
    budgeted.commit([commit(calls=[unknown(100, 300)])])
    assert budgeted.end_job(RUN, "job-a", at=9, outcome="killed", stats=None) == 100
    assert budgeted.budget_state(RUN) == BudgetState(1000, 500, 200, 300)
    assert [each.lost for each in budgeted.jobs(RUN)] == [100]


def test_a_late_part_takes_its_hold_from_what_was_booked_as_lost(budgeted: Ledger) -> None:
    budgeted.draw(RUN, "job-a", 1, 500)
    budgeted.end_job(RUN, "job-a", at=9, outcome="killed", stats=None)
    budgeted.commit([commit(calls=[unknown(100, 300)])])
    assert budgeted.budget_state(RUN) == BudgetState(1000, 500, 200, 300)
    budgeted.commit([commit(part="2", calls=[unknown(50, 100, "b")])])  # 50 more than it had drawn
    assert budgeted.budget_state(RUN) == BudgetState(1000, 550, 150, 400)


def test_what_is_let_go_can_be_drawn_again_and_is_let_go_once(
    budgeted: Ledger, open_ledger: Callable[[], Ledger]
) -> None:
    budgeted.draw(RUN, "job-a", 1, 900)
    parts = [commit(part=str(n), calls=[unknown(100, 200, str(n))]) for n in range(3)]
    budgeted.commit(parts)
    budgeted.end_job(RUN, "job-a", at=9, outcome="finished", stats=None)
    assert budgeted.release_held(RUN, keep=NanoUsd(250)) == 350
    assert budgeted.release_held(RUN, keep=NanoUsd(250)) == 0
    other = open_ledger()
    assert other.budget_state(RUN) == BudgetState(1000, 550, 300, 250)
    assert other.totals(RUN).calls.held == 250
    budgeted.commit(parts)  # heard before
    budgeted.end_job(RUN, "job-a", at=10, outcome="killed", stats=None)
    assert other.budget_state(RUN).drawn == 550
    other.start_job(values.job("job-b"))
    assert other.draw(RUN, "job-b", 1, 451) != "drawn"
    assert other.draw(RUN, "job-b", 2, 450) == "drawn"
    assert budgeted.release_held(RUN) == 250
    assert budgeted.release_held(RUN) == 0
    assert budgeted.budget_state(RUN) == BudgetState(1000, 750, 300, 0)


def test_what_is_held_after_something_was_let_go_is_held(budgeted: Ledger) -> None:
    budgeted.draw(RUN, "job-a", 1, 600)
    budgeted.commit([commit(calls=[unknown(100, 200)])])
    assert budgeted.release_held(RUN) == 200
    budgeted.commit([commit(part="2", calls=[unknown(100, 150, "b")])])
    assert budgeted.budget_state(RUN) == BudgetState(1000, 400, 200, 150)
    budgeted.give_back(RUN, "job-a", 2, 50)
    assert budgeted.end_job(RUN, "job-a", at=9, outcome="finished", stats=None) == 0
    assert budgeted.budget_state(RUN) == BudgetState(1000, 350, 200, 150)


def test_nothing_is_held_nothing_is_let_go(budgeted: Ledger) -> None:
    assert budgeted.release_held(RUN) == 0
    assert budgeted.budget_state(RUN) == BudgetState(1000, 0, 0, 0)


def test_releases_that_know_of_no_holds_read_the_items(aws: LocalAws, tmp_path: Path) -> None:
    """And book them as lost once the job is closed: never less than is taken."""
    client, table = aws.client("dynamodb"), aws.table(name_of(tmp_path))
    ledger = DynamoDbLedger(client, table, FakeClock())
    ledger.create_run(values.run_record())
    ledger.start_job(values.job("job-a"))
    ledger.commit([commit(calls=[unknown(100, 300)])])
    sums = [item for item in client.scan(TableName=table)["Items"] if "calls" in item]
    assert len(sums) == 2
    for item in sums:
        assert CallTotals.model_validate_json(item["calls"]["S"]) == CallTotals(
            sent=1, ok=1, cost=NanoUsd(100), indeterminate=NanoUsd(100), latency={142: 1}
        )
        assert item["open"] == {"N": "300"}
