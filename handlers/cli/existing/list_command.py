"""``paperfleet runs``: the runs of a state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from pydantic import BaseModel
from rich.console import Console

from handlers.bootstrap.host import is_alive
from handlers.bootstrap.state import State, open_state
from handlers.cli.existing.opened_run import check_folder
from handlers.cli.flags import shared_options
from handlers.cli.flags.setting_flags import add_command
from handlers.counted import counted
from handlers.domain.money import dollars
from handlers.domain.paper import PaperStatus
from handlers.domain.run import RunState
from handlers.errors import EarlierLayoutError
from handlers.reporting.tables import ReportTable, age
from handlers.reporting.terminal import print_table
from handlers.runs.summarise import summarise
from handlers.settings import load_settings


class ListedRun(BaseModel):
    """One run of ``paperfleet runs --json``."""

    run_id: str
    state: RunState
    reason: str
    model: str
    papers: int
    counts: dict[PaperStatus, int]
    spend_usd: float
    budget_usd: float | None
    age_s: float
    """Seconds since it was created."""


def register(app: typer.Typer) -> None:
    add_command(app, "runs", list_runs, "runs --state paperfleet-state")


def list_runs(*, as_json: shared_options.AsJson = False, **flags: Any) -> None:
    """List the runs of a state, the newest first: state, papers, spend and age. The newest is the one that
    commands without --run-id take.
    """
    settings = load_settings(**flags)
    check_folder(settings)
    with open_state(None, settings) as adapters:
        runs = list(_listed(adapters))
    if as_json:
        typer.echo("[" + ",".join(run.model_dump_json() for run in runs) + "]")
    elif runs:
        print_table(_table(runs), Console())
    else:
        typer.echo("no runs yet")


def _listed(adapters: State) -> Iterator[ListedRun]:
    now = adapters.clock.now()
    for run_id in reversed(adapters.ledger.run_ids()):
        try:
            report = summarise(adapters, run_id, is_alive=is_alive, with_queue=False)
        except EarlierLayoutError as error:
            typer.echo(f"{error}", err=True)
            continue
        created = adapters.ledger.run(run_id).created_at
        shared = ListedRun.model_fields.keys() & type(report).model_fields.keys()
        fields = {name: getattr(report, name) for name in shared}
        yield ListedRun(**fields, age_s=round(max(0.0, now - created), 3))


def _table(runs: list[ListedRun]) -> ReportTable:
    columns = ("run", "state", "papers", "flagged", "failed", "spend", "age")
    rows = [
        (
            run.run_id,
            run.state,
            f"{run.papers - run.counts['pending']:,} of {run.papers:,}",
            f"{run.counts['flagged']:,}",
            f"{run.counts['failed']:,}",
            dollars(run.spend_usd),
            age(run.age_s),
        )
        for run in runs
    ]
    return ReportTable(counted(len(runs), "run"), columns, rows)
