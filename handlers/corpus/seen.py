"""Which ids and texts came by already: on disk, so that memory does not grow with the corpus."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from handlers.corpus.index import EMPTY, FOLLOWER, IndexEntry

_CACHE_KIB = 32 * 1024
"""The memory bound of an ingest: it fills with the first 200,000 papers or so and then stays."""
_VARIABLES = 500
"""Asked for in one statement: no build of SQLite allows fewer than 999."""

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
_INSERT = (
    "INSERT INTO papers"
    " (seq, id, text, line, offset, length, tokens, body_tokens, weight, flags, language, twin)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Known(NamedTuple):
    """A paper that has the id already."""

    text: bytes
    line: int


class Leader(NamedTuple):
    """The first paper of a text."""

    seq: int
    id: str


class SeenPapers:
    """A throw-away database of what an ingest has taken so far, asked and told by the chunk: ``expect`` the
    papers that come next, then ``by_id``, ``leader`` and ``add`` for each of them."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._db.execute("BEGIN")
        self._last = 0
        self._ids: dict[str, Known] = {}
        self._leaders: dict[bytes, Leader] = {}
        self._papers: list[tuple[object, ...]] = []
        self._firsts: list[tuple[bytes, int]] = []
        self._followers: Counter[int] = Counter()

    def close(self) -> None:
        self._db.close()

    def expect(self, ids: Sequence[str], texts: Sequence[bytes]) -> None:
        """Read what is known of these ids and texts; of others nothing is known until the next time."""
        self._write()
        self._ids = {row[0]: Known(*row[1:]) for row in self._asked(
            "SELECT id, text, line FROM papers WHERE id IN ({})", ids
        )}  # fmt: skip
        self._leaders = {row[0]: Leader(*row[1:]) for row in self._asked(
            "SELECT leaders.text, papers.seq, papers.id FROM leaders JOIN papers USING (seq)"
            " WHERE leaders.text IN ({})", texts,
        )}  # fmt: skip

    def _asked(self, sql: str, values: Sequence[str] | Sequence[bytes]) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(values), _VARIABLES):
            chunk = values[start : start + _VARIABLES]
            yield from self._db.execute(sql.format(",".join("?" * len(chunk))), chunk)

    def by_id(self, paper_id: str) -> Known | None:
        return self._ids.get(paper_id)

    def leader(self, text: bytes) -> Leader | None:
        return self._leaders.get(text)

    def add(self, entry: IndexEntry, *, digest: bytes, text: bytes, line: int, leader: Leader | None) -> None:
        """``digest`` is compared for equal ids; ``text`` is what leaders are found by."""
        self._last += 1
        self._ids[entry.id] = Known(digest, line)
        self._papers.append((self._last, entry.id, digest, line, *entry[:7], entry.twin))
        if entry.flags & FOLLOWER and leader is not None:
            self._followers[leader.seq] += 1
        elif not entry.flags & EMPTY:
            self._leaders[text] = Leader(self._last, entry.id)
            self._firsts.append((text, self._last))

    def _write(self) -> None:
        self._db.executemany(_INSERT, self._papers)
        self._db.executemany("INSERT INTO leaders VALUES (?, ?)", self._firsts)
        more = [(count, seq) for seq, count in self._followers.items()]
        self._db.executemany("UPDATE papers SET weight = weight + ? WHERE seq = ?", more)
        self._papers.clear()
        self._firsts.clear()
        self._followers.clear()

    def entries(self) -> Iterator[IndexEntry]:
        """In the corpus's order, with the weights as they came out; ``twin`` is 0 for the only one of its
        kind."""
        self._write()
        rows = self._db.execute(
            "WITH shared AS (SELECT twin, MIN(seq) AS first FROM papers WHERE weight > 0"
            " GROUP BY twin HAVING COUNT(*) > 1)"
            " SELECT offset, length, tokens, body_tokens, weight, flags, language, id, COALESCE(first, 0)"
            " FROM papers LEFT JOIN shared USING (twin) ORDER BY seq"
        )
        return map(IndexEntry._make, rows)
