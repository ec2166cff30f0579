"""Answers of unfinished papers: lines of parts, any number a paper, each put if absent."""

from __future__ import annotations

import sqlite3

from handlers.adapters.sqlite.database import Database
from handlers.domain.ledger import Commit, LedgerEntry, StoredAnswer
from handlers.domain.result import PartPointer

ANSWER = """
CREATE TABLE IF NOT EXISTS answer (
    run_id TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    paper_id TEXT NOT NULL,
    generation INTEGER NOT NULL,
    key TEXT NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (run_id, batch_id, paper_id, generation, key, offset, length)
) WITHOUT ROWID
"""
"""A table of its own: files that were made before it go on."""
KNOWN_ANSWERS = (
    "INSERT OR IGNORE INTO answer SELECT run_id, batch_id, paper_id, generation, key, offset, length"
    " FROM paper WHERE status = 'pending' AND key IS NOT NULL"
)
"""Earlier releases had one answer a paper, that of its row."""


class AnswerTables:
    _db: Database

    def answers(self, run_id: str, batch_id: str) -> dict[str, list[StoredAnswer]]:
        rows = self._db.rows(
            "SELECT paper_id, generation, key, offset, length FROM answer WHERE run_id = ? AND batch_id = ?"
            " ORDER BY paper_id, generation, key, offset",
            (run_id, batch_id),
        )
        answers: dict[str, list[StoredAnswer]] = {}
        for paper_id, generation, key, offset, length in rows:
            pointer = PartPointer(key=key, offset=offset, length=length)
            answers.setdefault(paper_id, []).append(StoredAnswer(generation, pointer))
        return answers


def put_answers(db: sqlite3.Connection, commit: Commit) -> None:
    """Those of a part. An answer that is put twice is one."""
    pending = [entry for entry in commit.entries if entry.status == "pending"]
    rows = [
        (commit.run_id, commit.batch_id, each.paper_id, each.generation, *_place(each)) for each in pending
    ]
    if rows:
        db.executemany("INSERT OR IGNORE INTO answer VALUES (?,?,?,?,?,?,?)", rows)


def _place(entry: LedgerEntry) -> tuple[str, int, int]:
    return entry.pointer.key, entry.pointer.offset, entry.pointer.length
