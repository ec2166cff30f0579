"""Runs that somebody is to look at."""

from __future__ import annotations

import secrets
import sqlite3

from handlers.adapters.sqlite.database import Database
from handlers.domain.run import OpenRun

OPEN_RUN = """
CREATE TABLE IF NOT EXISTS open_run (
    run_id TEXT PRIMARY KEY,
    mark TEXT NOT NULL,
    looked_at REAL NOT NULL DEFAULT 0
) WITHOUT ROWID
"""
KNOWN_RUNS = "INSERT OR IGNORE INTO open_run (run_id, mark) SELECT run_id, '' FROM run"
"""Of a file that was made before: whoever looks closes those that have ended."""


def arm(db: sqlite3.Connection, run_id: str) -> None:
    sql = "INSERT OR REPLACE INTO open_run (run_id, mark) VALUES (?, ?)"
    db.execute(sql, (run_id, secrets.token_hex(8)))


class OpenRunTable:
    _db: Database

    def open_runs(self) -> list[OpenRun]:
        rows = self._db.rows(
            "SELECT o.run_id, o.mark, o.looked_at FROM open_run o JOIN run r ON r.run_id = o.run_id"
            " ORDER BY r.created_at DESC, o.run_id DESC"
        )
        return [OpenRun(*row) for row in rows]

    def looked_at(self, run: OpenRun, *, at: float) -> None:
        with self._db.write() as db:
            db.execute(
                "UPDATE open_run SET looked_at = ? WHERE run_id = ? AND mark = ?", (at, run.run_id, run.mark)
            )

    def counts_now(self, run_id: str, *, at: float, every: float) -> bool:
        del run_id, at, every  # a sum in a file on this machine
        return True

    def close_run(self, run: OpenRun) -> None:
        with self._db.write() as db:
            db.execute("DELETE FROM open_run WHERE run_id = ? AND mark = ?", (run.run_id, run.mark))
