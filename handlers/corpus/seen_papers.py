"""Ids and texts of the papers so far: on disk once they are many, so that memory is bounded."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from handlers.corpus.index import EMPTY, FOLLOWER, IndexEntry

_CACHE_KIB = 32 * 1024
"""The memory bound of an ingest: it fills with the first 200,000 papers or so and then stays."""
IN_MEMORY = 40_000
"""Papers before the database is begun, which would cost each of them half as long again as the rest of an
ingest's own work; they take as much memory as its cache."""
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


def _created(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(_SCHEMA)
    db.execute("BEGIN")
    return db


def _asked(
    db: sqlite3.Connection, sql: str, values: Sequence[str] | Sequence[bytes]
) -> Iterator[tuple[Any, ...]]:
    for start in range(0, len(values), _VARIABLES):
        chunk = values[start : start + _VARIABLES]
        yield from db.execute(sql.format(",".join("?" * len(chunk))), chunk)


class Known(NamedTuple):
    """A paper that has the id already."""

    text: bytes
    line: int
    offset: int
    length: int
    """Where its own line of the corpus lies."""


class Leader(NamedTuple):
    """The first paper of a text."""

    seq: int
    id: str


class SeenPapers:
    """The papers of an ingest so far, used chunk by chunk: ``expect`` the papers that come next,
    then ``by_id``, ``leader`` and ``add`` for each of them. From ``in_memory`` papers on a throw-away
    database."""

    def __init__(self, path: Path, *, in_memory: int = IN_MEMORY) -> None:
        self._path = path
        self._in_memory = in_memory
        self._db: sqlite3.Connection | None = None
        self._last = 0
        self._ids: dict[str, Known] = {}
        self._leaders: dict[bytes, Leader] = {}
        self._papers: list[tuple[IndexEntry, bytes, int]] = []
        self._firsts: list[tuple[bytes, int]] = []
        self._followers: Counter[int] = Counter()

    def close(self) -> None:
        if self._db is not None:
            self._db.close()

    def expect(self, papers: Iterable[tuple[str, bytes]]) -> None:
        """Read what is known of these (id, text); of others nothing is known until the next time."""
        if self._last < self._in_memory:
            return  # all that is known is at hand
        db, pairs = self._written(), list(papers)
        self._ids = {row[0]: Known(*row[1:]) for row in _asked(
            db, "SELECT id, text, line, offset, length FROM papers WHERE id IN ({})",
            [paper_id for paper_id, _ in pairs],
        )}  # fmt: skip
        self._leaders = {row[0]: Leader(*row[1:]) for row in _asked(
            db, "SELECT leaders.text, papers.seq, papers.id FROM leaders JOIN papers USING (seq)"
            " WHERE leaders.text IN ({})", [text for _, text in pairs],
        )}  # fmt: skip

    def by_id(self, paper_id: str) -> Known | None:
        return self._ids.get(paper_id)

    def leader(self, text: bytes) -> Leader | None:
        return self._leaders.get(text)

    def add(self, entry: IndexEntry, *, digest: bytes, text: bytes, line: int, leader: Leader | None) -> None:
        """``digest`` is compared for equal ids; ``text`` is what leaders are found by."""
        self._last += 1
        self._ids[entry.id] = Known(digest, line, entry.offset, entry.length)
        self._papers.append((entry, digest, line))
        if entry.flags & FOLLOWER and leader is not None:
            self._followers[leader.seq] += 1
        elif not entry.flags & EMPTY:
            self._leaders[text] = Leader(self._last, entry.id)
            self._firsts.append((text, self._last))

    def _written(self) -> sqlite3.Connection:
        """The database, with all papers so far."""
        if self._db is None:
            self._db = _created(self._path)
        first = self._last - len(self._papers) + 1
        rows = (
            (seq, entry.id, digest, line, *entry[:7], entry.twin)
            for seq, (entry, digest, line) in enumerate(self._papers, first)
        )
        self._db.executemany(_INSERT, rows)
        self._db.executemany("INSERT INTO leaders VALUES (?, ?)", self._firsts)
        more = [(count, seq) for seq, count in self._followers.items()]
        self._db.executemany("UPDATE papers SET weight = weight + ? WHERE seq = ?", more)
        self._papers.clear()
        self._firsts.clear()
        self._followers.clear()
        return self._db

    def entries(self) -> Iterator[IndexEntry]:
        """In the corpus's order, with the weights as they came out; ``twin`` is 0 for the only one of its
        kind."""
        return self._held_entries() if self._db is None else self._written_entries()

    def _held_entries(self) -> Iterator[IndexEntry]:
        kinds = Counter(entry.twin for entry, _, _ in self._papers if entry.weight)
        firsts: dict[int, int] = {}
        for seq, (entry, _, _) in enumerate(self._papers, 1):
            if entry.weight and kinds[entry.twin] > 1:
                firsts.setdefault(entry.twin, seq)
        more, twin_of = self._followers, firsts.get
        for seq, (entry, _, _) in enumerate(self._papers, 1):
            twin = twin_of(entry.twin, 0)
            weight = entry.weight + more[seq] if seq in more else entry.weight
            yield IndexEntry(*entry[:4], weight, *entry[5:8], twin)

    def _written_entries(self) -> Iterator[IndexEntry]:
        rows = self._written().execute(
            "WITH shared AS (SELECT twin, MIN(seq) AS first FROM papers WHERE weight > 0"
            " GROUP BY twin HAVING COUNT(*) > 1)"
            " SELECT offset, length, tokens, body_tokens, weight, flags, language, id, COALESCE(first, 0)"
            " FROM papers LEFT JOIN shared USING (twin) ORDER BY seq"
        )
        return map(IndexEntry._make, rows)
