"""What batches have taken, in files that are merged, cut into slices or were made by an earlier release."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from handlers.adapters.sqlite.ledger_slice import slice_ledger
from handlers.adapters.sqlite.merge_ledger import merge_ledger
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.ledger import BatchFigures
from tests.builders import values
from tests.builders.values import RUN, commit, entry

FIGURES = [(900, 2, 1, 500, 3, 40), (40, 1, 0, 0, 0, 0)]


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A ledger with one paper of three settled, in its second attempt."""
    with closing(SqliteLedger(tmp_path / "ledger.sqlite3")) as ledger:
        batches = [values.batch("b1", ["p1", "p2"], tokens=900), values.batch("b2", ["p3"], tokens=40)]
        ledger.add_batches(batches)
        ledger.create_run(values.run_record(papers=3))
        ledger.commit([commit(entry("p1", "pending", cost=200, calls=1, busy_ms=15))])
        ledger.commit([commit(entry("p1", cost=300, calls=2, busy_ms=25), part="2")])
    yield tmp_path / "ledger.sqlite3"


def figures(path: Path) -> list[BatchFigures]:
    with closing(SqliteLedger(path)) as ledger:
        return list(ledger.batch_figures(RUN))


def test_a_merge_brings_the_figures_and_a_second_one_doubles_nothing(path: Path, tmp_path: Path) -> None:
    assert figures(path) == FIGURES
    into = tmp_path / "into.sqlite3"
    for _ in range(2):
        merge_ledger(into, path, RUN, size=lambda _: 10**6)
        assert figures(into) == FIGURES


def test_a_slice_has_those_of_its_batches(path: Path, tmp_path: Path) -> None:
    into = tmp_path / "slice.sqlite3"
    slice_ledger(path, into, RUN, ["b1"], budget=None, session="s1", limit=None, carried="")
    assert figures(into) == FIGURES[:1]


def test_a_file_of_an_earlier_release_is_counted_once_and_goes_on(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        for column in ("tokens", "sent", "settled", "cost", "calls", "busy_ms"):
            db.execute(f"ALTER TABLE batch DROP COLUMN {column}")
        for column in ("calls", "busy_ms"):
            db.execute(f"ALTER TABLE paper DROP COLUMN {column}")
    known = [(900, 2, 1, 500, 0, 0), (40, 1, 0, 0, 0, 0)]
    assert figures(path) == figures(path) == known
    with closing(SqliteLedger(path)) as ledger:
        ledger.commit([commit(entry("p3", cost=70, calls=1, busy_ms=9), batch_id="b2", part="3")])
    assert figures(path) == [known[0], (40, 1, 1, 70, 1, 9)]
