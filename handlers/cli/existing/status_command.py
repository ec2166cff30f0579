"""``paperfleet status``: how a run stands, in less than half a second."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from handlers.bootstrap.host import is_alive
from handlers.bootstrap.state import State
from handlers.cli.existing.opened_run import opened_run
from handlers.cli.flags import shared_options
from handlers.cli.flags.setting_flags import add_command
from handlers.domain.run_report import RunReport
from handlers.planning.plan_against_run import with_forecast
from handlers.reporting.terminal import render
from handlers.runs.summarise import summarise
from handlers.state_paths import run_folder

_WATCH_EVERY = 2.0


def register(app: typer.Typer) -> None:
    add_command(app, "status", status, "status --run-id june --watch")


def status(
    *,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show progress until no job works on the run, then the report.")
    ] = False,
    as_json: shared_options.AsJson = False,
    **flags: Any,
) -> None:
    """Show the state of a run: papers, pace, money, jobs and queue. Fast, however many papers there are."""
    with opened_run(flags) as (adapters, run):
        summary = report_of(adapters, run)
        if as_json:
            typer.echo(summary.model_dump_json())
        elif watch:
            _watch(adapters, run, summary)
        else:
            render(summary, Console())


def report_of(adapters: State, run_id: str, *, detail: bool = False) -> RunReport:
    """The report of a run, beside the plan that it executes if there is one."""
    # On AWS every row of the run would be read for it.
    skips = not adapters.by_itself
    summary = summarise(adapters, run_id, is_alive=is_alive, detail=detail, with_skips=skips)
    return with_forecast(summary, run_folder(adapters.directory, run_id))


def _watch(adapters: State, run_id: str, first: RunReport) -> None:
    """Show progress on stderr as the session does, and the report once no job works on the run."""
    from handlers.reporting.progress import Progress  # nobody else here waits for it

    summary = first
    with Progress(Console(stderr=True, highlight=False)) as progress:
        while summary.state == "running":
            progress.update(adapters.ledger, run_id, now=adapters.clock.now())
            adapters.clock.sleep(_WATCH_EVERY)
            summary = report_of(adapters, run_id)
    render(summary, Console())
