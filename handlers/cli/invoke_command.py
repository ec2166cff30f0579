"""``paperfleet invoke``: a handler with an event file, as Lambda would call it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import BaseModel, ValidationError

from handlers import process, report, shard
from handlers.bootstrap import wiring
from handlers.bootstrap.host import set_environment
from handlers.bootstrap.metrics import figures
from handlers.bootstrap.state import SystemClock
from handlers.cli.flags.setting_flags import add_command
from handlers.errors import UsageError, first_problem
from handlers.local.event_source import LocalContext
from handlers.setting_sources import to_environment
from handlers.settings import load_settings

_LAMBDA_SECONDS = 900.0
_NAMESPACE = "POWERTOOLS_METRICS_NAMESPACE"
_NOTHING = {
    "shard": "no message was sent, for every batch of the run is finished",
    "report": "no run of this state is open, or has ended since the last look",
}
_HANDLERS = {"shard": shard.handler, "process": process.handler, "report": report.handler}


class _Record(BaseModel):
    messageId: str  # noqa: N815 - as SQS spells it
    receiptHandle: str  # noqa: N815
    body: str
    attributes: dict[str, str]


class _SqsEvent(BaseModel):
    Records: list[_Record]


def register(app: typer.Typer) -> None:
    add_command(app, "invoke", invoke, "invoke report events/report.json --state DIR")


def invoke(
    handler: Annotated[Literal["shard", "process", "report"], typer.Argument(help="Handler to call.")],
    event: Annotated[Path, typer.Argument(help="JSON file with the event, as AWS would deliver it.")],
    **flags: Any,
) -> None:
    """Call a Lambda handler with an event file and print its answer as JSON. `process` makes the calls of the
    event's batches. The repository's events/ has an event for each handler. Exits with 1 where the event did
    nothing, and says why.
    """
    content = _read(event)
    set_environment({_NAMESPACE: "Paperfleet", **to_environment(load_settings(**flags))})
    if handler == "process":
        answer, nothing = _processed(content)
    else:
        answer = _answer(handler, content)
        nothing = _NOTHING.get(handler, "") if _is_nothing(answer) else ""
    typer.echo(json.dumps(answer, ensure_ascii=False))
    if nothing:
        typer.echo(f"the event did nothing: {nothing}", err=True)
        raise typer.Exit(1)


def _is_nothing(answer: dict[str, Any]) -> bool:
    return answer.get("emitted") == 0 or answer.get("reported") == []


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


def _answer(name: str, event: dict[str, Any]) -> dict[str, Any]:
    clock = SystemClock()
    ends_at = clock.monotonic() + _LAMBDA_SECONDS
    context = LocalContext(
        f"local-{name}", lambda: ends_at - clock.monotonic(), function_name=f"paperfleet-{name}"
    )
    handler: Any = _HANDLERS[name]
    answer: dict[str, Any] = handler(event, context)
    return answer


def _processed(event: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The answer, and why nothing was done if nothing was."""
    try:
        _SqsEvent.model_validate(event)
    except ValidationError as error:
        raise UsageError(f"no SQS event: {first_problem(error)}") from error
    job = wiring.job()
    try:
        answer = _answer("process", event)
    finally:
        job.close("finished")
    failures = len(answer["batchItemFailures"])
    if any(context.meter.sent or figures(context).papers for context in job.contexts):
        return answer, ""
    if failures:
        return answer, f"{failures} of {len(event['Records'])} messages are given back, for the reasons above"
    return answer, (
        "no batch of the event has a paper to work on: they are finished, their run waits (`status` tells), "
        "or another job has them"
    )
