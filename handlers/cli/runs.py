"""Commands on a run that exists: how it stands, what came of it, and what is to become of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from handlers.bootstrap.host import is_alive
from handlers.bootstrap.state import State, export_processes, open_state
from handlers.cli import options
from handlers.cli.review import write_page
from handlers.domain.paper import PaperStatus
from handlers.errors import UnknownRunError, UsageError
from handlers.planning.plan_against_run import with_forecast
from handlers.reporting.markdown import to_markdown
from handlers.reporting.progress import Progress
from handlers.reporting.terminal import render
from handlers.results.export import export_csv, export_jsonl
from handlers.results.parquet import export_parquet
from handlers.runs import control
from handlers.runs.summarise import RunReport, summarise
from handlers.settings import load_settings
from handlers.state_paths import run_folder

_WATCH_EVERY = 2.0
_GO_ON = "`paperfleet run` (the same command) or `paperfleet work` goes on"
Output = Annotated[Path | None, typer.Option(help="File to write; `-` or none: standard output.")]


def register(app: typer.Typer) -> None:
    for name, command, example in (
        ("status", status, "status --run-id june --watch"),
        ("report", report, "report --run-id june --format md --output june.md"),
        ("export", export_results, "export --run-id june --format csv --output june.csv"),
        ("retry", retry, "retry --run-id june --flagged --class placeholders"),
        ("redrive", redrive, "redrive --run-id june --list"),
        ("pause", pause, "pause --run-id june"),
        ("resume", resume, "resume --run-id june"),
        ("cancel", cancel, "cancel --run-id june"),
    ):
        app.command(name, epilog=f"Example: `paperfleet {example}`")(command)


def status(
    state: options.State = None,
    run_id: options.RunId = None,
    aws: options.Aws = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show progress until nobody works on it, then the report.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """How a run stands: papers, pace, money, jobs, queue. Fast, however many papers there are."""
    with _run(state, run_id, aws) as (adapters, run):
        found = _summary(adapters, run)
        if as_json:
            typer.echo(found.model_dump_json())
        elif watch:
            _watch(adapters, run, found)
        else:
            render(found, Console())


def report(
    state: options.State = None,
    run_id: options.RunId = None,
    aws: options.Aws = None,
    form: Annotated[
        Literal["terminal", "md", "json"] | None, typer.Option("--format", help="[default: terminal]")
    ] = None,
    output: Output = None,
    as_json: options.AsJson = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Also write a page with charts; needs the extra `report`.")
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", help="JSON of `paperfleet plan`, to set against the run in --html."),
    ] = None,
) -> None:
    """The whole report: with error classes of papers and failed checks, counted over every paper."""
    with _run(state, run_id, aws) as (adapters, run):
        found = _summary(adapters, run, detail=True)
        if html is not None:
            write_page(adapters, found, html, plan)
            _say(f"page: {html}")
    form = "json" if as_json else form or ("md" if output and output.suffix == ".md" else "terminal")
    if form == "md":
        _write(to_markdown(found), output)
    elif form == "json":
        _write(found.model_dump_json(indent=2) + "\n", output)
    elif output is None or str(output) == "-":
        render(found, Console())
    else:
        with _writable(output).open("w", encoding="utf-8") as file:
            render(found, Console(file=file, width=120))


def export_results(
    state: options.State = None,
    run_id: options.RunId = None,
    aws: options.Aws = None,
    form: Annotated[
        Literal["jsonl", "csv", "parquet"],
        typer.Option("--format", help="jsonl, csv, or parquet (needs the extra `parquet`)."),
    ] = "jsonl",
    output: Output = None,
    drafts: Annotated[
        bool, typer.Option("--drafts", help="Also the texts that the gate refused (status flagged).")
    ] = False,
) -> None:
    """Write the results, a line a paper, in the corpus's order. Says on stderr how many of each status."""
    target: Path | Literal["-"] = "-" if output is None or str(output) == "-" else output
    with _run(state, run_id, aws) as (adapters, run):
        processes = export_processes(adapters)
        if form == "parquet":
            counts = export_parquet(adapters, run, _file(target), drafts=drafts, processes=processes)
        elif form == "csv":
            counts = export_csv(adapters, run, target, drafts=drafts)
        else:
            counts = export_jsonl(adapters, run, target, drafts=drafts, processes=processes)
    _say(", ".join(f"{n:,} {name}" for name, n in counts.items() if n) or "no papers")


def _file(target: Path | Literal["-"]) -> Path:
    if target == "-":
        raise UsageError("--format parquet: give --output FILE; it cannot be streamed")
    return target


