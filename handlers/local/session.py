"""A session over an ingested corpus: batches, a fleet of local jobs, the report."""

from __future__ import annotations

import math
import shlex
import sqlite3
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from handlers.bootstrap import wiring
from handlers.bootstrap.host import is_alive
from handlers.bootstrap.state import (
    State,
    SystemClock,
    call_function,
    export_processes,
    open_state,
)
from handlers.corpus.ingest import IngestResult
from handlers.counted import counted
from handlers.domain.run import DEAR_HOURS, Control
from handlers.domain.run_report import RunReport
from handlers.errors import PaperfleetError, RunChangedError
from handlers.local.budget_outlook import budget_outlook, with_guessed_number
from handlers.local.early_results import EarlyResults
from handlers.local.endpoint import endpoint
from handlers.local.fleet import Fleet, reap_dead_jobs
from handlers.local.preflight import refuse_forgotten, refuse_made_up
from handlers.local.task_file import task_bundle
from handlers.planning import plan_against_run
from handlers.ports import Clock
from handlers.reporting.markdown import to_markdown
from handlers.reporting.progress import Progress
from handlers.reporting.terminal import render
from handlers.results.export import export_jsonl
from handlers.results.run_answers import with_answers
from handlers.runs.run_request import run_request
from handlers.runs.submit import RunRequest, Submitted, submit_run
from handlers.runs.summarise import summarise
from handlers.settings import Settings
from handlers.state_paths import run_folder

if TYPE_CHECKING:
    from handlers.domain.plan import PlanFile
    from handlers.tasks.file_task.task_bundle import TaskBundle


def run_planned(
    settings: Settings,
    corpus: IngestResult,
    planned: PlanFile | None,
    console: Console,
    *,
    wait: bool = False,
) -> RunReport:
    """A session over an ingested corpus; of a plan's own if one is given. ``wait``: where it stops for dear
    hours, sleep until they are over and go on."""
    if planned is not None:
        from handlers.planning import plan_file

        plan_file.check_corpus(planned, corpus.sha256)
        plan_against_run.keep(planned, run_folder(settings.state, settings.run_id))
    with endpoint(settings, console) as ready:
        report = run_corpus(ready, corpus, console)
        while wait and in_dear_hours(report) and wait_for_cheap_hours(ready, console, SystemClock()):
            report = run_corpus(ready, corpus, console)
        return report


def in_dear_hours(report: RunReport) -> bool:
    """True of a run that stopped until calls cost less."""
    return report.state == "paused" and report.outcome.startswith(DEAR_HOURS)


def wait_for_cheap_hours(settings: Settings, console: Console, clock: Clock) -> bool:
    """Sleep until a call may start, and say so every minute. False if no cheaper hour is known."""
    tariff = wiring.tariff(settings, settings.model or "")
    until = tariff.next_cheap(clock.now(), settings.call_timeout)
    while until is not None and (left := until - clock.now()) > 0:
        said = tariff.goes_on(clock.now(), settings.call_timeout)
        console.print(f"{DEAR_HOURS}: {said}, in {math.ceil(left / 60)} min", markup=False, soft_wrap=True)
        clock.sleep(min(left, 60.0))
    return until is not None


def make_ready(settings: Settings) -> None:
    """Make the files of a state that has none. Errors are left to the next user of the files."""
    if settings.backend == "embedded":
        with suppress(PaperfleetError, sqlite3.Error, OSError), open_state(settings.run_id, settings):
            pass


def run_corpus(ready: Settings, corpus: IngestResult, console: Console) -> RunReport:
    """A session over an ingested corpus. The caller holds the state (``only_parent``)."""
    bundle = task_bundle(ready)
    request = run_request(ready, corpus, bundle)
    wiring.tariff(ready, ready.model or "")
    with open_state(ready.run_id, ready) as state:
        refuse_forgotten(state, ready.run_id)
        refuse_made_up(state, ready.run_id, wiring.endpoint(ready))
        _clear(state, ready.run_id)
        emitted = submit_request(state, request, ready, bundle).emitted
        if emitted and (outlook := budget_outlook(state, ready)):
            console.print(outlook, markup=False, soft_wrap=True)
    failure = ""
    with EarlyResults(ready) as early:
        if emitted:
            with Progress(console, endpoint=ready.base_url or "") as progress:
                failure = Fleet(ready, progress, early=early).run()
        return _finish(ready, failure, early, console)


