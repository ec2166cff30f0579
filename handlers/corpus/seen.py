"""Which ids and texts came by already: on disk, so that memory does not grow with the corpus."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from handlers.corpus.index import EMPTY, FOLLOWER, IndexEntry

_CACHE_KIB = 32 * 1024
"""The memory bound of an ingest: it fills with the first 200,000 papers or so and then stays."""

# No journal and no sync: the file is thrown away after this ingest, whatever becomes of it.
_SCHEMA = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA cache_size = -{_CACHE_KIB};
CREATE TABLE papers (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, text BLOB NOT NULL, line INTEGER NOT NULL,
    offset INTEGER NOT NULL, length INTEGER NOT NULL, tokens INTEGER NOT NULL, body_tokens INTEGER NOT NULL,
    weight INTEGER NOT NULL, flags INTEGER NOT NULL, language TEXT, twin INTEGER NOT NULL
);
CREATE TABLE leaders (text BLOB PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
"""


class Known(NamedTuple):
    """A paper that has the id already."""

    text: bytes
    line: int


class Leader(NamedTuple):
    """The first paper of a text."""

    seq: int
    id: str


class SeenPapers:
    """A throw-away database of what an ingest has taken so far."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._db.execute("BEGIN")

    def close(self) -> None:
        self._db.close()

    def by_id(self, paper_id: str) -> Known | None:
        row = self._db.execute("SELECT text, line FROM papers WHERE id = ?", (paper_id,)).fetchone()
        return Known(*row) if row else None

    def leader(self, text: bytes) -> Leader | None:
        row = self._db.execute(
            "SELECT papers.seq, papers.id FROM leaders JOIN papers USING (seq) WHERE leaders.text = ?",
            (text,),
        ).fetchone()
        return Leader(*row) if row else None

    def add(self, entry: IndexEntry, *, digest: bytes, text: bytes, line: int, leader: Leader | None) -> None:
        """``digest`` is compared for equal ids; ``text`` is what leaders are found by."""
        cursor = self._db.execute(
            "INSERT INTO papers"
            " (id, text, line, offset, length, tokens, body_tokens, weight, flags, language, twin)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (entry.id, digest, line, *entry[:7], entry.twin),
        )
        if entry.flags & FOLLOWER and leader is not None:
            self._db.execute("UPDATE papers SET weight = weight + 1 WHERE seq = ?", (leader.seq,))
        elif not entry.flags & EMPTY:
            self._db.execute("INSERT INTO leaders VALUES (?, ?)", (text, cursor.lastrowid))

    def entries(self) -> Iterator[IndexEntry]:
        """In the corpus's order, with the weights as they came out; ``twin`` is 0 for the only one of its
        kind."""
        rows = self._db.execute(
            "WITH shared AS (SELECT twin, MIN(seq) AS first FROM papers WHERE weight > 0"
            " GROUP BY twin HAVING COUNT(*) > 1)"
            " SELECT offset, length, tokens, body_tokens, weight, flags, language, id, COALESCE(first, 0)"
            " FROM papers LEFT JOIN shared USING (twin) ORDER BY seq"
        )
        return (IndexEntry(*row) for row in rows)
