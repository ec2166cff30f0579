"""``paperfleet run``: the whole way on this machine."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from handlers.cli.flags import shared_options
from handlers.cli.flags.setting_flags import add_command
from handlers.cli.provider_hint import tell_of_provider
from handlers.errors import UsageError
from handlers.local.endpoint import check_endpoint, sample_settings
from handlers.local.ingesting import SAMPLE, SourceSpec, ingest_source
from handlers.local.named_outputs import note_inputs
from handlers.local.preflight import refuse_damaged
from handlers.local.state_lock import only_parent
from handlers.local.task_file import task_bundle
from handlers.settings import Settings, load_settings

if TYPE_CHECKING:
    from handlers.domain.plan import PlanFile

# The session, which is most of the package, is imported while the source is being ingested.


def register(app: typer.Typer) -> None:
    add_command(
        app,
        "run",
        run,
        "run papers.jsonl --base-url URL --model NAME --budget 45 --tier parallel",
    )


def run(
    source: shared_options.SourceOrSample = None,
    *,
    sample: Annotated[
        bool,
        typer.Option(
            "--sample", help="In place of SOURCE the papers that Paperfleet ships, as the run `sample`."
        ),
    ] = False,
    mapping: shared_options.Mapping = None,
    source_format: shared_options.SourceFormat = None,
    encoding: shared_options.Encoding = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan", help="Execute exactly what `paperfleet plan` wrote; the report compares the two."
        ),
    ] = None,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="With --hours offpeak: sleep through dear hours in place of ending."),
    ] = False,
    as_json: shared_options.AsJson = False,
    **flags: Any,
) -> None:
    """Ingest SOURCE, translate it with a fleet of local jobs, and report. The same command resumes a run that
    was interrupted. The API key is read from PAPERFLEET_API_KEY. Without --base-url a built-in model server
    makes a word-by-word gloss, which shows how a run goes and is no translation.
    """
    if (source is None) != sample:
        raise UsageError("give a SOURCE, or --sample for the papers that Paperfleet ships")
    if sample:
        source, flags["run_id"] = str(SAMPLE), flags["run_id"] or "sample"
    settings, planned = (load_settings(**flags), None) if plan is None else _planned(plan, flags)
    if wait and settings.hours != "offpeak":
        raise UsageError("--wait: sleeps through dear hours; give --hours offpeak with it")
    console = Console(stderr=True, highlight=False)
    if sample:
        settings = sample_settings(settings, console)
    check_endpoint(settings)
    tell_of_provider(settings, console)
    with only_parent(settings.state):
        refuse_damaged(settings.state)
        note_inputs(settings, plan)
        spec, alongside = (
            SourceSpec(source or "", mapping or (), source_format, encoding),
            partial(_load_session, settings),
        )
        bundle = task_bundle(settings)
        corpus = ingest_source(spec, settings, console, again=False, alongside=alongside, bundle=bundle)
        from handlers.local.session import exit_code, print_report, run_planned, tell_files

        report = run_planned(settings, corpus, planned, console, wait=wait)
    print_report(report, as_json=as_json)
    tell_files(report, settings, console)
    raise typer.Exit(exit_code(report))


def _planned(plan: Path, flags: dict[str, Any]) -> tuple[Settings, PlanFile]:
    from handlers.planning import plan_file

    planned = plan_file.read(plan)
    settings = load_settings(**plan_file.run_flags(planned, flags))
    plan_file.check_settings(planned, settings)
    return settings, planned


def _load_session(settings: Settings) -> None:
    """For whoever needs it next, and the files of a new state, which are synced a dozen times."""
    from handlers.local import session

    session.make_ready(settings)
