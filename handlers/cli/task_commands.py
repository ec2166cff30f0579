"""``paperfleet task``: task files, before anything is asked."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any

import typer

from handlers.cli.flags import shared_options
from handlers.cli.flags.help_words import WordedGroup
from handlers.cli.flags.setting_flags import add_command
from handlers.domain.value import Frozen
from handlers.errors import UsageError
from handlers.flag_groups import names_in
from handlers.settings import load_settings


class PushedTask(Frozen):
    """A task file in the store of a stack, or in a state folder."""

    name: str
    bundle: str
    """Digest of what it was resolved into: the stack's TaskBundle, and `spec.task_bundle` of a request."""
    asks: str
    """Digest of what of it decides the requests."""
    gate: str
    """Digest of what of it judges the answers."""
    key: str
    """Where it lies."""


app = typer.Typer(
    name="task",
    cls=WordedGroup,
    invoke_without_command=True,
    help="Task files: init writes a first one, check says what it would send, push stores one for a stack.",
    epilog="Example: `paperfleet task init subject --kind classify`",
)


def register(root: typer.Typer) -> None:
    add_command(app, "init", init, "task init subject --kind classify")
    add_command(app, "check", check, "task check subject.toml --source papers.jsonl")
    add_command(app, "push", push, "task push subject.toml --aws")
    root.add_typer(app)


@app.callback()
def _shows_help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def init(
    name: Annotated[str, typer.Argument(help="The task's name; NAME.toml is written into this folder.")],
    *,
    kind: Annotated[
        str, typer.Option(help="classify, extract, summarise, score, polish, translate or embed.")
    ] = "classify",
) -> None:
    """Write a first task file, with a comment on each part. It runs as it stands: without --base-url the
    built-in model server makes up answers of its form. Overwrites nothing.
    """
    from handlers.corpus.sources.formats import source_at_hand
    from handlers.tasks.file_task.first_task import FIRST_KINDS, first_file
    from handlers.tasks.file_task.load_task import load_task

    known = {each: each for each in FIRST_KINDS}
    if kind not in known:
        near = difflib.get_close_matches(kind[:40], known, n=1)
        hint = f"nearest: {near[0]}; " if near else ""
        raise UsageError(f"--kind {kind[:40]}: no kind; {hint}there is {', '.join(known)}")
    text, file = first_file(name, known[kind]), Path(f"{name}.toml")
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise UsageError(f"{file} is here already, and init overwrites nothing: give another name") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    load_task(file)
    source = source_at_hand()
    typer.echo(
        f"{file} is written; next: `paperfleet task check {file} --source {source}`, then"
        f" `paperfleet run {source} --task {file}`"
    )


def check(
    file: Annotated[Path, typer.Argument(help="Task file (TOML).")],
    *,
    source: Annotated[
        str | None, typer.Option("--source", help="Say what would be sent of this source, and its cost.")
    ] = None,
    mapping: shared_options.Mapping = None,
    source_format: shared_options.SourceFormat = None,
    encoding: shared_options.Encoding = None,
    as_json: shared_options.AsJson = False,
    **flags: Any,
) -> None:
    """Read a task file, say what is wrong with it by file and line, and what it reads, asks and checks. Of a
    source: how many records have each field, which are skipped and why, how large the requests are, and what
    they cost. Sends nothing and keeps nothing.
    """
    from handlers.local.ingesting import SourceSpec
    from handlers.local.task_check import check_task
    from handlers.reporting.task_table import task_lines

    settings = load_settings(**flags, task=file)
    spec = None if source is None else SourceSpec(source, mapping or (), source_format, encoding)
    report = check_task(settings, spec)
    typer.echo(report.model_dump_json() if as_json else "\n".join(task_lines(report.model_dump())))


def push(
    file: Annotated[Path, typer.Argument(help="Task file (TOML).")],
    *,
    as_json: shared_options.AsJson = False,
    **flags: Any,
) -> None:
    """Put what a task file is resolved into where a stack's functions read it, and print its digest. The
    stack's parameter TaskBundle takes it, for uploads, and so does `spec.task_bundle` of a run request.
    `shard --aws --task FILE` pushes by itself.
    """
    from handlers.bootstrap.state import open_state, with_stack_outputs
    from handlers.tasks.file_task.load_task import key_of, load_task
    from handlers.tasks.file_task.stored_bundle import put_bundle, stored_bundle

    settings = with_stack_outputs(load_settings(**flags))
    bundle = load_task(file, names_in(settings.allow_plugins))
    with open_state(settings.run_id, settings) as state:
        put_bundle(bundle, state.store)
        stored_bundle(bundle.digest, state.store)  # what lay there before is what it should be
    pushed = PushedTask(
        name=bundle.tables.name,
        bundle=bundle.digest,
        asks=bundle.asks,
        gate=bundle.gate,
        key=key_of(bundle.digest),
    )
    typer.echo(pushed.model_dump_json() if as_json else bundle.digest)
