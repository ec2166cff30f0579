"""Outcomes of papers, and the calls that paid for them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from handlers.adapters.sqlite.answer_tables import put_answers
from handlers.adapters.sqlite.database import Database
from handlers.adapters.sqlite.open_runs import arm
from handlers.adapters.sqlite.result_tables import put_heads, put_name
from handlers.domain.call import CallTotals
from handlers.domain.ledger import Commit, LedgerEntry, PaperRow
from handlers.domain.paper import TERMINAL, PaperStatus
from handlers.domain.result import PartPointer

_CHUNK = 500
_COLUMNS = "paper_id, generation, status, error, key, weight, reused, cost, flags, offset, length, segments"
"""Of a ``PaperRow``, in the order in which ``_paper`` takes them: by position a row costs half."""
_UPSERT = (
    "INSERT INTO paper (run_id, paper_id, batch_id, generation, status, error, key, offset, length,"
    " weight, reused, cost, flags, calls, busy_ms, segments) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
    " ON CONFLICT (run_id, paper_id) DO UPDATE SET generation = excluded.generation, status ="
    " excluded.status,"
    " error = excluded.error, key = excluded.key, offset = excluded.offset, length = excluded.length,"
    " reused = excluded.reused, cost = paper.cost + excluded.cost, flags = excluded.flags,"
    " calls = paper.calls + excluded.calls, busy_ms = paper.busy_ms + excluded.busy_ms,"
    " segments = excluded.segments WHERE paper.status = 'pending' AND excluded.generation >= paper.generation"
    " RETURNING cost, calls, busy_ms"
)
_NOT_ENDED = _UPSERT.replace("generation = excluded.generation, ", "")
"""A pending paper's generation stays the one in which it was opened: its answers count from there."""
_NO_BODY: Mapping[str, int] = MappingProxyType({})
_Sums = tuple[int, int, int]
"""Cost, calls and milliseconds of a paper by now."""


