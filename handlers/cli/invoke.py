"""``paperfleet invoke``: a handler with an event file, as Lambda would call it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import BaseModel, ValidationError

from handlers import process, report, shard
from handlers.bootstrap import wiring
from handlers.bootstrap.host import set_environment
from handlers.bootstrap.state import SystemClock
from handlers.cli import options
from handlers.errors import UsageError
from handlers.local.event_source import LocalContext
from handlers.settings import load_settings, to_environment

_LAMBDA_SECONDS = 900.0


class _Record(BaseModel):
    messageId: str  # noqa: N815 - as SQS spells it
    receiptHandle: str  # noqa: N815
    body: str
    attributes: dict[str, str]


class _SqsEvent(BaseModel):
    Records: list[_Record]


def register(app: typer.Typer) -> None:
    app.command("invoke", epilog="Example: `paperfleet invoke report events/report.json --state DIR`")(invoke)


def invoke(
    handler: Annotated[Literal["shard", "process", "report"], typer.Argument(help="Which handler.")],
    event: Annotated[Path, typer.Argument(help="JSON file with the event, as AWS would deliver it.")],
    state: options.State = None,
    base_url: options.BaseUrl = None,
    price_in: options.PriceIn = None,
    price_out: options.PriceOut = None,
    price_cached: options.PriceCached = None,
    workers: options.Workers = None,
) -> None:
    """Call a handler with an event file and print its answer as JSON. `process` makes the calls of the
    batches in the event; see events/ in the repository for one event each.
    """
    given = {key: value for key, value in locals().items() if key not in ("handler", "event")}
    content = _read(event)
    set_environment(to_environment(load_settings(**given)))
    call = {"shard": _shard, "process": _process, "report": _report}[handler]
    typer.echo(json.dumps(call(content), ensure_ascii=False))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"event file {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"event file {path}: no JSON: {error}") from error
    if not isinstance(content, dict):
        raise UsageError(f"event file {path}: a JSON object wanted")
    return content


def _context(name: str) -> LocalContext:
    clock = SystemClock()
    ends_at = clock.monotonic() + _LAMBDA_SECONDS
    return LocalContext(
        f"local-{name}", lambda: ends_at - clock.monotonic(), function_name=f"paperfleet-{name}"
    )


def _shard(event: dict[str, Any]) -> dict[str, Any]:
    return _called(shard.handler, event, "shard")


def _report(event: dict[str, Any]) -> dict[str, Any]:
    return _called(report.handler, event, "report")


def _process(event: dict[str, Any]) -> dict[str, Any]:
    try:
        _SqsEvent.model_validate(event)
    except ValidationError as error:
        raise UsageError(f"no SQS event: {error}") from error
    job = wiring.job()
    try:
        return _called(process.handler, event, "process")
    finally:
        job.close("finished")


def _called(handler: Callable[..., Any], event: dict[str, Any], name: str) -> dict[str, Any]:
    answer: dict[str, Any] = handler(event, _context(name))
    return answer
