"""Calls of interrupted attempts, read back: all of them, each once, and none of before a retry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.ledger import PaperRow
from handlers.domain.part_lines import encode
from handlers.domain.result import Part, PartPointer
from handlers.pipeline.stored_answers import NOTHING, StoredCalls, stored_calls
from tests.builders.values import RUN, batch, call, commit, entry, part_line, run_record

MESSAGE = batch()


class State:
    def __init__(self, folder: Path) -> None:
        self.ledger, self.store = SqliteLedger(folder / "ledger.sqlite3"), FileStore(folder)
        self.ledger.add_batches([MESSAGE])
        self.ledger.create_run(run_record(papers=2))
        self._parts = 0

    def answered(
        self, *calls: str, at: float, generation: int = 1, job: str = "job-a", **said: Any
    ) -> PartPointer:
        """One line of paper ``p1`` with these calls."""
        self._parts += 1
        line = part_line("p1", "pending", calls=tuple(map(call, calls)), at=at, generation=generation, **said)
        ((where,),) = self.store.write_parts(job, [Part(RUN, f"b1/1-{job}-{self._parts}", (encode(line),))])
        answer = entry("p1", "pending", pointer=where, generation=generation)
        self.ledger.commit([commit(answer, part=str(self._parts), job=job)])
        return where

    def found(self, row: PaperRow | None = None) -> StoredCalls:
        row = row or self.ledger.paper_rows(RUN, ["p1"]).get("p1")
        found = stored_calls(self.ledger, self.store, MESSAGE, {"p1": row, "p2": None})
        assert set(found) <= {"p1"}
        return found.get("p1", NOTHING)

    def calls(self, row: PaperRow | None = None) -> list[str]:
        return [each.id for each in self.found(row).calls]

    def earlier(self) -> list[str]:
        return sorted(each.id for each in self.found().earlier)

    def opened_again(self) -> None:
        self._parts += 1
        generation = self.ledger.paper_rows(RUN, ["p1"])["p1"].generation
        self.ledger.commit([commit(entry("p1", "flagged", generation=generation), part=f"end-{self._parts}")])
        assert self.ledger.reopen(RUN, statuses=["flagged"], error=None) == 1


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = State(tmp_path)
    yield state
    state.ledger.close()
    state.store.close()


def test_answers_of_two_jobs_are_all_known_each_once_and_in_their_order(state: State) -> None:
    assert state.calls() == []
    state.answered("b", at=2.0, job="job-a")
    state.answered("a", at=1.0, job="job-z")
    state.answered("b", "c", at=3.0, job="job-b")
    assert state.calls() == ["a", "b", "c"]


def test_what_was_answered_before_a_paper_was_opened_again_does_not_count(state: State) -> None:
    state.answered("a", at=1.0)
    state.opened_again()
    assert state.calls() == []
    state.answered("b", at=2.0, generation=2)
    assert state.calls() == ["b"]


def test_a_paper_that_stayed_pending_when_its_batch_was_opened_again_keeps_its_answers(state: State) -> None:
    state.answered("a", at=1.0)
    state.answered("b", at=2.0, generation=2)
    state.answered("c", at=3.0, generation=3)
    assert state.calls() == ["a", "b", "c"]


def test_a_row_of_an_earlier_release_is_an_answer_too(state: State) -> None:
    """On DynamoDB, where rows are not looked through when a table is opened."""
    where = state.answered("a", at=1.0)
    state.ledger._db.rows("DELETE FROM answer")
    row = state.ledger.paper_rows(RUN, ["p1"])["p1"]
    assert row.pointer == where
    assert state.calls(row) == ["a"]


def test_a_damaged_line_costs_its_own_calls_alone(state: State, tmp_path: Path) -> None:
    where = state.answered("a", at=1.0)
    state.answered("b", at=2.0)
    path = tmp_path / where.key
    path.write_bytes(path.read_bytes().replace(b'"call-1"', b'"call-2"').replace(b'"id":"a"', b'"id":"x"'))
    row = state.ledger.paper_rows(RUN, ["p1"])["p1"]
    found = stored_calls(state.ledger, state.store, MESSAGE, {"p1": row})["p1"]
    assert [each.id for each in found.calls] == ["b"]
    assert len(found.damaged) == 1


def test_what_a_passage_was_answered_counts_in_later_generations_once_it_passed(state: State) -> None:
    state.answered("a", at=1.0, passage="body/0")
    state.answered("b", at=2.0, passage="body/0", passed=True)
    state.answered("c", at=3.0, passage="body/1", reason="refused")
    state.answered("d", at=4.0, passage="body/2")  # broken off
    state.opened_again()
    assert (state.calls(), state.earlier()) == ([], ["a", "b"])
    assert state.found().passed == {"body/0"}
    state.answered("e", at=5.0, generation=2, passage="body/1", passed=True)
    state.answered("f", at=6.0, generation=2, passage="body/2", reason="refused")
    assert (state.calls(), state.earlier()) == (["e", "f"], ["a", "b"])
    state.opened_again()
    assert (state.calls(), state.earlier()) == ([], ["a", "b", "e"])


def test_a_passage_that_its_paper_blames_is_asked_again_and_what_was_broken_off_blames_none(
    state: State,
) -> None:
    state.answered("a", at=1.0, passage="body/0", passed=True)
    state.answered("b", at=1.0, passage="body/1", passed=True)
    state.answered(at=1.0, passage="body/0", reason="structure")
    state.answered("c", at=2.0, passage="body/1", job="job-late")
    state.opened_again()
    assert state.earlier() == ["b", "c"]


def test_what_a_later_gate_refuses_is_known_to_the_retry_that_follows_and_to_no_other(state: State) -> None:
    state.answered("a", at=1.0, passed=True)
    state.opened_again()
    assert (state.calls(), state.earlier()) == (["a"], [])
    state.answered("b", at=2.0, generation=2)
    assert state.calls() == ["a", "b"]
    state.opened_again()
    assert state.calls() == []


def test_the_earliest_frame_counts_though_it_is_empty(state: State) -> None:
    assert state.found().frame is None
    state.answered(at=3.0, job="job-a", passage="frame", frame={"\u8bcd": "word"})
    assert state.found().frame == {"\u8bcd": "word"}
    state.answered(at=2.0, job="job-b", passage="frame", frame={})
    assert state.found().frame == {}
    state.opened_again()
    state.answered(at=1.0, generation=2, passage="frame", frame={"\u8bcd": "term"})
    assert state.found().frame == {}
