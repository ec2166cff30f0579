"""Other verdicts on papers that have ended."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from handlers.adapters.sqlite.answer_tables import put_answers
from handlers.adapters.sqlite.database import Database
from handlers.domain.ledger import Commit, LedgerEntry, PaperRow

_MOVE = (
    "UPDATE paper SET generation = ?, status = ?, error = ?, key = ?, offset = ?, length = ?, flags = ?,"
    " segments = ? WHERE run_id = ? AND paper_id = ? AND status = ? AND generation = ? AND key = ?"
    " AND offset = ?"
)


class Rejudging:
    _db: Database

    def rejudge(self, commit: Commit, before: Mapping[str, PaperRow]) -> set[str]:
        ended = [entry for entry in commit.entries if entry.status != "pending"]
        with self._db.write(durable=True) as db:
            put_answers(db, commit)
            return {each.paper_id for each in ended if _moved(db, commit, each, before[each.paper_id])}


def _moved(db: sqlite3.Connection, commit: Commit, entry: LedgerEntry, row: PaperRow) -> bool:
    if row.pointer is None:
        return False
    new, old, batch = entry.pointer, row.pointer, (commit.run_id, commit.batch_id)
    moved = db.execute(
        _MOVE,
        (
            entry.generation, entry.status, entry.error, new.key, new.offset, new.length,
            json.dumps(entry.flags), json.dumps(entry.segments) if entry.segments else None,
            commit.run_id, entry.paper_id, row.status, row.generation, old.key, old.offset,
        ),
    )  # fmt: skip
    if not moved.rowcount:
        return False
    db.execute(
        f"UPDATE batch SET {row.status} = {row.status} - ? WHERE run_id = ? AND batch_id = ?",
        (row.weight, *batch),
    )
    db.execute(
        f"UPDATE batch SET {entry.status} = {entry.status} + ?, generation = MAX(generation, ?)"
        " WHERE run_id = ? AND batch_id = ?",
        (row.weight, entry.generation, *batch),
    )
    db.execute(
        "DELETE FROM fingerprint WHERE fingerprint = ? AND key = ? AND offset = ?",
        (entry.fingerprint, old.key, old.offset),
    )
    if name := entry.stands_under:
        db.execute(
            "INSERT OR IGNORE INTO fingerprint VALUES (?,?,?,?,?,?,0)",
            (name, commit.run_id, entry.paper_id, new.key, new.offset, new.length),
        )
    return True
