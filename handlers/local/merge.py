"""Merges the state folders of jobs that worked apart."""

from __future__ import annotations

import fcntl
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from handlers.adapters.file_merge import merge_objects, object_size
from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.merge_ledger import MergeResult, merge_ledger
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.counted import counted
from handlers.errors import UnknownRunError, UsageError
from handlers.runs.run_record import store_record
from handlers.state_paths import LEDGER, LOCK


def check_state(state: Path, run_id: str) -> None:
    """UsageError if the folder is no state, has no such run, or somebody works on it."""
    if not (state / LEDGER).is_file():
        raise UnknownRunError(f"{state}: no state folder (there is no {LEDGER} in it)")
    _check_idle(state)
    known = runs_of(state)
    if run_id not in known:
        raise UnknownRunError(f"{state}: no run {run_id!r} (runs there: {', '.join(known) or 'none'})")


def runs_of(state: Path) -> list[str]:
    """The ids of the runs that a state folder knows; the folder is left as it is."""
    with _copied(state) as copy:
        try:
            ledger = SqliteLedger(copy)
            try:
                return ledger.run_ids()
            finally:
                ledger.close()
        except (UsageError, sqlite3.DatabaseError) as error:
            raise UsageError(f"{state / LEDGER}: cannot be read: {str(error).rpartition(': ')[2]}") from error


def merge_state(into: Path, state: Path, run_id: str) -> MergeResult:
    """Unite one state folder with ``into``. Objects first, ledger second: what the ledger says is durable."""
    into.mkdir(parents=True, exist_ok=True)
    merge_objects(into, state, run_id)
    with _copied(state) as copy:
        merged = merge_ledger(into / LEDGER, copy, run_id, size=lambda key: object_size(into, key))
    ledger, store = SqliteLedger(into / LEDGER), FileStore(into)
    store_record(ledger.run(run_id), store)  # without it no repair
    ledger.close()
    store.close()
    return merged


def merge_sentence(state: Path, merged: MergeResult) -> str:
    """What a source brought, in a sentence."""
    sentence = f"{state}: {counted(merged.papers, 'paper')} further, {merged.parts:,} parts new"
    if merged.lost_results:
        sentence += (
            f"; {merged.lost_results:,} results point at files that are not there and are left out: "
            "their papers will be done again"
        )
    return sentence


def _check_idle(state: Path) -> None:
    lock = state / LOCK
    if not lock.exists():
        return
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"{state}: somebody works on this state; merge it once they have ended"
            ) from None


@contextmanager
def _copied(state: Path) -> Iterator[Path]:
    """A copy of the ledger, to be read without a trace in the folder that it comes from."""
    with tempfile.TemporaryDirectory(prefix="paperfleet-merge-") as folder:
        for name in (LEDGER, f"{LEDGER}-wal"):
            if (state / name).exists():
                shutil.copyfile(state / name, Path(folder) / name)
        yield Path(folder) / LEDGER
