"""Commands on a run that exists: its report and its results."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from handlers.bootstrap.state import State, export_processes
from handlers.cli.existing.opened_run import opened_run
from handlers.cli.existing.status_command import report_of
from handlers.cli.flags import shared_options
from handlers.cli.flags.setting_flags import add_command
from handlers.cli.review_command import PageSources, write_page
from handlers.counted import counted
from handlers.errors import UsageError
from handlers.local.named_outputs import keep_apart
from handlers.reporting.markdown import to_markdown
from handlers.reporting.plain import plain
from handlers.reporting.terminal import render
from handlers.results.answer_records import SOURCE, AnswerColumns
from handlers.results.export import Counts, export, export_jsonl
from handlers.results.export_shape import ExportShape, Format, columns_of, format_of
from handlers.results.markdown_writer import export_markdown
from handlers.results.parquet_writer import export_parquet
from handlers.results.records import OWN, with_own
from handlers.results.run_answers import unlike_vectors, with_answers
from handlers.results.xlsx_writer import export_xlsx
from handlers.settings import load_settings

Output = Annotated[Path | None, typer.Option(help="File to write; `-` or none: standard output.")]
_NAMED = 5
"""A source's own columns that are told by name."""


def register(app: typer.Typer) -> None:
    for name, command, example in (
        ("report", report, "report --run-id june --format md --output june.md"),
        ("export", export_results, "export --run-id june --format csv --output june.csv"),
    ):
        add_command(app, name, command, example)


def report(
    *,
    form: Annotated[
        Literal["terminal", "md", "json"] | None, typer.Option("--format", help="[default: terminal]")
    ] = None,
    output: Output = None,
    as_json: shared_options.AsJson = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Also write a page with charts; needs the extra `report`.")
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", help="JSON of `paperfleet plan`, to set against the run in --html."),
    ] = None,
    review: Annotated[
        Path | None,
        typer.Option(
            "--review",
            help="Folder of a review site that --html links to; the one that was written last if not given.",
        ),
    ] = None,
    **flags: Any,
) -> None:
    """Report on a run in full, with the error classes and failed checks of every paper."""
    to_stdout = html is not None and str(html) == "-"
    if to_stdout and (str(output) == "-" if output else bool(as_json or form)):
        raise UsageError("--html -: the page goes to standard output, so the report needs --output FILE")
    site = None if review is None else review / "index.html"
    keep_apart(load_settings(**flags), [("--output", output), ("--html", html)], plan, site)
    with opened_run(flags) as (adapters, run):
        summary = with_answers(report_of(adapters, run, detail=True), adapters)
        if html is not None:
            write_page(adapters, summary, html, PageSources(plan, review))
        if html is not None and not to_stdout:
            _say(f"page: {html}")
    if to_stdout and output is None:
        return
    form = "json" if as_json else form or ("md" if output and output.suffix == ".md" else "terminal")
    if form == "md":
        _write(to_markdown(summary), output)
    elif form == "json":
        _write(summary.model_dump_json(indent=2) + "\n", output)
    elif output is None or str(output) == "-":
        render(summary, Console())
    else:
        with _writable(output).open("w", encoding="utf-8") as file:
            render(summary, Console(file=file, width=120))


def export_results(
    *,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="[default: by the ending of --output, else jsonl] parquet and xlsx need their extras;"
            " markdown: a file a paper into the folder --output.",
        ),
    ] = None,
    output: Output = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Columns between commas, in their order; also source_abstract, source_keywords, source_body,"
            " the source's own columns by their names, and `own`: all of those."
        ),
    ] = None,
    bom: Annotated[
        bool, typer.Option("--bom", help="Begin CSV or TSV with a byte order mark, as Excel wants it.")
    ] = False,
    drafts: Annotated[
        bool, typer.Option("--drafts", help="Also the texts that the gate refused (status flagged).")
    ] = False,
    **flags: Any,
) -> None:
    """Write the results in the corpus's order, one line a paper, and the count of each status on stderr."""
    target: Path | Literal["-"] = "-" if output is None or str(output) == "-" else output
    written = format_of(target, form)
    if bom and written not in ("csv", "tsv"):
        raise UsageError(f"--bom: is for csv and tsv, and this writes {written}")
    if columns and written == "markdown":
        raise UsageError("--columns: markdown has the same fields in every file")
    asked = None if columns is None else columns_of(columns)
    keep_apart(load_settings(**flags), [("--output", output)])
    with opened_run(flags) as (adapters, run):
        shape, own = _shape(adapters, run, asked, ExportShape(drafts=drafts, bom=bom))
        if shape.answers is not None and written == "markdown":
            raise UsageError("--format markdown: is for papers; this run's answers go into any other")
        if shape.answers is not None and set(shape.answers.vectors) & set(shape.columns):
            _refuse_vectors(written)
        counts = _export(adapters, run, target, written, shape)
        own = () if written == "markdown" else own
        warnings = list(_warnings(adapters, run, shape))
    _say(", ".join(f"{n:,} {name}" for name, n in counts.items() if n) or "no papers")
    for warning in warnings:
        _say(f"warning: {warning}")
    if own:
        _tell_left_out(own, shape)


