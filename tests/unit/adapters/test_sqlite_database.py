"""A transaction that fails, wherever it does, leaves the database ready for the next."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.adapters.sqlite.database import Database

SCHEMA = """
CREATE TABLE leader (id INTEGER PRIMARY KEY);
CREATE TABLE follower (leader INTEGER REFERENCES leader (id) DEFERRABLE INITIALLY DEFERRED, text TEXT)
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "some.sqlite3", SCHEMA)
    yield database
    database.close()


def write(database: Database, leader: int | None, text: str = "") -> None:
    with database.write() as db:
        db.execute("INSERT INTO follower VALUES (?, ?)", (leader, text))


def test_a_commit_that_is_refused_is_undone(database: Database) -> None:
    database.rows("PRAGMA foreign_keys=ON")
    with pytest.raises(sqlite3.IntegrityError):
        write(database, 1)
    write(database, None)
    assert len(database.rows("SELECT * FROM follower")) == 1


def test_a_full_disk_is_called_so(database: Database) -> None:
    database.rows("PRAGMA max_page_count=8")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        write(database, None, "x" * 100_000)
    write(database, None)
    assert len(database.rows("SELECT * FROM follower")) == 1