def retry(
    state: options.State = None,
    run_id: options.RunId = None,
    aws: options.Aws = None,
    failed: Annotated[bool, typer.Option("--failed", help="Papers that failed.")] = False,
    flagged: Annotated[
        bool, typer.Option("--flagged", help="Papers whose answers the gate refused.")
    ] = False,
    error: Annotated[
        str | None, typer.Option("--class", help="Only those of this error class (see `report`).")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Open chosen papers again, for another try that is paid for. `report` counts them by class."""
    flags: dict[PaperStatus, bool] = {"failed": failed, "flagged": flagged}
    chosen = [name for name, given in flags.items() if given]
    if not chosen and error is None:
        raise UsageError("say which papers: --failed, --flagged or --class ERROR")
    with _run(state, run_id, aws) as (adapters, run):
        done = control.retry(adapters, run, statuses=chosen or ["failed", "flagged"], error=error)
    _answer(done, f"{done.reopened:,} papers are pending again; {_GO_ON}", as_json=as_json)


def redrive(
    state: options.State = None,
    run_id: options.RunId = None,
    aws: options.Aws = None,
    listed: Annotated[bool, typer.Option("--list", help="Only show the dead letters.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Send the dead letters of the queue back, or list them with the last reason given."""
    with _run(state, run_id, aws) as (adapters, run):
        if listed:
            for letter in control.dead_letters(adapters, run):
                typer.echo(control.summarise_letter(letter).model_dump_json())
            return
        done = control.redrive(adapters, run)
    _answer(done, f"{done.redriven:,} messages sent back; {_GO_ON}", as_json=as_json)


def pause(
    state: options.State = None,
    run_id: options.RunId = None,
    aws: options.Aws = None,
    as_json: options.AsJson = False,
) -> None:
    """Stop a run within seconds: calls in flight finish, nothing new starts."""
    with _run(state, run_id, aws) as (adapters, run):
        done = control.pause(adapters, run)
    _answer(done, "paused; `paperfleet resume` re-arms it", as_json=as_json)


def resume(
    state: options.State = None,
    run_id: options.RunId = None,
    aws: options.Aws = None,
    as_json: options.AsJson = False,
) -> None:
    """Re-arm a paused, parked or cancelled run and send the messages of its unfinished batches."""
    with _run(state, run_id, aws) as (adapters, run):
        done = control.resume(adapters, run)
    _answer(done, f"{done.emitted:,} batches sent; {_GO_ON}", as_json=as_json)


def cancel(
    state: options.State = None,
    run_id: options.RunId = None,
    aws: options.Aws = None,
    as_json: options.AsJson = False,
) -> None:
    """Stop a run for good: results stay, the rest of its messages is dropped."""
    with _run(state, run_id, aws) as (adapters, run):
        done = control.cancel(adapters, run)
    _answer(done, "cancelled; what is done stays and can be exported", as_json=as_json)


@contextmanager
def _run(state: Path | None, run_id: str | None, aws: bool | None) -> Iterator[tuple[State, str]]:
    """The adapters and the id of a run that exists: a wrong folder is not made into an empty state."""
    settings = load_settings(state=state, run_id=run_id, aws=aws)
    if settings.backend == "embedded":
        _check_folder(settings.state)
    with open_state(settings.run_id, settings) as adapters:
        yield adapters, settings.run_id


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise UnknownRunError(f"no state folder {folder}: give --state DIR of a run")
    if not any(folder.iterdir()):
        raise UnknownRunError(f"{folder} is empty: no run was started there")


def _summary(adapters: State, run_id: str, *, detail: bool = False) -> RunReport:
    found = summarise(adapters, run_id, is_alive=is_alive, detail=detail)
    return with_forecast(found, run_folder(adapters.directory, run_id))


def _watch(adapters: State, run_id: str, first: RunReport) -> None:
    """Progress as the session itself shows it, on stderr; the report once nobody works on it."""
    found = first
    with Progress(Console(stderr=True, highlight=False)) as progress:
        while found.state == "running":
            progress.update(adapters.ledger, run_id, now=adapters.clock.now())
            adapters.clock.sleep(_WATCH_EVERY)
            found = _summary(adapters, run_id)
    render(found, Console())


def _answer(done: control.ControlResult, sentence: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(done.model_dump_json())
    else:
        typer.echo(f"run {done.run_id}: {sentence}")


def _write(text: str, output: Path | None) -> None:
    if output is None or str(output) == "-":
        sys.stdout.write(text)
    else:
        _writable(output).write_text(text, encoding="utf-8")


def _writable(path: Path) -> Path:
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UsageError(f"--output {path}: give a file in a folder that exists")
    return path


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)
