"""``paperfleet merge``: state folders of jobs that worked apart become one."""

from __future__ import annotations

import fcntl
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from handlers import bootstrap
from handlers.adapters.file_merge import object_size, unite_objects
from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite_merge import United, unite_ledger
from handlers.cli import options
from handlers.cli.parent import only_parent
from handlers.cli.session import print_report
from handlers.errors import UnknownRunError, UsageError
from handlers.pipeline.run_record import keep_record
from handlers.pipeline.submit import emit
from handlers.pipeline.summarise import RunReport, summarise
from handlers.settings import load_settings

LEDGER = "ledger.sqlite3"


def register(app: typer.Typer) -> None:
    app.command("merge", epilog="Example: `paperfleet merge job-1 job-2 job-3 --into all --run-id june`")(
        merge
    )


def merge(
    states: Annotated[list[Path], typer.Argument(metavar="STATE...", help="State folders of the same run.")],
    into: Annotated[
        Path, typer.Option("--into", help="State folder to merge into; made if it is not there.")
    ],
    run_id: options.RunId = None,
    as_json: options.AsJson = False,
) -> None:
    """Unite the state folders of jobs or sessions of one run: by paper, part, call and job. Merging again, or
    in another order, changes nothing. Jobs that were open are closed: what they held of the budget is booked
    as indeterminate until a later state of theirs is merged.
    """
    settings = load_settings(state=into, run_id=run_id)
    console = Console(stderr=True, highlight=False)
    sources = [state for state in states if state.resolve() != settings.state.resolve()]
    for state in sources:
        check_state(state, settings.run_id)
    with only_parent(settings.state):
        for state in sources:
            united = take_in(settings.state, state, settings.run_id)
            console.print(told(state, united), markup=False, soft_wrap=True)
        report = _standing(settings.state, settings.run_id)
    print_report(report, as_json=as_json)


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


def take_in(into: Path, state: Path, run_id: str) -> United:
    """Unite one state folder with ``into``. Objects first, ledger second: what the ledger says is durable."""
    into.mkdir(parents=True, exist_ok=True)
    unite_objects(into, state, run_id)
    with _copied(state) as copy:
        united = unite_ledger(into / LEDGER, copy, run_id, size=lambda key: object_size(into, key))
    ledger, store = SqliteLedger(into / LEDGER), FileStore(into)
    keep_record(ledger.run(run_id), store)  # without it no repair
    ledger.close()
    store.close()
    return united


def told(state: Path, united: United) -> str:
    """What a source brought, in a sentence."""
    sentence = f"{state}: {united.papers:,} papers further, {united.parts:,} parts new"
    if united.lost_results:
        sentence += (
            f"; {united.lost_results:,} results point at files that are not there and are left out: "
            "their papers will be done again"
        )
    return sentence


def _check_idle(state: Path) -> None:
    lock = state / "parent.lock"
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


def _standing(state: Path, run_id: str) -> RunReport:
    """How the merged run stands, its unfinished batches sent to the queue."""
    with bootstrap.open_state(run_id, load_settings(state=state, run_id=run_id)) as adapters:
        adapters.queue.purge()
        if adapters.ledger.control(run_id).state == "active":
            emit(run_id, ledger=adapters.ledger, queue=adapters.queue)
        return summarise(
            run_id,
            ledger=adapters.ledger,
            queue=adapters.queue,
            now=adapters.clock.now(),
            is_alive=bootstrap.is_alive,
            detail=True,
        )
