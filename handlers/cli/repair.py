"""``paperfleet repair`` and ``paperfleet audit``: a damaged state, and one that is to be believed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.salvage import damage, salvage, set_aside
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.audit.audit import Audit, audit
from handlers.audit.bill import Bill, read_bill
from handlers.audit.repair import Repaired, repair
from handlers.bootstrap.state import SystemClock, open_state
from handlers.cli import options
from handlers.errors import DamagedObjectError, UnknownRunError, UsageError
from handlers.local.preflight import refuse_damaged
from handlers.local.state_lock import only_parent
from handlers.runs.run_record import kept_record
from handlers.settings import load_settings
from handlers.state_paths import LEDGER, QUEUE, RUNS, run_folder

DIFFERENCES = 3
"""Exit code of an audit that found some."""
_SHOWN = 50


def register(app: typer.Typer) -> None:
    app.command("repair", epilog="Example: `paperfleet repair --state paperfleet-state`")(repair_state)
    app.command("audit", epilog="Example: `paperfleet audit --run-id june --bill usage.csv`")(audit_run)


def repair_state(state: options.State = None, as_json: options.AsJson = False) -> None:
    """Make the ledger again from the parts, after it or a part was damaged or lost. Every result that
    can be read is kept; damaged ones are named and their papers are pending again. The old ledger is
    set aside, never deleted. Each run is parked: the same `run` command goes on; one that was cancelled
    stays so.
    """
    settings = load_settings(state=state)
    root = settings.state
    runs = sorted(path.name for path in (root / RUNS).glob("*") if path.is_dir())
    if not runs:
        raise UnknownRunError(f"{root}: no run lies there (no folder {RUNS}/): give --state DIR of a run")
    with only_parent(root):
        repaired = _rebuild(root, runs)
    if as_json:
        typer.echo("[" + ",".join(each.model_dump_json() for each in repaired) + "]")
    else:
        for each in repaired:
            typer.echo(_told(each))


def _rebuild(root: Path, runs: list[str]) -> list[Repaired]:
    """All runs of a state into a new ledger, which takes the old one's name once it is whole."""
    fresh, stamp = root / f"{LEDGER}.repairing", datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    for leftover in root.glob(fresh.name + "*"):
        leftover.unlink()
    ledger, store = SqliteLedger(fresh), FileStore(root)
    console = Console(stderr=True, highlight=False)
    try:
        repaired = [_repair_run(root, run_id, ledger, store) for run_id in runs]
    finally:
        ledger.close()
        store.close()
    set_aside(root / LEDGER, root / f"{LEDGER}.{stamp}.old")
    set_aside(fresh, root / LEDGER)
    if damage(root / QUEUE) is not None:
        set_aside(root / QUEUE, root / f"{QUEUE}.{stamp}.old")
    console.print(f"the old ledger is kept as {root / f'{LEDGER}.{stamp}.old'}", markup=False, soft_wrap=True)
    return repaired


def _repair_run(root: Path, run_id: str, ledger: SqliteLedger, store: FileStore) -> Repaired:
    """UsageError if it cannot be: a ledger without it would have all of it paid for again."""
    old = salvage(root / LEDGER, run_id)
    try:
        record = kept_record(run_id, store)
        return repair(record, old, ledger=ledger, store=store, clock=SystemClock())
    except DamagedObjectError as error:
        raise UsageError(
            f"run {run_id} cannot be repaired, and nothing is changed: {error}; or move "
            f"{run_folder(root, run_id)} elsewhere, and the other runs are repaired without it"
        ) from error


def _told(run: Repaired) -> str:
    lines = [
        f"run {run.run_id}: {run.lines:,} results read, "
        + ", ".join(f"{n:,} {status}" for status, n in run.counts.items())
        + f" of {run.papers:,} papers; ${run.spend_usd:.6f} spent in {run.calls:,} calls"
    ]
    lines += [
        f"  damaged: {each.file}, byte {each.byte:,}: its paper is pending again" for each in run.damaged
    ]
    if run.torn:
        lines.append(
            f"  {run.torn} unfinished lines at the ends of files: their jobs were killed while writing"
        )
    if run.unaccounted_usd:
        lines.append(f"  ${run.unaccounted_usd:.6f} of it is indeterminate: booked before, and in no line")
    if not run.old_ledger:
        lines.append("  the old ledger could not be read: what killed jobs may have spent is not known")
    return "\n".join(lines)


def audit_run(
    state: options.State = None,
    run_id: options.RunId = None,
    aws: options.Aws = None,
    bill: Annotated[
        Path | None,
        typer.Option(help="CSV of the provider: its columns for cost (USD), requests and tokens are found."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--bill-model", help="Count only the bill's rows of this model.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Compare a run's ledger with its parts, line by line, and with a provider's bill if one is given.
    Lists each difference; exit 0 if there is none, 3 otherwise. Changes nothing.
    """
    settings = load_settings(state=state, run_id=run_id, aws=aws)
    if settings.backend == "embedded":
        if not (settings.state / LEDGER).is_file():
            raise UnknownRunError(f"no ledger in {settings.state}: give --state DIR of a run")
        refuse_damaged(settings.state)
    billed: Bill | None = None if bill is None else read_bill(bill, model)
    with open_state(settings.run_id, settings) as adapters:
        found = audit(adapters, settings.run_id, billed)
    typer.echo(found.model_dump_json(indent=2) if as_json else _table(found))
    raise typer.Exit(DIFFERENCES if found.differences else 0)


def _table(found: Audit) -> str:
    lines = [f"{'':20}{'ledger':>18}{'parts':>18}{'bill':>18}"]
    for name in ("calls", "prompt_tokens", "completion_tokens", "cost_usd"):
        values = [getattr(each, name, None) for each in (found.ledger, found.parts, found.bill)]
        lines.append(
            f"{name:20}" + "".join(f"{'-' if value is None else f'{value:,}':>18}" for value in values)
        )
    lines += [f"indeterminate (part of the ledger's cost): ${found.indeterminate_usd:.9f}"]
    lines += [f"explained: {each}" for each in found.explained]
    shown = [f"✗ {each.kind} {each.where}: {each.detail}" for each in found.differences[:_SHOWN]]
    if len(found.differences) > _SHOWN:
        shown.append(f"... and {len(found.differences) - _SHOWN:,} more: --json lists all")
    return "\n".join([*lines, *(shown or ["no differences"])])
