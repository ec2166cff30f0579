"""``paperfleet merge``: state folders of jobs that worked apart become one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from handlers.bootstrap.host import is_alive
from handlers.bootstrap.state import open_state
from handlers.cli.flags import shared_options
from handlers.cli.flags.setting_flags import add_command
from handlers.domain.run_report import RunReport
from handlers.local.merge import check_state, merge_sentence, merge_state
from handlers.local.session import print_report
from handlers.local.state_lock import only_parent
from handlers.runs.submit import emit
from handlers.runs.summarise import summarise
from handlers.settings import load_settings


def register(app: typer.Typer) -> None:
    add_command(app, "merge", merge, "merge job-1 job-2 job-3 --into all --run-id june")


def merge(
    states: Annotated[list[Path], typer.Argument(metavar="STATE...", help="State folders of the same run.")],
    into: Annotated[
        Path, typer.Option("--into", help="State folder to merge into; made if it is not there.")
    ],
    *,
    as_json: shared_options.AsJson = False,
    **flags: Any,
) -> None:
    """Unite the state folders of one run's jobs or sessions by paper, part, call and job. Neither a repeated
    merge nor another order changes the result. Open jobs are closed: what they drew of the budget is booked
    as indeterminate until a later state of theirs is merged.
    """
    settings = load_settings(state=into, **flags)
    console = Console(stderr=True, highlight=False)
    sources = [state for state in states if state.resolve() != settings.state.resolve()]
    for state in sources:
        check_state(state, settings.run_id)
    with only_parent(settings.state):
        for state in sources:
            united = merge_state(settings.state, state, settings.run_id)
            console.print(merge_sentence(state, united), markup=False, soft_wrap=True)
        report = _merged_report(settings.state, settings.run_id)
    print_report(report, as_json=as_json)


def _merged_report(state: Path, run_id: str) -> RunReport:
    """Report of the merged run, after its unfinished batches are queued."""
    with open_state(run_id, load_settings(state=state, run_id=run_id)) as adapters:
        adapters.queue.purge()
        if adapters.ledger.control(run_id).state == "active":
            emit(adapters, run_id)
        return summarise(adapters, run_id, is_alive=is_alive, detail=True)
