"""The ``paperfleet`` command."""

from __future__ import annotations

import os
import sqlite3
import sys
from functools import cache
from importlib import import_module
from typing import Annotated

import typer

from handlers.cli.flags.help_words import WordedGroup
from handlers.cli.flags.quiet_pipe import quiet_pipe
from handlers.errors import PaperfleetError

_HELP = "Push a corpus of papers through an LLM API: fast, within budget, nothing lost, nothing paid twice."
_COMPLETES = "_PAPERFLEET_COMPLETE"
"""Set by a shell that asks how a line may go on."""
_COMMANDS = {
    "Before a run": {
        "init": ("init_command", "Write a first paperfleet.toml, after one call to its endpoint."),
        "task": ("task_commands", "Task files: write a first one, check one, or store one for a stack."),
        "try": ("ingest_commands", "Send one paper and show request, answer, verdicts and cost."),
        "pilot": ("pilot_command", "Measure time, tokens and cost on a sample."),
        "plan": ("plan_command", "Predict time, cost and limits of each fleet; sends nothing."),
        "simulate": ("simulate_command", "Run a fleet on a virtual clock; sends nothing."),
    },
    "A run": {
        "run": (
            "run_command",
            "Put a corpus through the model with a fleet of local jobs, or go on with it.",
        ),
        "runs": ("existing.list_command", "List the runs of a state."),
        "status": ("existing.status_command", "Show how a run stands."),
        "pause": ("existing.control_commands", "Pause a run within seconds."),
        "resume": ("existing.control_commands", "Re-arm a run that is paused, parked or cancelled."),
        "retry": ("existing.control_commands", "Reopen failed or flagged papers."),
        "regate": ("existing.regate_command", "Judge stored answers again, for nothing."),
        "cancel": ("existing.control_commands", "Cancel a run until `resume`; its results stay."),
    },
    "Results": {
        "report": ("runs_commands", "Report on a run in full, as text, JSON or a page."),
        "export": ("runs_commands", "Write the results."),
        "review": ("review_command", "Write a site with each paper beside its translation or answer."),
    },
    "Many machines": {
        "shard": ("work_commands", "Fill a run's queue."),
        "work": ("work_commands", "Work on a queue until it is empty."),
        "ingest": ("ingest_commands", "Make the canonical corpus of a source."),
        "merge": ("merge_command", "Unite the state folders of one run."),
        "redrive": ("existing.control_commands", "Send dead letters back to the queue, or list them."),
        "invoke": ("invoke_command", "Call a Lambda handler with an event file."),
        "stack": ("stack_command", "Print the outputs of the deployed stack."),
        "actions": ("actions_commands", "Sessions on GitHub Actions."),
    },
    "Checks and repairs": {
        "audit": ("repair_commands", "Compare the ledger with the results and the provider's bill."),
        "repair": ("repair_commands", "Rebuild a damaged ledger from the results."),
        "model-server": ("model_server_command", "Serve a simulated API on loopback."),
    },
}
"""Panel of the help → command → its module and what it does. A command imports its own module alone, and the
list of all commands none: all of them would take a second."""
_MODULES = {name: module for panel in _COMMANDS.values() for name, (module, _) in panel.items()}


@cache
def app_of(word: str = "") -> typer.Typer:
    """The application: of all commands, or of those in the module of the command ``word``."""
    app = _application()
    for module in dict.fromkeys([_MODULES[word]] if word in _MODULES else _MODULES.values()):
        import_module(f"handlers.cli.{module}").register(app)
    order = list(_MODULES)
    app.registered_commands.sort(key=lambda command: order.index(str(command.name)))
    return app


def outline() -> typer.Typer:
    """The application with its commands by name alone, for the help that lists them and for words that are
    none of them."""
    app = _application()
    for panel, commands in _COMMANDS.items():
        for name, (_, does) in commands.items():
            app.command(name, help=does, rich_help_panel=panel)(_not_loaded)
    return app


def _application() -> typer.Typer:
    app = typer.Typer(
        name="paperfleet",
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode="markdown",
        help=_HELP,
        epilog=(
            "Example: `paperfleet run papers.jsonl --base-url https://api.example.com/v1 --model NAME"
            " --budget 45`"
        ),
    )
    app.callback(invoke_without_command=True, cls=WordedGroup)(_without_command)
    return app


def _without_command(
    context: typer.Context,
    shows_version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if shows_version:
        from importlib.metadata import version  # its import takes longer than the help's

        typer.echo(f"paperfleet {version('paperfleet')}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _not_loaded() -> None:
    """Stands for a command in the list of all."""


def main() -> None:
    """Entry point. An expected error is one sentence on stderr and exit code 2."""
    try:
        word = sys.argv[1] if len(sys.argv) > 1 else ""
        with quiet_pipe():
            (app_of(word) if word in _MODULES or _COMPLETES in os.environ else outline())(
                prog_name="paperfleet"
            )
    except KeyboardInterrupt:  # before a command was at work
        sys.exit(130)
    except PaperfleetError as error:
        _exit_with(str(error))
    except sqlite3.DatabaseError as error:
        damaged = type(error) is sqlite3.DatabaseError  # its subclasses: locked, full, read-only ...
        cure = "; `paperfleet repair` makes it again from the parts" if damaged else ""
        _exit_with(f"the ledger or queue cannot be used: {error}{cure}")
    except OSError as error:
        _exit_with(f"{error.filename or 'file system'}: {error.strerror or error}")


def _exit_with(sentence: str) -> None:
    from rich.console import Console  # nothing of it is needed where all is well and no help is asked for
    from rich.markup import escape

    Console(stderr=True, highlight=False).print(f"[bold red]error:[/] {escape(sentence)}", soft_wrap=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
