"""The ``paperfleet`` command."""

from __future__ import annotations

import sqlite3
import sys
from functools import cache
from importlib import import_module

import typer
from rich.console import Console
from rich.markup import escape

from handlers.errors import PaperfleetError

_HELP = "Push a corpus of papers through an LLM API: fast, within budget, nothing lost, nothing paid twice."
_GROUPS = {
    "ingest": ("ingest", "try"),
    "pilot": ("pilot",),
    "plan": ("plan",),
    "simulate": ("simulate",),
    "run": ("run",),
    "work": ("shard", "work"),
    "merge": ("merge",),
    "runs": ("status", "report", "export", "retry", "redrive", "pause", "resume", "cancel"),
    "review": ("review",),
    "repair": ("repair", "audit"),
    "model_server": ("model-server",),
    "invoke": ("invoke",),
    "stack": ("stack",),
    "actions": ("actions",),
}
"""Module → its commands, in the order of the help. The others' modules are half of a command's start."""


@cache
def app_of(word: str = "") -> typer.Typer:
    """The application; given a command, that one and those of its module alone."""
    app = typer.Typer(
        name="paperfleet",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="markdown",
        help=_HELP,
        epilog=(
            "Example: `paperfleet run papers.jsonl --base-url https://api.example.com/v1 --model NAME"
            " --budget 45`"
        ),
    )
    app.callback()(_no_command_alone)
    wanted = [module for module, commands in _GROUPS.items() if word in commands]
    for module in wanted or _GROUPS:
        import_module(f"handlers.cli.{module}").register(app)
    return app


def _no_command_alone() -> None:
    """Typer makes an application of one command that command itself, without its name."""


def main() -> None:
    """Entry point: what goes wrong on purpose is one sentence on stderr and exit code 2."""
    try:
        app_of(*sys.argv[1:2])()
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
