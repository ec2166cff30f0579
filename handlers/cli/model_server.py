"""``paperfleet model-server``: a simulated API with latency, limits, faults and a bill."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from pydantic import ValidationError

from handlers.cli.flags import flag, sign
from handlers.errors import UsageError
from handlers.model_server.running import serve
from handlers.model_server.server_settings import ServerSettings


def register(app: typer.Typer) -> None:
    app.command(
        "model-server",
        epilog=(
            "Example: `paperfleet model-server --port 8080 --mode canned --latency 1 --rpm 3000"
            " --faults 0.01`"
        ),
    )(_command())


def model_server(**flags: Any) -> None:
    """Serve an OpenAI-compatible API on loopback: word-by-word glosses or canned answers, never a
    translation. GET /stats has the bill it would send; POST /control changes settings in mid-run.
    """
    try:
        settings = ServerSettings(**flags)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = (
            "--" + "-".join(str(step) for step in first["loc"]).replace("_", "-") if first["loc"] else "flags"
        )
        raise UsageError(f"{where}: {first['msg']}") from error
    serve(settings, ready=lambda url: typer.echo(f"serving {settings.model_name} on {url}", err=True))


def _command() -> Any:
    """The function with one flag for each field of ``ServerSettings``; numbers travel as text, exact."""

    def command(**flags: Any) -> None:
        given = {name: value for name, value in flags.items() if value not in (None, [], ())}
        if "models" in given:
            given["models"] = tuple(given["models"].split(","))
        model_server(**given)

    command.__doc__ = model_server.__doc__
    parameters = []
    for name, field in ServerSettings.model_fields.items():
        default = field.get_default()
        shown = (
            f"{field.description} [default: {default}]" if default not in (None, ()) else field.description
        )
        long = "--" + name.replace("_", "-")
        switch = field.annotation is bool
        kind: Any = bool | None if switch else str | None
        option = typer.Option(f"{long}/--no-{long[2:]}" if switch else long, help=shown)
        parameters.append(flag(name, Annotated[kind, option]))
    sign(command, parameters)
    return command