def _clear(state: State, run_id: str) -> None:
    """Clear what a dead session left behind: leases, grants and messages of dead jobs."""
    reap_dead_jobs(state, run_id)
    state.queue.purge()


def submit_request(
    state: State, request: RunRequest, settings: Settings, bundle: TaskBundle | None = None
) -> Submitted:
    """By the stack's shard function where the settings name one, else by this process. ``bundle``: the run's
    task file, which is stored first."""
    if bundle is not None:
        from handlers.tasks.file_task.stored_bundle import put_bundle  # for such runs alone

        put_bundle(bundle, state.store)
    if settings.backend == "aws" and settings.shard_function is not None:
        event = request.model_dump(mode="json")
        return Submitted.model_validate(call_function(settings.shard_function, event))
    try:
        return submit_run(state, request)
    except RunChangedError as error:
        if settings.task is None:
            raise
        raise RunChangedError(error.run_id, error.diff, task_file=shlex.quote(str(settings.task))) from None


def _finish(settings: Settings, failure: str, early: EarlyResults, console: Console) -> RunReport:
    """Report, and results once the run is finished. ``failure``: why results could not be kept."""
    with open_state(settings.run_id, settings) as state:
        report = final_report(settings, state, failure)
        try:
            _write(report, settings, state, early)
        except OSError as error:
            console.print(f"report and results cannot be written: {error}", markup=False)
    if report.state != "finished":
        sentence = f"{counted(report.counts['pending'], 'paper is', 'papers are')} pending: {report.reason}"
        console.print(sentence, markup=False, soft_wrap=True)
    return report


def final_report(settings: Settings, state: State, failure: str) -> RunReport:
    """The report of a session's run, which is parked if its results could not be kept. A run that other
    machines work on too is not parked."""
    if failure and settings.backend == "embedded":
        with suppress(sqlite3.Error):  # on a full disk the report alone must say it
            state.ledger.park(settings.run_id, Control("parked", failure, state.clock.now()))
    report = with_answers(summarise(state, settings.run_id, is_alive=is_alive, detail=True), state)
    reason = with_guessed_number(report.reason, state, settings)
    control = state.ledger.control(settings.run_id)
    if reason != report.reason and control.state == "parked" and settings.backend == "embedded":
        with suppress(sqlite3.Error):  # later commands know no price to guess by
            state.ledger.set_control(settings.run_id, replace(control, reason=reason))
    report = report.model_copy(update={"reason": reason})
    report = plan_against_run.with_forecast(report, run_folder(settings.state, settings.run_id))
    return report.model_copy(update={"state": "parked", "reason": failure}) if failure else report


def _write(report: RunReport, settings: Settings, state: State, early: EarlyResults) -> None:
    folder = run_folder(settings.state, settings.run_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(to_markdown(report), encoding="utf-8")
    (folder / "report.json").write_text(report.model_dump_json(indent=2), encoding="utf-8")
    if report.state == "finished" and not early.finish(state):
        results = folder / "results.jsonl"
        export_jsonl(state, settings.run_id, results, processes=export_processes(state))


def exit_code(report: RunReport) -> int:
    """0: finished or stopped by its limits; 3: with failed or flagged papers; 4: parked; 130: resumable."""
    if report.state == "finished":
        return 3 if report.counts["failed"] or report.counts["flagged"] else 0
    if report.state == "parked":
        return 4
    if report.state == "paused" and (report.outcome in ("limit", "deadline") or in_dear_hours(report)):
        return 0
    return 3 if report.queue and report.queue.dead else 130


def tell_files(report: RunReport, settings: Settings, console: Console) -> None:
    """Where the run's report is, and its results once it is finished."""
    folder = run_folder(settings.state, settings.run_id)
    names = {"results: ": "results.jsonl", "report:  ": "report.md"}
    for word, path in ((word, folder / name) for word, name in names.items()):
        if path.is_file() and (report.state == "finished" or word.startswith("report")):
            console.print(f"{word}{path}", markup=False, soft_wrap=True)


def print_report(report: RunReport, *, as_json: bool) -> None:
    if as_json:
        typer.echo(report.model_dump_json())
    else:
        render(report, Console())
