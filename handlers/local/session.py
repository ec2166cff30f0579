"""A session over an ingested corpus: batches, a fleet of local jobs, the report."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer
from aws_lambda_powertools.utilities.typing import LambdaContext
from rich.console import Console

from handlers import bootstrap, shard
from handlers.bootstrap import State, exporters, is_alive, open_state
from handlers.corpus.ingest import IngestResult
from handlers.domain.run import Control
from handlers.errors import PaperfleetError
from handlers.local.endpoint import endpoint
from handlers.local.event_source import LocalContext
from handlers.local.fleet import Fleet, bury_the_dead
from handlers.local.preflight import refuse_forgotten
from handlers.reporting.markdown import to_markdown
from handlers.reporting.progress import Progress
from handlers.reporting.terminal import render
from handlers.results.export import export
from handlers.runs.specification import specification
from handlers.runs.submit import RunRequest, Submitted
from handlers.runs.summarise import RunReport, summarise
from handlers.settings import PREFIX, Settings

if TYPE_CHECKING:
    from handlers.domain.plan import PlanFile


def run_ingested(
    settings: Settings, found: IngestResult, planned: PlanFile | None, console: Console
) -> RunReport:
    """A session as the settings, and a plan if there is one, want it."""
    if planned is not None:
        from handlers.planning import plan_against_run as forecast
        from handlers.planning import plan_file

        plan_file.check_corpus(planned, found.sha256)
        forecast.keep(planned, folder_of(settings))
    with endpoint(settings, console) as ready:
        return run_corpus(ready, found, console)


def make_ready(settings: Settings) -> None:
    """Make the files of a state that has none. What is wrong with them is told by whoever uses them."""
    if settings.backend == "embedded":
        with suppress(PaperfleetError, sqlite3.Error, OSError), open_state(settings.run_id, settings):
            pass


def run_corpus(ready: Settings, found: IngestResult, console: Console) -> RunReport:
    """A session over an ingested corpus, by whoever holds the state (``only_parent``)."""
    spec = specification(ready, found)
    bootstrap.price(ready, spec.model)
    request = RunRequest(
        run_id=ready.run_id,
        spec=spec,
        papers=found.papers,
        same_as=found.same_as,
        budget=ready.budget_nano,
    )
    with open_state(ready.run_id, ready) as adapters:
        refuse_forgotten(adapters, ready.run_id)
        _clear(adapters, ready.run_id)
        # Within, for whoever closes a file of SQLite last writes it out: twice for nothing.
        emitted = shard_through_handler(request, ready).emitted
    failure = ""
    if emitted:
        with Progress(console) as progress:
            failure = Fleet(ready, progress).run()
    return _finish(ready, failure, console)


def _clear(adapters: State, run_id: str) -> None:
    """What a session that died left behind: leases, grants and messages of jobs that are gone."""
    bury_the_dead(adapters, run_id)
    adapters.queue.purge()


def shard_through_handler(request: RunRequest, settings: Settings) -> Submitted:
    """A JSON event in, a JSON answer out: the stack's shard function's, or that of the handler here."""
    event = request.model_dump(mode="json")
    if settings.backend == "aws" and settings.shard_function is not None:
        return Submitted.model_validate(bootstrap.call_function(settings.shard_function, event))
    where = settings.model_dump(
        include={"backend", "state", "table", "queue_url", "dead_letter_url", "bucket"}
    )
    bootstrap.set_environment({PREFIX + name.upper(): str(value) for name, value in where.items() if value})
    context = LocalContext("local-shard", lambda: 900.0, function_name="paperfleet-shard")
    answer = shard.handler(event, cast("LambdaContext", context))
    return Submitted.model_validate(answer)


def _finish(settings: Settings, failure: str, console: Console) -> RunReport:
    """Report, and results once the run is finished. ``failure``: why results could not be kept."""
    with open_state(settings.run_id, settings) as adapters:
        report = final_report(settings, adapters, failure)
        try:
            _write(report, settings, adapters, console)
        except OSError as error:
            console.print(f"report and results cannot be written: {error}", markup=False)
    if report.state != "finished":
        sentence = f"{report.counts['pending']} papers are pending: {report.reason}"
        console.print(sentence, markup=False, soft_wrap=True)
    return report


def final_report(settings: Settings, adapters: State, failure: str) -> RunReport:
    """How a session's run stands; parked if its results could not be kept. A run that other machines work on
    too is theirs to go on with."""
    if failure and settings.backend == "embedded":
        with suppress(sqlite3.Error):  # on a full disk the report alone must say it
            parked = Control("parked", failure, adapters.clock.now())
            adapters.ledger.park(settings.run_id, parked)
    report = summarise(
        settings.run_id,
        ledger=adapters.ledger,
        queue=adapters.queue,
        now=adapters.clock.now(),
        is_alive=is_alive,
        detail=True,
    )
    from handlers.planning import plan_against_run as forecast  # with it comes all of planning

    report = forecast.with_forecast(report, folder_of(settings))
    return report.model_copy(update={"state": "parked", "reason": failure}) if failure else report


def folder_of(settings: Settings) -> Path:
    """Where a run's report, results, logs and plan lie."""
    return settings.state / "runs" / settings.run_id


def _write(report: RunReport, settings: Settings, adapters: State, console: Console) -> None:
    folder = folder_of(settings)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(to_markdown(report), encoding="utf-8")
    (folder / "report.json").write_text(report.model_dump_json(indent=2), encoding="utf-8")
    if report.state == "finished":
        results = folder / "results.jsonl"
        export(
            settings.run_id,
            ledger=adapters.ledger,
            store=adapters.store,
            format="jsonl",
            output=results,
            processes=exporters(adapters),
        )
        console.print(f"results: {results}", markup=False, soft_wrap=True)
    console.print(f"report:  {folder / 'report.md'}", markup=False, soft_wrap=True)


def exit_code(report: RunReport) -> int:
    """0 all is well (or as far as asked), 3 with failed or flagged papers, 4 parked, 130 resumable."""
    if report.state == "finished":
        return 3 if report.counts["failed"] or report.counts["flagged"] else 0
    if report.state == "parked":
        return 4
    if report.state == "paused" and report.outcome in ("limit", "deadline"):
        return 0
    return 3 if report.queue and report.queue.dead else 130


def print_report(report: RunReport, *, as_json: bool) -> None:
    if as_json:
        typer.echo(report.model_dump_json())
    else:
        render(report, Console())
