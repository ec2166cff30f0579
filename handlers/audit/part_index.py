"""The lines of a run's parts in an index on disk: memory does not grow with the number of papers."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from handlers.audit.scan_parts import ScannedLine
from handlers.domain.batch import BatchMessage
from handlers.domain.call import CallTotals
from handlers.domain.ledger import LedgerEntry
from handlers.domain.paper import TERMINAL
from handlers.domain.result import PartLine, PartPointer

_SCHEMA = """
CREATE TABLE line (paper TEXT, batch TEXT, generation INTEGER, terminal INTEGER, at REAL, cost INTEGER,
    status TEXT, error TEXT, fingerprint TEXT, reused INTEGER, flags TEXT, key TEXT, offset INTEGER,
    length INTEGER, calls INTEGER, busy_ms INTEGER, segments TEXT, before TEXT,
    PRIMARY KEY (paper, generation DESC, terminal DESC, at, key, offset)) WITHOUT ROWID;
CREATE TABLE batch (batch TEXT PRIMARY KEY, generation INTEGER) WITHOUT ROWID
"""


@dataclass
class ScanResult:
    """What a scan of the parts found, beside the lines themselves."""

    lines: int = 0
    torn: int = 0
    damaged: list[PartPointer] = field(default_factory=list)
    calls: CallTotals = field(default_factory=CallTotals)


class PartIndex:
    """The index; filled once by ``add``."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, scanned: Iterable[ScannedLine]) -> ScanResult:
        scan = ScanResult()
        for each in scanned:
            if each.line is not None:
                scan.lines += 1
                scan.calls = scan.calls.plus(CallTotals.of(each.line.calls))
                self._insert(each.where, each.line)
            elif each.torn:
                scan.torn += 1
            else:
                scan.damaged.append(each.where)
        return scan

    def _insert(self, where: PartPointer, line: PartLine) -> None:
        flags = json.dumps([check.name for check in line.checks if check.verdict == "fail"])
        terminal, cost = line.status in TERMINAL, sum(call.cost for call in line.calls)
        row = (
            *(line.id, line.batch_id, line.generation, terminal, line.at if terminal else -line.at, cost),
            *(line.status, line.error, line.fingerprint, line.reused_from is not None, flags),
            *(where.key, where.offset, where.length, len(line.calls)),
            round(1000 * sum(call.latency for call in line.calls)),
            json.dumps(line.coverage.counts() if line.coverage is not None else {}),
            None if line.supersedes is None else line.supersedes.model_dump_json(),
        )
        self._db.execute("INSERT OR IGNORE INTO line VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", row)
        self._db.execute(
            "INSERT INTO batch VALUES (?, ?) ON CONFLICT DO UPDATE SET generation ="
            " MAX(generation, excluded.generation)",
            (line.batch_id, line.generation),
        )

    def generation(self, batch_id: str) -> int:
        """The latest one that a line of the batch belongs to; 1 if there is none."""
        row = self._db.execute("SELECT generation FROM batch WHERE batch = ?", (batch_id,)).fetchone()
        return 1 if row is None else int(row[0])

    def entry(self, paper_id: str, weight: int = 1) -> LedgerEntry | None:
        """What its lines say of a paper: of its latest generation the first outcome, else the last
        interrupted attempt; with what all of them cost. None if it has no line."""
        row = self._db.execute(
            "SELECT generation, status, error, fingerprint, reused, flags, segments, before, key, offset,"
            " length, total.cost, total.calls, total.busy_ms FROM line,"
            " (SELECT SUM(cost) AS cost, SUM(calls) AS calls, SUM(busy_ms) AS busy_ms FROM line"
            " WHERE paper = :paper) AS total"
            " WHERE paper = :paper ORDER BY generation DESC, terminal DESC, at, key, offset LIMIT 1",
            {"paper": paper_id},
        ).fetchone()
        if row is None:
            return None
        generation, status, error, fingerprint, reused, flags, segments, *rest = row
        before, *place, cost, calls, busy_ms = rest
        return LedgerEntry(
            paper_id=paper_id,
            generation=generation,
            status=status,
            weight=weight,
            error=error,
            fingerprint=fingerprint,
            reused=bool(reused),
            pointer=_pointer(*place),
            cost=cost,
            calls=calls,
            busy_ms=busy_ms,
            flags=tuple(json.loads(flags)),
            segments=json.loads(segments),
            supersedes=None if before is None else PartPointer.model_validate_json(before),
        )

    def entries(self, message: BatchMessage) -> Iterator[LedgerEntry]:
        """Of a batch's papers, in its order, the answers of interrupted attempts before the outcome; those
        without a line are left out."""
        for position, paper_id in enumerate(message.ids):
            entry = self.entry(paper_id, message.weight(position))
            if entry is not None:
                others = (each for each in self._interrupted(entry) if each.pointer != entry.pointer)
                opened = 0 if entry.status in TERMINAL else 1 + self._ended(paper_id)
                # A row stands for the generation in which its paper was opened: what came since comes first.
                yield from sorted([*others, entry], key=lambda each: each.generation < opened)

    def _ended(self, paper_id: str) -> int:
        """The last generation in which a paper had an outcome; 0 if none."""
        sql = "SELECT MAX(generation) FROM line WHERE paper = ? AND terminal = 1"
        (generation,) = self._db.execute(sql, (paper_id,)).fetchone()
        return int(generation or 0)

    def _interrupted(self, outcome: LedgerEntry) -> Iterator[LedgerEntry]:
        """A paper's lines that say pending, at no cost: its outcome has the cost of all."""
        rows = self._db.execute(
            "SELECT generation, error, fingerprint, flags, key, offset, length FROM line"
            " WHERE paper = ? AND terminal = 0"
            " ORDER BY generation, key, offset",
            (outcome.paper_id,),
        )
        for generation, error, fingerprint, flags, *place in rows.fetchall():
            yield LedgerEntry(
                paper_id=outcome.paper_id,
                generation=generation,
                status="pending",
                weight=outcome.weight,
                error=error,
                fingerprint=fingerprint,
                pointer=_pointer(*place),
                flags=tuple(json.loads(flags)),
            )

    def papers(self) -> Iterator[str]:
        """Ids of the papers that have a line, in order."""
        for (paper_id,) in self._db.execute("SELECT DISTINCT paper FROM line ORDER BY paper"):
            yield paper_id


def _pointer(key: str, offset: int, length: int) -> PartPointer:
    return PartPointer(key=key, offset=offset, length=length)


@contextmanager
def part_index() -> Iterator[PartIndex]:
    """An empty index in a temporary file of SQLite's own, which SQLite deletes at the end."""
    with closing(sqlite3.connect("", isolation_level=None)) as db:
        db.execute("PRAGMA cache_size=-8192")
        db.execute("PRAGMA journal_mode=OFF")
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        yield PartIndex(db)
