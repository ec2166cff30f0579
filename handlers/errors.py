"""Every error that a caller can tell apart, by class and never by text.

::

    PaperfleetError
    ├── UsageError                 a flag, setting or file is wrong: exit 2
    │   ├── SourceError            a corpus cannot be read or has no good line
    │   ├── RunChangedError        a fixed setting differs from the run's: carries the diff
    │   ├── EarlierLayoutError     a run of an earlier release, which has to finish it: carries its settings
    │   └── UnknownRunError        no such run in this state
    ├── BadMessageError            a queue message that no delivery can mend
    ├── DamagedObjectError         an object of the store is gone or is not as it was written
    │   └── CorpusChangedError     the corpus is gone or is not what the message says
    │       └── BadLineError       one line of it is not the paper expected: fails that paper
    ├── StoppedError               the job was told to stop: the paper stays pending
    ├── BudgetSpentError           nothing can be reserved and nothing is outstanding: parks the run
    ├── UnavailableError           the ledger, the queue or the store is out of reach for a while
    └── domain.call_errors.ModelCallError   one call to the API did not give an answer: a tree of its own
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # importing pydantic takes longer than all of the commands that need none of it
    from pydantic import ValidationError


class PaperfleetError(Exception):
    """Base of all errors raised on purpose."""


class UsageError(PaperfleetError):
    """Something the user gave is wrong; the message names it, the place and the fix."""


class SourceError(UsageError):
    """A corpus source cannot be read, or not one of its lines is a paper."""


class UnknownRunError(UsageError):
    """The state holds no run of this id."""


_OF_A_GATE = {"task_bundle", "task_gate", "skip_no_derivatives"}
"""Settings of a run that a task file's checks and rules come to, and no request."""

_OF_A_TASK = {"task_bundle", "task_gate", "task_asks"}
"""What a task file comes to: digests, which tell a reader nothing."""


class RunChangedError(UsageError):
    """A run's fixed settings cannot change under the same id.

    ``diff`` maps each setting to (value of the run, value asked for).
    """

    def __init__(
        self, run_id: str, diff: dict[str, tuple[object, object]], *, task_file: str = "FILE"
    ) -> None:
        """``task_file``: the task file that was asked for, as a command line takes it."""
        self.run_id, self.diff = run_id, diff
        if diff and diff.keys() <= _OF_A_GATE and "task_gate" in diff:
            super().__init__(
                f"run {run_id!r} is judged by other checks than this task file's: `paperfleet regate --run-id"
                f" {run_id} --task {task_file}` judges its answers by these, at no cost, and then the same"
                " command goes on; or give another --run-id"
            )
            return
        moved = diff.keys() & {"corpus", "corpus_sha256"}
        task = diff.keys() & _OF_A_TASK if "task_asks" in diff else set()
        other = {key: pair for key, pair in diff.items() if key not in moved | task}
        rows = "; ".join(f"{key}: {was!r} there, {now!r} asked for" for key, (was, now) in other.items())
        differs = [
            *(["another corpus: its source was another file, or has changed since"] if moved else ()),
            *(["another task: its prompts, examples or output are not this task file's"] if task else ()),
            *([f"other settings ({rows})"] if other else ()),
        ]
        alike = {"source": moved, "task file": task, "settings": other}
        same = " and ".join(name for name, differ in alike.items() if differ) or "settings"
        anew = ", which takes over what is finished of equal text and settings" if moved else ""
        super().__init__(
            f"run {run_id!r} exists with {'; and with '.join(differs)}. "
            f"Give the same {same} to go on with it, or another --run-id to start anew{anew}"
        )


class EarlierLayoutError(UsageError):
    """A run that this release cannot go on with; ``spec`` is what is fixed for it, its ``RunSpec``."""

    def __init__(self, run_id: str, spec: Any) -> None:
        self.spec = spec
        super().__init__(
            f"run {run_id!r} was begun by an earlier release: finish it with the release that began it, or "
            "start it anew with another --run-id: its results are taken over at no cost"
        )


class BadMessageError(PaperfleetError):
    """A message that is not a batch of a known version; it ends in the dead-letter queue."""


class DamagedObjectError(PaperfleetError):
    """An object of the store is gone, or not as it was written; the message names the cure."""


class CorpusChangedError(DamagedObjectError):
    """The corpus that a message points at is gone, or a line of it is not the paper expected."""


class BadLineError(CorpusChangedError):
    """One line of the corpus is no paper, or another one."""


class StoppedError(PaperfleetError):
    """The job drains: no call starts any more and the paper stays pending."""


class BudgetSpentError(PaperfleetError):
    """The budget's remainder is smaller than one call and nothing is outstanding."""


class UnavailableError(PaperfleetError):
    """The environment's doing, and it passes: a network, a throttle, a permission that somebody took away.

    No message's fault and no paper's: the work is done again later.
    """


def first_problem(error: ValidationError) -> str:
    """``field: what is wrong with it`` for the first field that is wrong, levels joined by dots; without the
    name where the whole value is."""
    field, reason = problem_of(error)
    return f"{field}: {reason}" if field else reason


def problem_of(error: ValidationError) -> tuple[str, str]:
    """The two halves of ``first_problem``, the field "" where the whole value is wrong."""
    first = error.errors(include_url=False, include_input=False)[0]
    return ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")


def missing_error(key: str, place: str) -> DamagedObjectError:
    """The error for an object that is not at its ``place``. What people upload is theirs, and may never have
    been there."""
    if key.startswith("incoming/"):
        return DamagedObjectError(f"{place} is not there: put the file there that is to be read")
    return damage_error(key, f"{place} is gone")


def damage_error(key: str, problem: str) -> DamagedObjectError:
    """The error for an object that is gone or not as it was written: ``problem`` (a clause that names it)
    and the cure for what its key says it held."""
    if key.startswith("corpora/"):
        return CorpusChangedError(f"{problem}: ingest the source again")
    if "/segments/" in key:
        cure = "`paperfleet repair` keeps the other results and sets its paper back to pending"
    elif "/results/" in key:
        cure = "put it back, or start a run with another --run-id: it reuses every result that can be read"
    else:
        cure = "put it back"
    return DamagedObjectError(f"{problem}: {cure}")
