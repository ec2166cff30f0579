"""Merges ledgers of one run by part, by paper and by job, in any order and any number of times.

Sums (tally, counts of batches, what is held of the budget) are never added up from ledger to ledger. They
are made anew from the merged parts, papers and jobs, each of which stands once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from handlers.adapters.sqlite.merge_jobs import merge_jobs, merge_sessions
from handlers.adapters.sqlite.merge_sql import (
    ADD_BATCHES,
    ADD_PARTS,
    COUNT_BATCHES,
    COUNT_REUSED,
    DATE_BATCHES,
    DEAREST_BUDGET,
    FREE_LEASES,
    GROW_BATCHES,
    LAST_WORD,
    LATEST_CONTROL,
    LET_GO,
    LOST_ANSWERS,
    OTHER_CUT,
    OTHER_REPAIR,
    STILL_HELD,
    TAKE_ANSWERS,
    TAKE_FINGERPRINTS,
    TAKE_NOTES,
    TAKE_PAPERS,
    WEIGH_PAPERS,
    WEIGHED,
)
from handlers.adapters.sqlite.paper_tables import add_to_totals
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.call import CallTotals
from handlers.domain.ledger import REPAIR_PART
from handlers.domain.run import RunSpec
from handlers.errors import RunChangedError, UnknownRunError, UsageError


@dataclass(frozen=True)
class MergeResult:
    """What a merge took from one source."""

    papers: int
    """Papers whose row is new or further than what was there."""
    parts: int
    lost_results: int
    """Rows left out because the object that they point at is in neither state: their papers stay as they
    were, to be done again."""


def merge_ledger(into: Path, source: Path, run_id: str, *, size: Callable[[str], int]) -> MergeResult:
    """Take everything that the ledger ``source`` knows of a run into the ledger ``into``, in one transaction.

    ``size`` gives the bytes of an object of the state that is merged into, 0 if there is none. Nobody works
    on either state: leases are freed, jobs that were open are closed as killed, and what they held of the
    budget is booked as indeterminate. ``source`` is a copy that may be written to.

    UnknownRunError if ``source`` has no such run; RunChangedError if its fixed settings differ; UsageError if
    one of the two was repaired and both have calls.
    """
    for path in (into, source):
        SqliteLedger(path).close()  # made or checked, and brought up to date
    with _attached(into, source) as db:
        _merge_run(db, run_id)
        for statement in LAST_WORD:
            db.execute(statement, {"run": run_id})
        _merge_batches(db, run_id)
        lost = _list_objects(db, run_id, size)
        papers = db.execute(TAKE_PAPERS, {"run": run_id}).rowcount
        db.execute(TAKE_ANSWERS, {"run": run_id})
        db.execute(TAKE_FINGERPRINTS, {"run": run_id})
        db.execute(TAKE_NOTES)
        parts = _merge_parts(db, run_id)
        merge_jobs(db, run_id)
        merge_sessions(db, run_id)
        _count_batches(db, run_id)
    return MergeResult(papers, parts, lost)


@contextmanager
def _attached(into: Path, source: Path) -> Iterator[sqlite3.Connection]:
    """One durable transaction on ``into`` that sees ``source`` as the schema ``src``."""
    db = sqlite3.connect(into, timeout=60, isolation_level=None)
    try:
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA synchronous=FULL")
        db.execute("ATTACH DATABASE ? AS src", (str(source),))
        db.execute("CREATE TEMP TABLE object (key TEXT PRIMARY KEY, size INTEGER NOT NULL)")
        db.execute(WEIGHED)
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
    finally:
        db.close()


def _merge_run(db: sqlite3.Connection, run_id: str) -> None:
    theirs = db.execute("SELECT * FROM src.run WHERE run_id = ?", (run_id,)).fetchone()
    if theirs is None:
        known = ", ".join(row[0] for row in db.execute("SELECT run_id FROM src.run ORDER BY 1")) or "none"
        raise UnknownRunError(f"no run {run_id!r} in this state (runs there: {known})")
    ours = db.execute("SELECT * FROM main.run WHERE run_id = ?", (run_id,)).fetchone()
    if ours is None:
        db.execute(
            "INSERT INTO main.run (run_id, spec, papers, same_as, created_at, budget, control, reason,"
            " control_at) SELECT run_id, spec, papers, same_as, created_at, budget, control, reason,"
            " control_at FROM src.run WHERE run_id = ?",
            (run_id,),
        )
        return
    specs = [RunSpec.model_validate_json(row["spec"]) for row in (ours, theirs)]
    if (diff := specs[0].diff(specs[1])) and diff.keys() != {"task_bundle"}:
        raise RunChangedError(run_id, diff)
    if diff:  # a task file of another name or description, that asks and judges the same: the later one's
        db.execute("UPDATE main.run SET spec = ? WHERE run_id = ?", (theirs["spec"], run_id))
    if (ours["papers"], ours["same_as"]) != (theirs["papers"], theirs["same_as"]):
        raise UsageError(
            f"run {run_id!r}: {ours['papers']} papers in one ledger, {theirs['papers']} in another"
        )
    if db.execute(OTHER_REPAIR, {"run": run_id, "repair": REPAIR_PART}).fetchone() is not None:
        raise UsageError(
            f"run {run_id!r}: one of these ledgers was repaired, and its calls are one sum that cannot be"
            " told from the other's. The results lie together now: `paperfleet repair` of the state that is"
            " merged into books their calls again, each once"
        )
    db.execute(DEAREST_BUDGET, {"run": run_id})
    db.execute(LATEST_CONTROL, {"run": run_id})


def _merge_batches(db: sqlite3.Connection, run_id: str) -> None:
    other = db.execute(OTHER_CUT, {"run": run_id}).fetchone()
    if other is not None:
        raise UsageError(f"run {run_id!r}: batch {other[0]!r} was cut differently: these are two runs")
    db.execute(ADD_BATCHES, {"run": run_id})
    db.execute(GROW_BATCHES, {"run": run_id})


def _list_objects(db: sqlite3.Connection, run_id: str, size: Callable[[str], int]) -> int:
    """Fill the table ``object``; returns how many rows of ``src`` point past what it holds."""
    keys = db.execute(
        "SELECT key FROM src.paper WHERE run_id = :run AND key NOT NULL"
        " UNION SELECT key FROM src.fingerprint WHERE run_id = :run"
        " UNION SELECT key FROM src.answer WHERE run_id = :run",
        {"run": run_id},
    )
    db.executemany("INSERT INTO temp.object VALUES (?, ?)", [(key, size(key)) for (key,) in keys.fetchall()])
    row = db.execute(
        "SELECT COUNT(*) FROM src.paper p JOIN temp.object o USING (key)"
        " WHERE p.run_id = ? AND p.offset + p.length > o.size AND NOT EXISTS"
        " (SELECT 1 FROM main.paper m WHERE m.run_id = p.run_id AND m.paper_id = p.paper_id"
        " AND m.key IS p.key AND m.offset IS p.offset)",
        (run_id,),
    ).fetchone()
    (answers,) = db.execute(LOST_ANSWERS, {"run": run_id}).fetchone()
    return int(row[0]) + int(answers)


def _merge_parts(db: sqlite3.Connection, run_id: str) -> int:
    """Add the parts that are new, and their sums to the totals; returns how many. What jobs lost is not
    merged: it follows from the jobs."""
    rows = db.execute(
        "SELECT p.cost, p.indeterminate, c.calls FROM src.part p LEFT JOIN src.part_calls c"
        " USING (run_id, part_id) WHERE p.run_id = ? AND p.part_id NOT LIKE 'lost/%' AND NOT EXISTS"
        " (SELECT 1 FROM main.part m WHERE m.run_id = p.run_id AND m.part_id = p.part_id)",
        (run_id,),
    )
    total, count = CallTotals(), 0
    for cost, indeterminate, calls in rows:
        count += 1
        if calls is None:  # booked by a version that kept no sums by part: the money is known all the same
            total = total.plus(CallTotals(cost=cost, indeterminate=indeterminate))
        else:
            total = total.plus(CallTotals.model_validate_json(calls))
    add_to_totals(db, run_id, total)
    for statement in (*ADD_PARTS, LET_GO):
        db.execute(statement, {"run": run_id})
    _count_held(db, run_id)
    return count


def _count_held(db: sqlite3.Connection, run_id: str) -> None:
    (held,) = db.execute(STILL_HELD, {"run": run_id}).fetchone()
    db.execute("DELETE FROM main.tally WHERE run_id = ? AND kind = 'sum' AND name = 'held'", (run_id,))
    add_to_totals(db, run_id, CallTotals(held=held))


def _count_batches(db: sqlite3.Connection, run_id: str) -> None:
    for statement in (FREE_LEASES, WEIGH_PAPERS, DATE_BATCHES, COUNT_BATCHES, COUNT_REUSED):
        db.execute(statement, {"run": run_id})
