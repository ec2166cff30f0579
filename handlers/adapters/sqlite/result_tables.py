"""Results that later runs may take over, by the names under which they stand."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from handlers.adapters.sqlite.database import Database
from handlers.domain.ledger import Commit, LedgerEntry, Reusable
from handlers.domain.result import PartPointer

_CHUNK = 500
_PUT_FINGERPRINT = (
    "INSERT INTO fingerprint VALUES (?,?,?,?,?,?,?) ON CONFLICT (fingerprint) DO UPDATE SET run_id ="
    " excluded.run_id, paper_id = excluded.paper_id, key = excluded.key, offset = excluded.offset,"
    " length = excluded.length, followed = fingerprint.followed + 1 WHERE key = ? AND offset = ?"
)
"""The first result stays, unless this one goes on from it."""


class ResultTables:
    _db: Database

    def reusable(self, fingerprints: Sequence[str], *, earlier: bool = False) -> dict[str, Reusable]:
        del earlier  # nothing is missed here
        rows: dict[str, Reusable] = {}
        for start in range(0, len(fingerprints), _CHUNK):
            chunk = fingerprints[start : start + _CHUNK]
            marks = ",".join("?" * len(chunk))
            sql = f"SELECT * FROM fingerprint WHERE fingerprint IN ({marks})"
            for row in self._db.rows(sql, chunk):
                rows[row["fingerprint"]] = Reusable(row["run_id"], row["paper_id"], _pointer(row))
        return rows

    def forget_result(self, fingerprint: str, pointer: PartPointer) -> None:
        with self._db.write() as db:
            db.execute(
                "DELETE FROM fingerprint WHERE fingerprint = ? AND key = ? AND offset = ?",
                (fingerprint, pointer.key, pointer.offset),
            )


def put_heads(db: sqlite3.Connection, commit: Commit) -> None:
    """The names of heads, whatever became of their papers since."""
    for entry in commit.entries:
        if entry.status == "pending" and entry.stands_under:
            put_name(db, commit.run_id, entry)


def put_name(db: sqlite3.Connection, run_id: str, entry: LedgerEntry) -> None:
    where, before = entry.pointer, entry.supersedes
    place = (run_id, entry.paper_id, where.key, where.offset, where.length, int(before is not None))
    gone_on_from = (None, None) if before is None else (before.key, before.offset)
    db.execute(_PUT_FINGERPRINT, (entry.stands_under, *place, *gone_on_from))


def _pointer(row: sqlite3.Row) -> PartPointer:
    return PartPointer(key=row["key"], offset=row["offset"], length=row["length"])
