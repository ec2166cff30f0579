"""Ledgers made before answers had a table of their own, slices of ledgers, and merges of two attempts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from handlers.adapters.sqlite.ledger_slice import point_at, slice_ledger, unfinished_answers
from handlers.adapters.sqlite.merge_ledger import merge_ledger
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.ledger import StoredAnswer
from handlers.domain.result import PartPointer
from tests.builders import values
from tests.builders.values import RUN, commit, entry


def place(number: int, key: str = "runs/r/segments/job-a.jsonl") -> PartPointer:
    return PartPointer(key=key, offset=100 * number, length=100)


def answered(path: Path, *numbers: int, key: str = "runs/r/segments/job-a.jsonl") -> Path:
    """A ledger in which paper ``p1`` has these answers, and ``p3`` one and an end."""
    ledger = SqliteLedger(path)
    ledger.create_run(values.run_record())
    ledger.open_session(values.session())
    ledger.add_batches([values.batch("b1", ["p1", "p2"]), values.batch("b2", ["p3", "p4"])])
    for number in numbers:
        part = commit(entry("p1", "pending", pointer=place(number, key), cost=10), part=f"{key}{number}")
        ledger.commit([part])
    ledger.commit([commit(entry("p3", "pending", pointer=place(90)), entry("p3"), batch_id="b2")])
    ledger.close()
    return path


def answers(path: Path, batch: str = "b1") -> dict[str, list[StoredAnswer]]:
    with closing(SqliteLedger(path)) as ledger:
        return ledger.answers(RUN, batch)


def test_the_answer_that_an_earlier_release_kept_in_a_row_is_known(tmp_path: Path) -> None:
    path = answered(tmp_path / "ledger.sqlite3", 1)
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE answer")
    assert answers(path) == {"p1": [StoredAnswer(1, place(1))]}
    assert answers(path, "b2") == {}, "it has ended"


def test_a_slice_has_the_answers_of_its_batches_at_their_copies(tmp_path: Path) -> None:
    path = answered(tmp_path / "ledger.sqlite3", 1, 2, 3)
    assert unfinished_answers(path, RUN) == [("p1", place(number), 1) for number in (1, 2, 3)]
    copy = "runs/r/segments/carried-s1.jsonl"
    point_at(path, RUN, {place(3): place(0, copy)})
    assert answers(path) == {"p1": [StoredAnswer(1, place(0, copy))]}
    with closing(SqliteLedger(path)) as ledger:
        rows = ledger.paper_rows(RUN, ["p1", "p3"])
    assert (rows["p1"].pointer, rows["p3"].pointer) == (place(0, copy), entry("p3").pointer)
    for name, batch in (("one", "b1"), ("two", "b2")):
        into = tmp_path / f"{name}.sqlite3"
        slice_ledger(path, into, RUN, [batch], budget=None, session="s1", limit=None, carried="none")
        assert bool(answers(into)) == (batch == "b1")


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0)])
def test_a_merge_of_two_attempts_at_a_paper_has_the_answers_of_both(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    keys = ("runs/r/segments/job-a.jsonl", "runs/r/segments/job-b.jsonl")
    sources = [answered(tmp_path / f"{n}.sqlite3", 1, 2, key=key) for n, key in enumerate(keys)]
    into = tmp_path / "into.sqlite3"
    for number in order:
        merge_ledger(into, sources[number], RUN, size=lambda _: 10_000)
    assert [each.pointer for each in answers(into)["p1"]] == [place(n, key) for key in keys for n in (1, 2)]


def test_answers_whose_object_is_missing_or_short_are_left_out_and_counted(tmp_path: Path) -> None:
    source = answered(tmp_path / "source.sqlite3", 1, 2, 3)
    merged = merge_ledger(tmp_path / "into.sqlite3", source, RUN, size=lambda _: 250)
    assert [each.pointer for each in answers(tmp_path / "into.sqlite3")["p1"]] == [place(1)]
    assert merged.lost_results >= 1


def test_what_became_of_a_body_goes_into_slices_and_merges_and_into_files_of_earlier_releases(
    tmp_path: Path,
) -> None:
    body = {"translated": 9, "note.odd_dollars": 1}
    earlier, source, into = (tmp_path / f"{name}.sqlite3" for name in ("earlier", "source", "into"))
    for path in (answered(earlier, 1), answered(into, 1)):
        with closing(sqlite3.connect(path)) as db:
            db.execute("ALTER TABLE paper DROP COLUMN segments")
    with closing(SqliteLedger(answered(source, 1))) as ledger:
        ledger.commit([commit(entry("p1", segments=body), part="end")])
    sliced = tmp_path / "sliced.sqlite3"
    slice_ledger(source, sliced, RUN, ["b1"], budget=None, session="s1", limit=None, carried="none")
    merge_ledger(into, earlier, RUN, size=lambda _: 10_000)
    merge_ledger(into, sliced, RUN, size=lambda _: 10_000)
    for path in (sliced, into):
        with closing(SqliteLedger(path)) as ledger:
            assert ledger.paper_rows(RUN, ["p1"])["p1"].segments == body


def test_answers_tell_the_generation_in_which_their_paper_was_opened(tmp_path: Path) -> None:
    path = answered(tmp_path / "ledger.sqlite3", 1)
    with closing(SqliteLedger(path)) as ledger:
        ledger.commit([commit(entry("p1", "flagged"), part="end")])
        ledger.reopen(RUN, statuses=["flagged"], error=None)
        ledger.commit([commit(entry("p1", "pending", generation=2, pointer=place(2)), part="again")])
    assert unfinished_answers(path, RUN) == [("p1", place(1), 2), ("p1", place(2), 2)]