class PaperTables:
    _db: Database

    def paper_rows(self, run_id: str, paper_ids: Sequence[str]) -> dict[str, PaperRow]:
        rows: dict[str, PaperRow] = {}
        for start in range(0, len(paper_ids), _CHUNK):
            chunk = paper_ids[start : start + _CHUNK]
            marks = ",".join("?" * len(chunk))
            sql = f"SELECT {_COLUMNS} FROM paper WHERE run_id = ? AND paper_id IN ({marks})"
            rows.update({row[0]: _paper(row) for row in self._db.rows(sql, (run_id, *chunk))})
        return rows

    def entries(self, run_id: str) -> Iterator[PaperRow]:
        for row in self._db.stream(
            f"SELECT {_COLUMNS} FROM paper WHERE run_id = ? ORDER BY paper_id", (run_id,)
        ):
            yield _paper(row)

    def skip_reasons(self, run_id: str) -> dict[str, int]:
        rows = self._db.rows(
            "SELECT COALESCE(error, '') AS reason, SUM(weight) AS papers FROM paper"
            " WHERE run_id = ? AND status = 'skipped' GROUP BY reason",
            (run_id,),
        )
        return {row["reason"]: row["papers"] for row in rows}

    def commit(self, commits: Sequence[Commit]) -> set[tuple[str, str]]:
        accepted: set[tuple[str, str]] = set()
        with self._db.write(durable=True) as db:
            for commit in commits:
                if not _book_calls(db, commit):
                    continue  # the part came before, and its papers with it
                put_answers(db, commit)
                put_heads(db, commit)
                pending_first = sorted(commit.entries, key=lambda entry: entry.status != "pending")
                taken = [(entry, sums) for entry in pending_first if (sums := _take(db, commit, entry))]
                accepted.update((commit.run_id, entry.paper_id) for entry, _ in taken)
                _count(db, commit, taken)
        return accepted

    def unbooked(self, run_id: str, parts: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        known = "SELECT 1 FROM part WHERE run_id = ? AND part_id = ?"
        return [pair for pair in parts if self._db.row(known, (run_id, pair[1])) is None]

    def reopen(self, run_id: str, *, statuses: Sequence[PaperStatus], error: str | None) -> int:
        marks = ",".join("?" * len(statuses))
        chosen = f"run_id = ? AND status IN ({marks}) AND (? IS NULL OR error = ?)"
        arguments = (run_id, *statuses, error, error)
        with self._db.write(durable=True) as db:
            rows = db.execute(
                "SELECT batch_id, status, SUM(weight) AS n, COUNT(*) AS papers, SUM(cost) AS cost,"
                f" SUM(calls) AS calls, SUM(busy_ms) AS busy_ms FROM paper WHERE {chosen}"
                " GROUP BY batch_id, status",
                arguments,
            ).fetchall()
            for batch_id in {row["batch_id"] for row in rows}:
                db.execute(
                    "UPDATE batch SET generation = generation + 1, finished_at = NULL, attempts = 0"
                    " WHERE run_id = ? AND batch_id = ?",
                    (run_id, batch_id),
                )
            if rows:
                arm(db, run_id)
            for row in rows:
                db.execute(
                    f"UPDATE batch SET {row['status']} = {row['status']} - ?, settled = settled - ?,"
                    " cost = cost - ?, calls = calls - ?, busy_ms = busy_ms - ? WHERE run_id = ? AND batch_id"
                    " = ?",
                    (row["n"], *row[3:], run_id, row["batch_id"]),
                )
            db.execute(
                "UPDATE paper SET status = 'pending', error = NULL, key = NULL, flags = '[]', segments ="
                " NULL, generation ="
                " (SELECT b.generation FROM batch b WHERE b.run_id = paper.run_id AND b.batch_id ="
                " paper.batch_id)"
                f" WHERE {chosen}",
                arguments,
            )
        return sum(row["n"] for row in rows)


def _book_calls(db: sqlite3.Connection, commit: Commit) -> bool:
    """False if the part is booked already."""
    calls = commit.calls
    if not book_part(db, commit.run_id, commit.part_id, commit.job_id, commit.at, calls):
        return False
    where = (commit.run_id, commit.job_id)
    job = db.execute("SELECT ended_at FROM job WHERE run_id = ? AND job_id = ?", where).fetchone()
    if job is None:
        return True
    returned = take_back_lost(db, commit.run_id, commit.job_id, calls.taken)
    late = calls.taken - returned if job["ended_at"] is not None else 0
    if late:  # it was settled when the job was closed: what it spent since comes on top
        db.execute("UPDATE run SET held = held + ? WHERE run_id = ?", (late, commit.run_id))
    db.execute(
        "UPDATE job SET held = held + ?, spent = spent + ? WHERE run_id = ? AND job_id = ?",
        (late, calls.taken, *where),
    )
    return True


def take_back_lost(db: sqlite3.Connection, run_id: str, job_id: str, amount: int) -> int:
    """A job declared dead is alive: what it books or returns replaces what was booked as lost.
    Returns how much of ``amount`` did."""
    where = (run_id, job_id)
    job = db.execute("SELECT lost FROM job WHERE run_id = ? AND job_id = ?", where).fetchone()
    returned = min(int(job["lost"]), amount)
    if returned:
        db.execute("UPDATE job SET lost = lost - ? WHERE run_id = ? AND job_id = ?", (returned, *where))
        db.execute(
            "UPDATE part SET cost = cost - ?, indeterminate = indeterminate - ? WHERE run_id = ? AND"
            " part_id = ?",
            (returned, returned, run_id, f"lost/{job_id}"),
        )
        add_to_totals(db, run_id, CallTotals(cost=-returned, indeterminate=-returned))
    return returned


def book_part(
    db: sqlite3.Connection, run_id: str, part_id: str, job_id: str, at: float, calls: CallTotals
) -> bool:
    """Put a part's calls if absent; False if they are booked already."""
    insert = db.execute(
        "INSERT OR IGNORE INTO part (run_id, part_id, job_id, at, cost, indeterminate, held)"
        " VALUES (?,?,?,?,?,?,?)",
        (run_id, part_id, job_id, at, calls.cost, calls.indeterminate, calls.held),
    )
    if insert.rowcount == 0:
        return False
    db.execute("INSERT OR IGNORE INTO part_calls VALUES (?,?,?)", (run_id, part_id, compact(calls)))
    add_to_totals(db, run_id, calls)
    return True


def compact(calls: CallTotals) -> str:
    """As JSON, without what is zero."""
    return calls.model_dump_json(exclude_defaults=True)


def add_to_totals(db: sqlite3.Connection, run_id: str, calls: CallTotals) -> None:
    values = calls.model_dump()
    rows = [("latency", str(bucket), n) for bucket, n in values.pop("latency").items()]
    rows += [("error", name, n) for name, n in values.pop("errors").items()]
    rows += [("tier", name, n) for name, n in values.pop("tiers").items()]
    rows += [("sum", name, n) for name, n in values.items()]
    db.executemany(
        "INSERT INTO tally (run_id, kind, name, n) VALUES (?,?,?,?)"
        " ON CONFLICT (run_id, kind, name) DO UPDATE SET n = n + excluded.n",
        [(run_id, *row) for row in rows if row[2]],
    )


def _take(db: sqlite3.Connection, commit: Commit, entry: LedgerEntry) -> _Sums | None:
    """None if the paper's row is further."""
    where = entry.pointer
    row = db.execute(
        _NOT_ENDED if entry.status == "pending" else _UPSERT,
        (
            commit.run_id,
            entry.paper_id,
            commit.batch_id,
            entry.generation,
            entry.status,
            entry.error,
            where.key,
            where.offset,
            where.length,
            entry.weight,
            entry.reused,
            entry.cost,
            json.dumps(entry.flags),
            entry.calls,
            entry.busy_ms,
            json.dumps(entry.segments) if entry.segments else None,
        ),
    ).fetchone()
    if row is None:
        return None
    sums = (row[0], row[1], row[2])
    if entry.status == "pending":
        return sums
    if entry.reused:
        db.execute("UPDATE run SET reused = reused + ? WHERE run_id = ?", (entry.weight, commit.run_id))
    if entry.stands_under:
        put_name(db, commit.run_id, entry)
    return sums


def _count(db: sqlite3.Connection, commit: Commit, taken: Sequence[tuple[LedgerEntry, _Sums]]) -> None:
    """Add the outcomes to the batch's counts: one statement a part, not one a paper."""
    sums = dict.fromkeys((*TERMINAL, "settled", "cost", "calls", "busy_ms"), 0)
    for entry, (cost, calls, busy_ms) in taken:
        if entry.status != "pending":
            sums[entry.status] += entry.weight
            sums["settled"] += 1
            sums["cost"] += cost
            sums["calls"] += calls
            sums["busy_ms"] += busy_ms
    if sums["settled"]:
        changes = ", ".join(f"{name} = {name} + ?" for name in sums)
        db.execute(
            f"UPDATE batch SET {changes} WHERE run_id = ? AND batch_id = ?",
            (*sums.values(), commit.run_id, commit.batch_id),
        )


def _paper(row: sqlite3.Row) -> PaperRow:
    paper_id, generation, status, error, key, weight, reused, cost, flags, offset, length, segments = row
    return PaperRow(
        paper_id,
        generation,
        status,
        error,
        None if key is None else PartPointer(key=key, offset=offset, length=length),
        weight,
        bool(reused),
        cost,
        () if flags == "[]" else tuple(json.loads(flags)),
        _NO_BODY if segments is None else json.loads(segments),
    )
