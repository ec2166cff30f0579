"""What people do to a run: pause, resume, cancel, retry, redrive."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pydantic import ValidationError

from handlers.domain.batch import BatchMessage, DeadLetter
from handlers.domain.paper import PaperStatus
from handlers.domain.run import Control
from handlers.domain.value import Frozen
from handlers.errors import UsageError
from handlers.ports import BatchQueue, Ledger
from handlers.runs.submit import emit

_UNTOLD = "none was given: whoever held it died each time (out of time or memory, killed); see the log"


class Steered(Frozen):
    """What a command did to a run."""

    run_id: str
    state: str
    """The control item's: ``active``, ``paused``, ``parked`` or ``cancelled``."""
    reopened: int = 0
    """Papers, followers included."""
    redriven: int = 0
    """Dead letters sent back."""
    emitted: int = 0
    """Messages sent: one for each unfinished batch."""


class ToldLetter(Frozen):
    """A dead letter for people: which batch, how often delivered, and the last reason given."""

    id: str
    batch_id: str | None
    """None when the body is no batch message."""
    receives: int
    reason: str


def pause(run_id: str, *, ledger: Ledger, now: float) -> Steered:
    """Jobs start no further call of the run; those in flight finish. Its messages are kept or, once
    received, dropped: ``resume`` and ``run`` emit them again."""
    _not_cancelled(run_id, ledger, "pause")
    ledger.set_control(run_id, Control("paused", "paused by hand", now))
    return Steered(run_id=run_id, state="paused")


def resume(run_id: str, *, ledger: Ledger, queue: BatchQueue, now: float) -> Steered:
    """Re-arm a paused, parked or cancelled run and emit its unfinished batches."""
    ledger.run(run_id)
    ledger.set_control(run_id, Control("active", "", now))
    return Steered(run_id=run_id, state="active", emitted=emit(run_id, ledger=ledger, queue=queue))


def cancel(run_id: str, *, ledger: Ledger, queue: BatchQueue, now: float) -> Steered:
    """Stop the run for good: what is done stays, messages are dropped."""
    ledger.run(run_id)
    ledger.set_control(run_id, Control("cancelled", "cancelled by hand", now))
    queue.purge()
    return Steered(run_id=run_id, state="cancelled")


def retry(
    run_id: str, *, statuses: Sequence[PaperStatus], error: str | None, ledger: Ledger, queue: BatchQueue
) -> Steered:
    """Open the next generation for the papers in these states, of that error class if given, and emit
    their batches. The run's control state stays: a parked run is resumed by whoever mended it."""
    state = _not_cancelled(run_id, ledger, "retry")
    reopened = ledger.reopen(run_id, statuses=statuses, error=error)
    emitted = emit(run_id, ledger=ledger, queue=queue) if reopened else 0
    return Steered(run_id=run_id, state=state, reopened=reopened, emitted=emitted)


def redrive(run_id: str, *, ledger: Ledger, queue: BatchQueue) -> Steered:
    """Send the run's dead letters back with a receive count of 0, and those that name no run; other
    runs' stay dead."""
    state = _not_cancelled(run_id, ledger, "redrive")
    return Steered(run_id=run_id, state=state, redriven=queue.redrive(partial(_concerns, run_id)))


def dead_letters(run_id: str, *, ledger: Ledger, queue: BatchQueue) -> list[DeadLetter]:
    """The run's dead letters, and those that name no run: several runs may share a queue.
    UnknownRunError if there is no such run."""
    ledger.run(run_id)
    return [letter for letter in queue.dead_letters() if _concerns(run_id, letter.body)]


def dead_batches(run_id: str, queue: BatchQueue) -> frozenset[str]:
    """Ids of the run's batches that are dead letters."""
    messages = [_batch_of(letter.body) for letter in queue.dead_letters()]
    return frozenset(each.batch_id for each in messages if each is not None and each.run_id == run_id)


def told(letter: DeadLetter) -> ToldLetter:
    """Without its body, which may be anything."""
    message = _batch_of(letter.body)
    return ToldLetter(
        id=letter.id,
        batch_id=None if message is None else message.batch_id,
        receives=letter.receives,
        reason=letter.reason or _UNTOLD,
    )


def _concerns(run_id: str, body: str) -> bool:
    message = _batch_of(body)
    return message is None or message.run_id == run_id


def _batch_of(body: str) -> BatchMessage | None:
    """None when the body is no batch message."""
    try:
        return BatchMessage.model_validate_json(body)
    except ValidationError:
        return None


def _not_cancelled(run_id: str, ledger: Ledger, verb: str) -> str:
    """The control state. UnknownRunError if there is no such run."""
    state = ledger.control(run_id).state
    if state == "cancelled":
        raise UsageError(f"run {run_id!r} is cancelled: `paperfleet resume` re-arms it, then {verb} it")
    return state
