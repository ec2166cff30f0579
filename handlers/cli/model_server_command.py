"""``paperfleet model-server``: a simulated API with latency, limits, faults and a bill."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from handlers.cli.flags.setting_flags import add_command, parsed
from handlers.model_server.habits.habit_table import listed
from handlers.model_server.running import serve
from handlers.model_server.server_settings import ServerSettings


def register(app: typer.Typer) -> None:
    example = "model-server --port 8080 --mode canned --latency 1 --rpm 3000 --faults 0.01"
    add_command(app, "model-server", model_server, example, ServerSettings)


def model_server(
    *,
    list_habits: Annotated[
        bool, typer.Option("--list-habits", help="print the habits that --habit takes, and serve nothing")
    ] = False,
    **flags: Any,
) -> None:
    """Serve an OpenAI-compatible API on loopback. It answers with word-by-word glosses or canned texts, never
    with a translation. GET /stats returns its bill; POST /control changes settings while it runs.
    """
    if list_habits:
        typer.echo(listed())
        return
    if flags["models"] is not None:
        flags["models"] = tuple(flags["models"].split(","))
    settings = parsed(ServerSettings, flags)
    serve(settings, ready=lambda url: typer.echo(f"serving {settings.model_name} on {url}", err=True))
