"""``paperfleet regate``: stored answers judged again for nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from handlers.audit.gate_change import change_gate, changed_gate
from handlers.audit.regate import Regated, regate
from handlers.bootstrap import wiring
from handlers.bootstrap.host import is_alive
from handlers.cli.existing.opened_run import forget_ahead, opened_run
from handlers.cli.flags import shared_options
from handlers.cli.flags.setting_flags import add_command
from handlers.counted import counted
from handlers.flag_groups import names_in
from handlers.settings import load_settings


def register(app: typer.Typer) -> None:
    add_command(app, "regate", regate_run, "regate --run-id june --dry-run")


def regate_run(
    *,
    task: Annotated[
        Path | None,
        typer.Option("--task", help="Task file that asks what the run asked and checks otherwise."),
    ] = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would move.")] = False,
    as_json: shared_options.AsJson = False,
    **flags: Any,
) -> None:
    """Judge a run's stored answers by the gate of today, at no cost: papers move between done and flagged.
    `retry --flagged` then asks again about those that are refused now.
    """
    plugins = names_in(load_settings(**flags).allow_plugins)
    with opened_run(flags) as (adapters, run):
        record = adapters.ledger.run(run)
        if task is None:
            judge = wiring.task_of(record.spec, adapters.store, plugins=plugins)
        else:
            from handlers.tasks.file_task.load_task import load_task  # for such runs alone

            bundle = load_task(task, plugins)
            changed = changed_gate(record, bundle, adapters.store)
            if not dry:
                change_gate(adapters, record, changed, bundle, is_alive)
            record = replace(record, spec=changed)
            judge = wiring.task_of(changed, bundle=bundle)
        done = regate(adapters, record, judge, dry=dry)
        if not dry:
            forget_ahead(adapters, run)
    typer.echo(done.model_dump_json() if as_json else f"run {run}: {_sentence(done)}")


def _sentence(done: Regated) -> str:
    moved = [f"{n:,} {way.replace('->', ' to ')}" for way, n in done.moved.items()]
    less = [
        f"{n:,} {why}"
        for n, why in (
            (done.unanswered, "without a stored answer to what would be asked"),
            (done.unreadable, "that cannot be read"),
            (done.unfinished, "in batches that are not finished (judge them by `regate` once they are)"),
        )
        if n
    ]
    verb = "would move" if done.dry else "moved"
    what = f"{verb}: {', '.join(moved)}" if moved else "none has another verdict"
    kept = f"; left as they are: {', '.join(less)}" if less else ""
    return f"{counted(done.papers, 'paper')} judged by gate {done.gate[:12]}, {what}{kept}"
