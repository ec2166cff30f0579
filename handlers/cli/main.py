"""The ``paperfleet`` command."""

from __future__ import annotations

import sqlite3
import sys

import typer
from rich.console import Console
from rich.markup import escape

from handlers.cli import (
    actions,
    corpus,
    invoke,
    merge,
    pilot,
    plan,
    repair,
    review,
    run,
    runs,
    server,
    simulate,
    stack,
    work,
)
from handlers.errors import PaperfleetError

app = typer.Typer(
    name="paperfleet",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="Push a corpus of papers through an LLM API: fast, within budget, nothing lost, nothing paid twice.",
    epilog=(
        "Example: `paperfleet run papers.jsonl --base-url https://api.example.com/v1 --model NAME"
        " --budget 45`"
    ),
)
for group in (
    corpus,
    pilot,
    plan,
    simulate,
    run,
    work,
    merge,
    runs,
    review,
    repair,
    server,
    invoke,
    stack,
    actions,
):
    group.register(app)


def main() -> None:
    """Entry point: what goes wrong on purpose is one sentence on stderr and exit code 2."""
    try:
        app()
    except PaperfleetError as error:
        _complain(str(error))
    except sqlite3.DatabaseError as error:
        damaged = type(error) is sqlite3.DatabaseError  # its subclasses: locked, full, read-only ...
        cure = "; `paperfleet repair` makes it again from the parts" if damaged else ""
        _complain(f"the ledger or queue cannot be used: {error}{cure}")
    except OSError as error:
        _complain(f"{error.filename or 'file system'}: {error.strerror or error}")


def _complain(sentence: str) -> None:
    Console(stderr=True, highlight=False).print(f"[bold red]error:[/] {escape(sentence)}", soft_wrap=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
