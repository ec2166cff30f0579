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
from handlers.ports import Backend, BatchQueue, Ledger
from handlers.runs.submit import emit

_NO_REASON = "none was given: whoever held it died each time (out of time or memory, killed); see the log"


class ControlResult(Frozen):
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


class DeadLetterSummary(Frozen):
    """A dead letter for people: which batch, how often delivered, and the last reason given."""

    id: str
    batch_id: str | None
    """None when the body is no batch message."""
    receives: int
    """How often it was delivered."""
    reason: str


def pause(backend: Backend, run_id: str) -> ControlResult:
    """Jobs start no further call of the run; those in flight finish. Its messages are kept or, once
    received, dropped: ``resume`` and ``run`` emit them again."""
    _state_unless_cancelled(backend.ledger, run_id, "pause")
    backend.ledger.set_control(run_id, Control("paused", "paused by hand", backend.clock.now()))
    return ControlResult(run_id=run_id, state="paused")


def resume(backend: Backend, run_id: str) -> ControlResult:
    """Re-arm a paused, parked or cancelled run and emit its unfinished batches."""
    backend.ledger.run(run_id)
    backend.ledger.set_control(run_id, Control("active", "", backend.clock.now()))
    return ControlResult(run_id=run_id, state="active", emitted=emit(backend, run_id))


def cancel(backend: Backend, run_id: str) -> ControlResult:
    """Stop the run for good: what is done stays, messages are dropped. A run without a pending paper is
    finished and stays so: a later ``retry`` of it would find it cancelled."""
    backend.ledger.run(run_id)
    if not backend.ledger.totals(run_id).counts["pending"]:
        return ControlResult(run_id=run_id, state=backend.ledger.control(run_id).state)
    backend.ledger.set_control(run_id, Control("cancelled", "cancelled by hand", backend.clock.now()))
    backend.queue.purge()
    return ControlResult(run_id=run_id, state="cancelled")


def retry(
    backend: Backend, run_id: str, *, statuses: Sequence[PaperStatus], error: str | None
) -> ControlResult:
    """Open the next generation for the papers in these states, of that error class if given, and emit
    their batches. A parked run stays parked: `resume` re-arms it once the cause is mended. UsageError for
    a class that no paper has names those that some have."""
    state = _state_unless_cancelled(backend.ledger, run_id, "retry")
    reopened = backend.ledger.reopen(run_id, statuses=statuses, error=error)
    if error is not None and not reopened:
        _refuse_unknown(backend.ledger, run_id, statuses, error)
    emitted = emit(backend, run_id) if reopened else 0
    return ControlResult(run_id=run_id, state=state, reopened=reopened, emitted=emitted)


def _refuse_unknown(ledger: Ledger, run_id: str, statuses: Sequence[PaperStatus], error: str) -> None:
    classes = {row.error for row in ledger.entries(run_id) if row.status in statuses and row.error}
    if error not in classes:
        there = ", ".join(sorted(classes)) or "none"
        raise UsageError(
            f"no paper that is {' or '.join(statuses)} has the error class {error!r}; there is: {there}"
        )


def redrive(backend: Backend, run_id: str) -> ControlResult:
    """Send the run's dead letters back with a receive count of 0, and those that name no run; other
    runs' stay dead."""
    state = _state_unless_cancelled(backend.ledger, run_id, "redrive")
    backend.ledger.forgive(run_id)
    redriven = backend.queue.redrive(partial(_concerns, run_id))
    return ControlResult(run_id=run_id, state=state, redriven=redriven)


def dead_letters(backend: Backend, run_id: str) -> list[DeadLetter]:
    """The run's dead letters, and those that name no run: several runs may share a queue.
    UnknownRunError if there is no such run."""
    backend.ledger.run(run_id)
    return [letter for letter in backend.queue.dead_letters() if _concerns(run_id, letter.body)]


def dead_batches(queue: BatchQueue, run_id: str) -> frozenset[str]:
    """Ids of the run's batches that are dead letters."""
    messages = [_batch_of(letter.body) for letter in queue.dead_letters()]
    return frozenset(each.batch_id for each in messages if each is not None and each.run_id == run_id)


def summarise_letter(letter: DeadLetter) -> DeadLetterSummary:
    """The summary leaves out the body, which may be anything."""
    message = _batch_of(letter.body)
    return DeadLetterSummary(
        id=letter.id,
        batch_id=None if message is None else message.batch_id,
        receives=letter.receives,
        reason=letter.reason or _NO_REASON,
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


def _state_unless_cancelled(ledger: Ledger, run_id: str, verb: str) -> str:
    """The control state. UsageError if the run is cancelled, UnknownRunError if there is none."""
    state = ledger.control(run_id).state
    if state == "cancelled":
        raise UsageError(f"run {run_id!r} is cancelled: `paperfleet resume` re-arms it, then {verb} it")
    return state
