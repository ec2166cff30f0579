"""States that were repaired, merged, or both: nothing is booked twice, and nothing is forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.merge_ledger import merge_ledger
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.bootstrap.state import connect
from handlers.cli.repair_commands import repair_state
from handlers.domain.call import CallTotals
from handlers.domain.ledger import REPAIR_PART, REPAIRER, Commit
from handlers.errors import UsageError
from handlers.local.merge import merge_state
from handlers.local.preflight import refuse_damaged, refuse_forgotten
from handlers.runs.run_record import stored_record
from handlers.settings import Settings
from tests.builders import values
from tests.builders.values import RUN


def worked(state: Path, job: str, cost: int, *, part: str = "b1/1-job-a-1", at: float = 1.0) -> None:
    """A state in which one job has paid for one call."""
    ledger = SqliteLedger(state / "ledger.sqlite3")
    ledger.create_run(values.run_record(papers=2))
    ledger.start_job(values.job(job))
    assert ledger.draw(RUN, job, 1, cost) == "drawn"
    ledger.commit([Commit(RUN, "b1", part, job, (), CallTotals(sent=1, ok=1, cost=cost), at)])
    ledger.end_job(RUN, job, at=2.0, outcome="finished", stats=None)
    ledger.close()


def repaired(state: Path, cost: int, *, at: float) -> None:
    """A state whose ledger was made again, at that time, of calls that had cost so much."""
    worked(state, REPAIRER, cost, part=REPAIR_PART, at=at)


def unite(into: Path, source: Path) -> int:
    """The spend of both, in nano-USD."""
    into.mkdir(exist_ok=True)
    merge_ledger(into / "ledger.sqlite3", source / "ledger.sqlite3", RUN, size=lambda _: 0)
    ledger = SqliteLedger(into / "ledger.sqlite3")
    try:
        state = ledger.budget_state(RUN)
        assert state.drawn == state.spend
        return state.spend
    finally:
        ledger.close()


@pytest.mark.parametrize(("into", "source"), [("repaired", "job"), ("job", "repaired")])
def test_a_repaired_ledger_is_not_added_to_the_calls_that_it_was_made_of(
    tmp_path: Path, into: str, source: str
) -> None:
    worked(tmp_path / "job", "job-a", 100)
    repaired(tmp_path / "repaired", 100, at=5.0)
    with pytest.raises(UsageError, match="was repaired"):
        unite(tmp_path / into, tmp_path / source)


def test_two_repaired_ledgers_do_not_pass_for_one(tmp_path: Path) -> None:
    repaired(tmp_path / "one", 100, at=5.0)
    repaired(tmp_path / "two", 70, at=6.0)
    with pytest.raises(UsageError, match="was repaired"):
        unite(tmp_path / "one", tmp_path / "two")


def test_a_repaired_ledger_can_be_merged_into_an_empty_state_and_again(tmp_path: Path) -> None:
    repaired(tmp_path / "repaired", 100, at=5.0)
    assert unite(tmp_path / "all", tmp_path / "repaired") == 100
    assert unite(tmp_path / "all", tmp_path / "repaired") == 100


def test_a_merged_state_keeps_what_a_repair_needs(tmp_path: Path) -> None:
    worked(tmp_path / "job", "job-a", 100)
    merge_state(tmp_path / "all", tmp_path / "job", RUN)
    store = FileStore(tmp_path / "all")
    assert stored_record(RUN, store) == values.run_record(papers=2)
    store.close()


def test_a_ledger_is_not_replaced_by_one_that_lacks_a_run(tmp_path: Path) -> None:
    worked(tmp_path, "job-a", 100)
    (tmp_path / "runs" / RUN).mkdir(parents=True)
    before = (tmp_path / "ledger.sqlite3").read_bytes()
    with pytest.raises(UsageError, match=rf"run {RUN} cannot be repaired, and nothing is changed"):
        repair_state(state=tmp_path)
    assert (tmp_path / "ledger.sqlite3").read_bytes() == before


def test_results_without_a_ledger_are_not_paid_for_again(tmp_path: Path) -> None:
    refuse_damaged(tmp_path)
    segment = tmp_path / "runs" / RUN / "segments" / "job-a.jsonl"
    segment.parent.mkdir(parents=True)
    segment.touch()
    refuse_damaged(tmp_path)
    segment.write_text("a result")
    with pytest.raises(UsageError, match=r"is gone, and .*job-a\.jsonl holds results"):
        refuse_damaged(tmp_path)


def test_a_run_that_the_ledger_does_not_know_is_not_begun_beside_its_results(tmp_path: Path) -> None:
    segment = tmp_path / "runs" / RUN / "segments" / "job-a.jsonl"
    segment.parent.mkdir(parents=True)
    segment.write_text("a result")
    state = connect(Settings(state=tmp_path, run_id=RUN), RUN)
    refuse_forgotten(state, "another")
    with pytest.raises(UsageError, match=r"does not know run .*job-a\.jsonl"):
        refuse_forgotten(state, RUN)
    state.ledger.create_run(values.run_record())
    refuse_forgotten(state, RUN)
    state.close()
