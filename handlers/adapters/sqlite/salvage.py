"""SQLite files that may be damaged: looked at, read as far as they can be, set aside."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from handlers.domain.money import NanoUsd


@dataclass(frozen=True)
class Salvaged:
    """What a damaged ledger still says of a run; ``spend`` is None if it cannot be trusted."""

    spend: NanoUsd | None = None
    budget: NanoUsd | None = None
    cancelled: str | None = None
    """Why the run was cancelled, if it was."""
    held: NanoUsd = NanoUsd(0)
    """What was ever held for its calls of unknown cost, ``released`` included."""
    released: NanoUsd = NanoUsd(0)
    """What was let go of that."""


def damage(path: Path) -> str | None:
    """What is wrong with a file's structure, in SQLite's words; None if nothing is, or there is no file.
    A second for some ten million rows."""
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(path, timeout=60)) as db:
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:
        return None  # locked, read-only, out of space: whoever opens it says so
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if verdict == "ok" else str(verdict).replace("\n", " ")[:200]


def salvage(path: Path, run_id: str) -> Salvaged:
    """The spend is believed if two tables agree on it."""
    if not path.exists():
        return Salvaged()
    budget: NanoUsd | None = None
    cancelled: str | None = None
    try:
        with closing(sqlite3.connect(path, timeout=60)) as db:
            row = db.execute("SELECT budget, control, reason FROM run WHERE run_id = ?", (run_id,)).fetchone()
            if row is not None:
                budget = NanoUsd(row[0]) if isinstance(row[0], int) else None
                cancelled = str(row[2]) if row[1] == "cancelled" else None
            tally = db.execute(
                "SELECT n FROM tally WHERE run_id = ? AND kind = 'sum' AND name = 'cost'", (run_id,)
            ).fetchone()
            parts = db.execute("SELECT SUM(cost) FROM part WHERE run_id = ?", (run_id,)).fetchone()
    except sqlite3.DatabaseError:
        return Salvaged(None, budget, cancelled)
    spend = tally[0] if tally is not None else 0
    agreed = isinstance(spend, int) and spend == (parts[0] or 0)
    if not agreed:
        return Salvaged(None, budget, cancelled)
    return Salvaged(NanoUsd(spend), budget, cancelled, *_held(path, run_id))


def _held(path: Path, run_id: str) -> tuple[NanoUsd, NanoUsd]:
    """(ever held, let go): none in ledgers that knew of none, and in those that do not say so in numbers."""
    try:
        with closing(sqlite3.connect(path, timeout=60)) as db:
            held, released = db.execute(
                "SELECT SUM(held), SUM(released) FROM part WHERE run_id = ?", (run_id,)
            ).fetchone()
    except sqlite3.DatabaseError:
        return NanoUsd(0), NanoUsd(0)
    if not (isinstance(held, int) and isinstance(released, int) and 0 <= released <= held):
        return NanoUsd(0), NanoUsd(0)
    return NanoUsd(held), NanoUsd(released)


def set_aside(path: Path, target: Path) -> None:
    """Rename a database with what belongs to it."""
    for ending in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(target.with_name(target.name + ending))
