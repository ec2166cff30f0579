"""``paperfleet stack``: shows the outputs of the deployed stack, and stores its API key."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from handlers.bootstrap.state import DEFAULT_STACK
from handlers.cli.flags.setting_flags import add_command
from handlers.errors import UsageError
from handlers.setting_sources import PREFIX
from handlers.settings import load_settings


def register(app: typer.Typer) -> None:
    add_command(app, "stack", stack, "stack paperfleet --store-key")


def stack(
    name: Annotated[
        str | None, typer.Argument(help="Its name [default: PAPERFLEET_STACK, then paperfleet].")
    ] = None,
    env: Annotated[
        bool,
        typer.Option("--env", help="Print them as NAME=value lines of settings, for scripts and runners."),
    ] = False,
    store_key: Annotated[
        bool, typer.Option("--store-key", help="Put the key of PAPERFLEET_API_KEY into the stack's secret.")
    ] = False,
) -> None:
    """Print the outputs of the deployed stack as JSON. Commands with --aws read them by themselves."""
    from handlers.adapters.aws.deployed_stack import KEY_OUTPUT, OUTPUTS, stack_outputs, store_secret

    settings = load_settings()
    outputs = stack_outputs(name or settings.stack or DEFAULT_STACK)
    if store_key:
        if settings.api_key is None:
            raise UsageError("no key to store: set PAPERFLEET_API_KEY")
        store_secret(outputs[KEY_OUTPUT], settings.api_key.get_secret_value())
        typer.echo(f"the key is in {outputs[KEY_OUTPUT]}; jobs that are at work keep the old one", err=True)
    if env:
        typer.echo(f"{PREFIX}BACKEND=aws")
        for setting, output in OUTPUTS.items():
            typer.echo(f"{PREFIX}{setting.upper()}={outputs[output]}")
    else:
        typer.echo(json.dumps(outputs, indent=2))