def _tell_left_out(own: tuple[str, ...], shape: ExportShape) -> None:
    names = ", ".join(map(plain, own[:_NAMED])) + (", ..." if len(own) > _NAMED else "")
    if shape.answers is None:
        _say(f"the source's own columns are left out ({names}): `--columns id,title,abstract,own` takes them")
        return
    first = next(iter(shape.answers.answers), "status")
    _say(
        f"the source's fields are left out ({names}): `--columns id,{plain(first)},own` takes them, and"
        " `carry` in the task file's [output] those that it names"
    )


def _warnings(adapters: State, run: str, shape: ExportShape) -> Iterator[str]:
    """What whoever reads the file cannot see in it."""
    answers = shape.answers
    if answers is None:
        return
    if set(answers.vectors) & set(shape.columns):
        yield from unlike_vectors(run, answers, adapters)
    if any(name.startswith(SOURCE) for name in shape.columns):
        yield from answers.carried_by_none(adapters.store.lines(adapters.ledger.run(run).spec.corpus))


def _refuse_vectors(form: Format) -> None:
    if form not in ("jsonl", "json", "parquet"):
        raise UsageError(
            f"--format {form}: a cell holds no vector: parquet or jsonl has them, or leave `vector` out of"
            " --columns"
        )


def _shape(
    adapters: State, run: str, asked: tuple[str, ...] | None, shape: ExportShape
) -> tuple[ExportShape, tuple[str, ...]]:
    """The shape with its columns, and the source's own that are left out where none are named."""
    spec = adapters.ledger.run(run).spec
    answers = AnswerColumns.of_run(spec, adapters.store)
    if answers is not None:
        names = answers.chosen(asked, adapters.store.lines(spec.corpus))
        left_out = answers.left_out(adapters.store.lines(spec.corpus)) if asked is None else ()
        return replace(shape, columns=names, answers=answers), left_out
    lines = adapters.store.lines(spec.corpus)
    names = with_own(columns_of(None) if asked is None else asked, lines)
    own = with_own((OWN,), adapters.store.lines(spec.corpus)) if asked is None else ()
    return replace(shape, columns=names), own


def _export(
    adapters: State, run: str, target: Path | Literal["-"], form: Format, shape: ExportShape
) -> Counts:
    if form in ("jsonl", "json"):
        processes, array = export_processes(adapters), form == "json"
        return export_jsonl(adapters, run, target, shape=shape, processes=processes, array=array)
    if form == "parquet" and target != "-":
        return export_parquet(adapters, run, target, shape=shape, processes=export_processes(adapters))
    if form == "xlsx" and target != "-":
        counts, fit = export_xlsx(adapters, run, target, shape=shape)
        if fit.sheets > 1:
            _say(f"more rows than a sheet of Excel holds: {fit.sheets} sheets")
        if fit.cut:
            _say(f"{fit.cut:,} texts are longer than a cell of Excel holds and are cut: csv has them whole")
        return counts
    if form == "markdown" and target != "-":
        counts, files = export_markdown(adapters, run, target, drafts=shape.drafts)
        without = sum(counts.values()) - files
        _say(counted(files, "file") + (f"; {counted(without, 'paper')} without a text" if without else ""))
        return counts
    return export(adapters, run, target, form, shape)


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
