"""``paperfleet repair`` and ``paperfleet audit``: rebuild a damaged state, and check one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.salvage import damage, salvage, set_aside
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.audit.audit import Audit, audit, release_held
from handlers.audit.bill import Bill, read_bill
from handlers.audit.repair import Repaired, repair
from handlers.bootstrap.state import SystemClock, open_state
from handlers.cli.existing.opened_run import with_run
from handlers.cli.flags import shared_options
from handlers.cli.flags.setting_flags import add_command
from handlers.counted import counted
from handlers.errors import DamagedObjectError, UnknownRunError, UsageError
from handlers.local.preflight import refuse_damaged
from handlers.local.state_lock import only_parent
from handlers.runs.run_record import stored_record
from handlers.settings import load_settings
from handlers.state_paths import LEDGER, QUEUE, RUNS, run_folder

DIFFERENCES = 3
"""Exit code of an audit that found some."""
_SHOWN = 50


def register(app: typer.Typer) -> None:
    add_command(app, "repair", repair_state, "repair --state paperfleet-state")
    add_command(app, "audit", audit_run, "audit --run-id june --bill usage.csv")


def repair_state(*, as_json: shared_options.AsJson = False, **flags: Any) -> None:
    """Rebuild the ledger from the parts after it or a part was damaged or lost. Every readable result stays;
    damaged ones are listed and their papers are pending again. The old ledger is set aside, never deleted.
    Each run is parked, and the same `run` command resumes it; a cancelled run stays cancelled.
    """
    settings = load_settings(**flags)
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
            typer.echo(_summary(each))


def _rebuild(root: Path, runs: list[str]) -> list[Repaired]:
    """Write all runs of a state to a new ledger, which takes the old one's name once it is whole."""
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
    """UsageError if the run cannot be repaired: a ledger without it would pay for all of it again."""
    old = salvage(root / LEDGER, run_id)
    try:
        record = stored_record(run_id, store)
        return repair(record, old, ledger=ledger, store=store, clock=SystemClock())
    except DamagedObjectError as error:
        raise UsageError(
            f"run {run_id} cannot be repaired, and nothing is changed: {error}; or move "
            f"{run_folder(root, run_id)} elsewhere, and the other runs are repaired without it"
        ) from error


def _summary(run: Repaired) -> str:
    lines = [
        f"run {run.run_id}: {counted(run.lines, 'result')} read, "
        + ", ".join(f"{n:,} {status}" for status, n in run.counts.items())
        + f" of {counted(run.papers, 'paper')}; ${run.spend_usd:.6f} spent in {counted(run.calls, 'call')}"
    ]
    lines += [
        f"  damaged: {each.file}, byte {each.byte:,}: its paper is pending again" for each in run.damaged
    ]
    if run.torn:
        lines.append(
            f"  {counted(run.torn, 'unfinished line')} at the ends of files: jobs were killed while writing"
        )
    if run.unaccounted_usd:
        lines.append(f"  ${run.unaccounted_usd:.6f} of it is indeterminate: booked before, and in no line")
    if not run.old_ledger:
        lines.append("  the old ledger could not be read: what killed jobs may have spent is not known")
    return "\n".join(lines)


def audit_run(
    *,
    bill: Annotated[
        Path | None,
        typer.Option(
            help="CSV of the provider; its columns for cost (USD), requests and tokens are recognised."
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--bill-model", help="Count only the bill's rows of this model.")
    ] = None,
    release: Annotated[
        bool,
        typer.Option(
            "--release-held",
            help="Give back to the budget what is held for calls of unknown cost; with --bill, all but what"
            " the bill has beyond the ledger. Give a bill that has every call.",
        ),
    ] = False,
    as_json: shared_options.AsJson = False,
    **flags: Any,
) -> None:
    """Compare a run's ledger with its parts, line by line, and with the provider's --bill. Lists each
    difference and exits with 3 if there is one, with 0 otherwise. Without --release-held it changes nothing.
    """
    settings = load_settings(**flags)
    if settings.backend == "embedded":
        if not (settings.state / LEDGER).is_file():
            raise UnknownRunError(f"no ledger in {settings.state}: give --state DIR of a run")
        refuse_damaged(settings.state)
    billed: Bill | None = None if bill is None else read_bill(bill, model)
    settings = with_run(settings)
    with open_state(settings.run_id, settings) as adapters:
        result = audit(adapters, settings.run_id, billed)
        if release:
            result = release_held(adapters.ledger, result, billed)
    typer.echo(result.model_dump_json(indent=2) if as_json else _table(result))
    raise typer.Exit(DIFFERENCES if result.differences else 0)


def _table(result: Audit) -> str:
    lines = [f"{'':20}{'ledger':>18}{'parts':>18}{'bill':>18}"]
    for name in ("calls", "prompt_tokens", "completion_tokens", "cost_usd"):
        values = [getattr(each, name, None) for each in (result.ledger, result.parts, result.bill)]
        lines.append(
            f"{name:20}" + "".join(f"{'-' if value is None else f'{value:,}':>18}" for value in values)
        )
    lines += [f"indeterminate (part of the ledger's cost): ${result.indeterminate_usd:.9f}"]
    lines += [f"held beside it for calls of unknown cost: ${result.held_usd:.9f}"]
    if result.released_usd is not None:
        lines += [f"let go, and back in the budget: ${result.released_usd:.9f}"]
    lines += [f"explained: {each}" for each in result.explained]
    shown = [f"✗ {each.kind} {each.where}: {each.detail}" for each in result.differences[:_SHOWN]]
    if len(result.differences) > _SHOWN:
        shown.append(f"... and {len(result.differences) - _SHOWN:,} more: --json lists all")
    return "\n".join([*lines, *(shown or ["no differences"])])
