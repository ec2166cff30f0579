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
    "ingest_commands": ("ingest", "try"),
    "pilot_command": ("pilot",),
    "plan_command": ("plan",),
    "simulate_command": ("simulate",),
    "run_command": ("run",),
    "work_commands": ("shard", "work"),
    "merge_command": ("merge",),
    "runs_commands": ("status", "report", "export", "retry", "redrive", "pause", "resume", "cancel"),
    "review_command": ("review",),
    "repair_commands": ("repair", "audit"),
    "model_server_command": ("model-server",),
    "invoke_command": ("invoke",),
    "stack_command": ("stack",),
    "actions_commands": ("actions",),
}
"""Module → its commands, in the order of the help. A command imports its own module alone: the other modules
would double its start."""


@cache
def app_of(word: str = "") -> typer.Typer:
    """The application: of all commands, or of those in the module of the command ``word``."""
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
    """A callback keeps a lone command's name: without it typer runs that command as the application."""


def main() -> None:
    """Entry point. An expected error is one sentence on stderr and exit code 2."""
    try:
        app_of(*sys.argv[1:2])()
    except PaperfleetError as error:
        _exit_with(str(error))
    except sqlite3.DatabaseError as error:
        damaged = type(error) is sqlite3.DatabaseError  # its subclasses: locked, full, read-only ...
        cure = "; `paperfleet repair` makes it again from the parts" if damaged else ""
        _exit_with(f"the ledger or queue cannot be used: {error}{cure}")
    except OSError as error:
        _exit_with(f"{error.filename or 'file system'}: {error.strerror or error}")


def _exit_with(sentence: str) -> None:
    Console(stderr=True, highlight=False).print(f"[bold red]error:[/] {escape(sentence)}", soft_wrap=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
