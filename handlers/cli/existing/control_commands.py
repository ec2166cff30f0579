"""Commands that steer a run: pause, resume, cancel, retry, redrive."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from handlers.bootstrap.state import State
from handlers.cli.existing.opened_run import forget_ahead, opened_run
from handlers.cli.flags import shared_options
from handlers.cli.flags.setting_flags import add_command
from handlers.counted import counted
from handlers.domain.paper import PaperStatus
from handlers.errors import UsageError
from handlers.runs import control

_GO_ON = "`paperfleet run` (the same command) or `paperfleet work` goes on"
_FINISHED = (
    "it is finished, and nothing of it is left to pause; what `paperfleet retry` reopens waits for"
    " `paperfleet resume`"
)


def register(app: typer.Typer) -> None:
    for name, command, example in (
        ("retry", retry, "retry --run-id june --flagged --class placeholders"),
        ("redrive", redrive, "redrive --run-id june --list"),
        ("pause", pause, "pause --run-id june"),
        ("resume", resume, "resume --run-id june"),
        ("cancel", cancel, "cancel --run-id june"),
    ):
        add_command(app, name, command, example)


def retry(
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Papers that failed.")] = False,
    flagged: Annotated[
        bool, typer.Option("--flagged", help="Papers whose answers the gate refused.")
    ] = False,
    error: Annotated[
        str | None, typer.Option("--class", help="Only those of this error class (see `report`).")
    ] = None,
    as_json: shared_options.AsJson = False,
    **flags: Any,
) -> None:
    """Reopen failed or flagged papers for another paid try. `report` counts them by error class."""
    choice: dict[PaperStatus, bool] = {"failed": failed, "flagged": flagged}
    chosen = [status for status, is_chosen in choice.items() if is_chosen]
    if not chosen and error is None:
        raise UsageError("say which papers: --failed, --flagged or --class ERROR")
    with opened_run(flags) as (adapters, run):
        done = control.retry(adapters, run, statuses=chosen or ["failed", "flagged"], error=error)
        forget_ahead(adapters, run)
        ready = _ready(adapters, run)
    named = " or ".join(chosen or ["failed", "flagged"])
    again = (
        f"{counted(done.reopened, 'paper is', 'papers are')} pending again; "
        if done.reopened
        else f"no paper is {named}; "
    )
    _answer(done, f"{again}{ready}", as_json=as_json)


def redrive(
    *,
    listed: Annotated[bool, typer.Option("--list", help="Only show the dead letters.")] = False,
    as_json: shared_options.AsJson = False,
    **flags: Any,
) -> None:
    """Send the queue's dead letters back to it, or list them with their last error."""
    with opened_run(flags) as (adapters, run):
        if listed:
            for letter in control.dead_letters(adapters, run):
                typer.echo(control.summarise_letter(letter).model_dump_json())
            return
        done = control.redrive(adapters, run)
    _answer(done, f"{counted(done.redriven, 'message')} sent back; {_GO_ON}", as_json=as_json)


def pause(*, as_json: shared_options.AsJson = False, **flags: Any) -> None:
    """Pause a run within seconds: calls in flight finish and no new one starts."""
    with opened_run(flags) as (adapters, run):
        done = control.pause(adapters, run)
        pending = adapters.ledger.totals(run).counts["pending"]
    _answer(done, "paused; `paperfleet resume` re-arms it" if pending else _FINISHED, as_json=as_json)


def resume(*, as_json: shared_options.AsJson = False, **flags: Any) -> None:
    """Re-arm a paused, parked or cancelled run and send the messages of its unfinished batches."""
    with opened_run(flags) as (adapters, run):
        done = control.resume(adapters, run)
        ready = _ready(adapters, run)
    _answer(done, ready, as_json=as_json)


def cancel(*, as_json: shared_options.AsJson = False, **flags: Any) -> None:
    """Cancel a run until `resume`: its results stay, its other messages are dropped."""
    with opened_run(flags) as (adapters, run):
        done = control.cancel(adapters, run)
    stopped = "cancelled" if done.state == "cancelled" else "it is finished, and nothing is left to cancel"
    _answer(done, f"{stopped}; what is done stays and can be exported", as_json=as_json)


def _ready(adapters: State, run_id: str) -> str:
    """What there is to go on with."""
    state = adapters.ledger.control(run_id).state
    if state != "active":
        return f"it stays {state} until `paperfleet resume`"
    pending = adapters.ledger.totals(run_id).counts["pending"]
    return f"ready: {counted(pending, 'paper')}; {_GO_ON}" if pending else "no paper is pending"


def _answer(done: control.ControlResult, sentence: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(done.model_dump_json())
    else:
        typer.echo(f"run {done.run_id}: {sentence}")
