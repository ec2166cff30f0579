"""What is held for calls of unknown cost: let go by a bill, and kept by a repair."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.salvage import Salvaged, salvage
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.audit.audit import audit, release_held
from handlers.audit.bill import Bill
from handlers.audit.repair import repair
from handlers.bootstrap.state import connect
from handlers.domain.ledger import BudgetState
from handlers.domain.money import NanoUsd
from handlers.domain.part_lines import encode
from handlers.domain.result import Part
from handlers.errors import UsageError
from handlers.ports import Backend
from handlers.settings import Settings
from tests.builders import values
from tests.builders.values import RUN


@pytest.fixture
def worked(tmp_path: Path) -> Iterator[Backend]:
    """Booked: 100, and 200 of two calls of unknown cost with 700 held; a budget of 1,500."""
    state = connect(Settings(state=tmp_path, run_id=RUN), RUN)
    state.ledger.create_run(values.run_record(papers=0, budget=1500))
    calls = (
        values.call("known", cost=100),
        values.call("cut", cost=150, held=300, indeterminate=True, usage=None),
        values.call("lost", cost=50, held=400, indeterminate=True, usage=None),
    )
    line = values.part_line("p1", "pending", calls=calls)
    state.store.write_parts("job-a", [Part(RUN, "b1/1-job-a-1", (encode(line),))])
    state.ledger.start_job(values.job("job-a"))
    assert state.ledger.draw(RUN, "job-a", 1, NanoUsd(1000)) == "drawn"
    state.ledger.commit([values.commit(calls=calls)])
    state.ledger.end_job(RUN, "job-a", at=2.0, outcome="finished", stats=None)
    yield state
    state.close()


def billed(cost: int | None) -> Bill:
    return Bill(
        rows=1,
        cost=None if cost is None else NanoUsd(cost),
        calls=None,
        prompt_tokens=None,
        completion_tokens=None,
    )


@pytest.mark.parametrize("cost", [100, 300, 301, 999, 1000])
def test_a_bill_within_what_is_booked_and_held_agrees(worked: Backend, cost: int) -> None:
    assert not [each for each in audit(worked, RUN, billed(cost)).differences if each.kind == "bill"]


@pytest.mark.parametrize(("cost", "off"), [(99, "0.000000001 under"), (1001, "0.000000001 over")])
def test_a_bill_beyond_it_differs_and_nothing_is_let_go(worked: Backend, cost: int, off: str) -> None:
    result = audit(worked, RUN, billed(cost))
    assert [off in each.detail for each in result.differences if each.kind == "bill"] == [True]
    with pytest.raises(UsageError, match="nothing is let go"):
        release_held(worked.ledger, result, billed(cost))
    assert worked.ledger.budget_state(RUN) == BudgetState(1500, 1000, 300, 700)


@pytest.mark.parametrize(("cost", "kept"), [(100, 0), (300, 0), (450, 150), (1000, 700)])
def test_all_is_let_go_but_what_was_billed_beyond_what_is_booked(
    worked: Backend, cost: int, kept: int
) -> None:
    for released in (700 - kept, 0):
        result = release_held(worked.ledger, audit(worked, RUN, billed(cost)), billed(cost))
        assert result.released_usd == released / 1e9
        assert result.held_usd == kept / 1e9
        assert worked.ledger.budget_state(RUN) == BudgetState(1500, 300 + kept, 300, kept)


def test_without_a_bill_all_is_let_go_and_a_bill_without_money_lets_nothing_go(worked: Backend) -> None:
    result = audit(worked, RUN, billed(None))
    with pytest.raises(UsageError, match="no column for the cost"):
        release_held(worked.ledger, result, billed(None))
    assert release_held(worked.ledger, result, None).released_usd == 700 / 1e9


def test_what_a_dead_job_lost_covers_nothing_of_a_bill(worked: Backend) -> None:
    """Should it be alive, it takes it back; then the bill would be beyond what is taken."""
    ledger = worked.ledger
    ledger.start_job(values.job("job-b"))
    assert ledger.draw(RUN, "job-b", 1, NanoUsd(500)) == "drawn"
    ledger.end_job(RUN, "job-b", at=2.0, outcome="killed", stats=None)
    release_held(ledger, audit(worked, RUN, billed(700)), billed(700))
    ledger.give_back(RUN, "job-b", 2, NanoUsd(500))
    assert ledger.budget_state(RUN) == BudgetState(1500, 700, 300, 400)


@pytest.mark.parametrize("keep", [700, 150, 0])
@pytest.mark.parametrize("lines", ["there", "gone"])
def test_a_repair_keeps_what_is_held_and_what_was_let_go(
    worked: Backend, keep: int, lines: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked.ledger.release_held(RUN, keep=NanoUsd(keep))
    old = salvage(tmp_path / "ledger.sqlite3", RUN)
    assert repaired(worked, old, lines, tmp_path, monkeypatch) == BudgetState(1500, 300 + keep, 300, keep)


def test_a_repair_without_the_old_ledger_holds_it_all(
    worked: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = repaired(worked, Salvaged(), "there", tmp_path, monkeypatch)
    assert state == BudgetState(1500, 1000, 300, 700)


def test_a_ledger_that_knew_of_no_holds_is_salvaged(worked: Backend, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as db:
        db.execute("ALTER TABLE part DROP COLUMN released")
    assert salvage(tmp_path / "ledger.sqlite3", RUN) == Salvaged(NanoUsd(300), NanoUsd(1500))


def repaired(
    worked: Backend, old: Salvaged, lines: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> BudgetState:
    monkeypatch.setattr("handlers.audit.repair.cut_batches", lambda *_: [])
    store = worked.store if lines == "there" else FileStore(folder / "empty")
    ledger = SqliteLedger(folder / "fresh.sqlite3")
    record = values.run_record(papers=0, budget=1500)
    repair(record, old, ledger=ledger, store=store, clock=worked.clock)
    try:
        return ledger.budget_state(RUN)
    finally:
        ledger.close()
