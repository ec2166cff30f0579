"""What is remembered of endpoints."""

from __future__ import annotations

from handlers.adapters.sqlite.database import Database

ENDPOINT_NOTE = """
CREATE TABLE IF NOT EXISTS endpoint_note (
    key TEXT PRIMARY KEY,
    text TEXT NOT NULL
) WITHOUT ROWID
"""
"""A table of its own: files that were made before it go on."""


class EndpointTables:
    _db: Database

    def recall(self, key: str) -> str | None:
        row = self._db.row("SELECT text FROM endpoint_note WHERE key = ?", (key,))
        return None if row is None else str(row["text"])

    def note(self, key: str, text: str, *, known: str | None) -> bool:
        with self._db.write() as db:
            if known is None:
                change = db.execute("INSERT OR IGNORE INTO endpoint_note VALUES (?, ?)", (key, text))
            else:
                change = db.execute(
                    "UPDATE endpoint_note SET text = ? WHERE key = ? AND text = ?", (text, key, known)
                )
            return change.rowcount == 1
