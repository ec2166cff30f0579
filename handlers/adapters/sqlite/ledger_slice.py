"""A slice of a ledger: the batches of one job, with a budget of its own and none of the others' calls."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.ledger import Reusable
from handlers.domain.result import PartPointer

_SLICE = (
    "INSERT INTO main.run (run_id, spec, papers, same_as, created_at, budget, control, reason, control_at)"
    " SELECT run_id, spec, papers, same_as, created_at, :budget, control, reason, control_at FROM src.run"
    " WHERE run_id = :run",
    "INSERT INTO main.batch (run_id, batch_id, message, papers, generation, epoch, done, flagged, failed,"
    " skipped, tokens, sent, settled, cost, calls, busy_ms) SELECT run_id, batch_id, message, papers,"
    " generation, epoch, done, flagged, failed, skipped, tokens, sent, settled, cost, calls, busy_ms"
    " FROM src.batch WHERE run_id = :run AND batch_id IN (SELECT batch_id FROM temp.mine) ORDER BY position",
    "INSERT INTO main.paper SELECT * FROM src.paper WHERE run_id = :run AND batch_id IN"
    " (SELECT batch_id FROM temp.mine)",
    "INSERT INTO main.answer SELECT * FROM src.answer WHERE run_id = :run AND batch_id IN"
    " (SELECT batch_id FROM temp.mine)",
    "INSERT INTO main.session SELECT * FROM src.session WHERE run_id = :run AND session_id = :session",
    "UPDATE main.session SET max_papers = :limit",
    "INSERT INTO main.fingerprint SELECT * FROM src.fingerprint WHERE key = :carried",
    "INSERT INTO main.endpoint_note SELECT * FROM src.endpoint_note",
)

_COPIED = "FROM temp.copy c WHERE c.key = {0}.key AND c.offset = {0}.offset"
_POINT = (
    f"DELETE FROM answer WHERE run_id = :run AND NOT EXISTS (SELECT 1 {_COPIED.format('answer')})",
    "UPDATE answer SET key = c.new_key, offset = c.new_offset"
    f" {_COPIED.format('answer')} AND answer.run_id = :run",
    "UPDATE paper SET key = NULL, offset = NULL, length = NULL WHERE run_id = :run AND status = 'pending'"
    f" AND NOT EXISTS (SELECT 1 {_COPIED.format('paper')})",
    "UPDATE paper SET key = c.new_key, offset = c.new_offset"
    f" {_COPIED.format('paper')} AND paper.run_id = :run AND paper.status = 'pending'",
)


def slice_ledger(
    source: Path,
    into: Path,
    run_id: str,
    batches: Iterable[str],
    *,
    budget: int | None,
    session: str,
    limit: int | None,
    carried: str,
) -> None:
    """Make the ledger ``into`` of some batches of ``source``. ``budget``: the slice has spent
    nothing yet, so it is the job's share. ``limit``: papers that it may start. ``carried``: key of the object
    that holds copies of earlier runs' results; only those can be taken over."""
    arguments = {"run": run_id, "budget": budget, "session": session, "limit": limit, "carried": carried}
    for path in (source, into):
        SqliteLedger(path).close()  # brought up to date
    with closing(sqlite3.connect(into, timeout=60, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous=FULL")
        db.execute("ATTACH DATABASE ? AS src", (str(source),))
        db.execute("CREATE TEMP TABLE mine (batch_id TEXT PRIMARY KEY)")
        db.executemany("INSERT OR IGNORE INTO temp.mine VALUES (?)", [(each,) for each in batches])
        db.execute("BEGIN IMMEDIATE")
        for statement in _SLICE:
            db.execute(statement, arguments)
        db.execute("COMMIT")


class UnfinishedAnswer(NamedTuple):
    """What a pending paper was answered."""

    paper_id: str
    where: PartPointer
    opened: int
    """The paper's generation: of what it was answered before that, some lines do not count any more."""


def unfinished_answers(ledger: Path, run_id: str) -> list[UnfinishedAnswer]:
    """Those of a run, paper by paper, those from before a paper was opened again too."""
    SqliteLedger(ledger).close()  # brought up to date
    with closing(sqlite3.connect(ledger)) as db:
        rows = db.execute(
            "SELECT a.paper_id, a.key, a.offset, a.length, p.generation FROM answer a"
            " JOIN paper p USING (run_id, paper_id) WHERE a.run_id = ? AND p.status = 'pending'"
            " ORDER BY a.paper_id, a.generation, a.key, a.offset",
            (run_id,),
        )
        return [
            UnfinishedAnswer(paper_id, PartPointer(key=key, offset=offset, length=length), opened)
            for paper_id, key, offset, length, opened in rows
        ]


def point_at(ledger: Path, run_id: str, copies: Mapping[PartPointer, PartPointer]) -> None:
    """Let a run's answers and the rows of pending papers point at copies of their lines; answers without one
    are left out."""
    with closing(sqlite3.connect(ledger)) as db, db:
        db.execute("CREATE TEMP TABLE copy (key, offset, new_key, new_offset, PRIMARY KEY (key, offset))")
        db.executemany(
            "INSERT INTO temp.copy VALUES (?,?,?,?)",
            [(old.key, old.offset, new.key, new.offset) for old, new in copies.items()],
        )
        for statement in _POINT:
            db.execute(statement, {"run": run_id})


def other_runs_results(ledger: Path, run_id: str) -> bool:
    """Whether the ledger knows results of other runs, which may be taken over."""
    with closing(sqlite3.connect(ledger)) as db:
        row = db.execute("SELECT 1 FROM fingerprint WHERE run_id <> ? LIMIT 1", (run_id,)).fetchone()
        return row is not None


def endpoint_notes(ledger: Path) -> list[str]:
    """What is remembered, of all endpoints."""
    with closing(sqlite3.connect(ledger)) as db:
        return [text for (text,) in db.execute("SELECT text FROM endpoint_note ORDER BY key")]


def reuse_at(ledger: Path, places: Mapping[str, tuple[Reusable, PartPointer]]) -> None:
    """Let fingerprints point at copies of earlier runs' lines."""
    with closing(sqlite3.connect(ledger)) as db, db:
        db.executemany(
            "INSERT INTO fingerprint (fingerprint, run_id, paper_id, key, offset, length) VALUES"
            " (?,?,?,?,?,?) ON CONFLICT (fingerprint) DO UPDATE SET run_id = excluded.run_id, paper_id ="
            " excluded.paper_id, key = excluded.key, offset = excluded.offset, length = excluded.length",
            [
                (name, result.run_id, result.paper_id, where.key, where.offset, where.length)
                for name, (result, where) in places.items()
            ],
        )
