"""Every error that a caller can tell apart, by class and never by text.

::

    PaperfleetError
    ├── UsageError                 a flag, setting or file is wrong: exit 2
    │   ├── SourceError            a corpus cannot be read or has no good line
    │   ├── RunChangedError        a fixed setting differs from the run's: carries the diff
    │   └── UnknownRunError        no such run in this state
    ├── BadMessageError            a queue message that no delivery can mend
    ├── DamagedObjectError         an object of the store is gone or is not as it was written
    │   └── CorpusChangedError     the corpus is gone or is not what the message says
    │       └── BadLineError       one line of it is not the paper expected: fails that paper
    ├── StoppedError               the job was told to stop: the paper stays pending
    ├── BudgetSpentError           nothing can be reserved and nothing is outstanding: parks the run
    └── ModelCallError             one call to the API did not give an answer
        ├── ThrottledError         429 and the like: slow down, never charged
        │   └── CapacityError      the tier is full for now, whoever asks and however slowly
        ├── TransientError         5xx, resets, timeouts: try again, perhaps charged
        │   └── AdaptedError       the API took exception to a parameter, which is sent no more
        ├── FatalError             401, 402, 403, unknown model, no credit: parks the run
        └── RejectedError          this request is refused, others are not
            ├── TooLongError       the prompt is over the context window: split it
            └── ContentFilteredError   the provider's filter refused the text
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:  # importing pydantic takes longer than all of the commands that need none of it
    from pydantic import ValidationError

    from handlers.domain.call import Usage


class PaperfleetError(Exception):
    """Base of all errors raised on purpose."""


class UsageError(PaperfleetError):
    """Something the user gave is wrong; the message names it, the place and the fix."""


class SourceError(UsageError):
    """A corpus source cannot be read, or not one of its lines is a paper."""


class UnknownRunError(UsageError):
    """The state holds no run of this id."""


class RunChangedError(UsageError):
    """A run's fixed settings cannot change under the same id.

    ``diff`` maps each setting to (value of the run, value asked for).
    """

    def __init__(self, run_id: str, diff: dict[str, tuple[object, object]]) -> None:
        self.diff = diff
        rows = "; ".join(f"{key}: {was!r} there, {now!r} asked for" for key, (was, now) in diff.items())
        super().__init__(
            f"run {run_id!r} exists with other settings ({rows}). "
            "Give the same settings to go on with it, or another --run-id to start anew"
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


class ModelCallError(PaperfleetError):
    """One HTTP call that gave no usable answer.

    ``usage`` is what the provider says that it charged for all the same; the call is booked by it.
    ``indeterminate`` is True when it may have charged and did not say (cut off, timed out); then the call is
    booked at its estimate, and the rest of its reservation is held. ``code`` is a stable word for reports:
    ``http_503``, ``read_timeout``, ``connect``, ``insufficient_quota`` ...
    """

    usage: Usage | None = None

    def __init__(self, message: str, *, code: str, indeterminate: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.indeterminate = indeterminate

    def stating(self, usage: Usage | None) -> Self:
        """The same error of a call that took ``usage``; None leaves it as it is."""
        self.usage = usage
        return self


class ThrottledError(ModelCallError):
    """The API asks to slow down. ``retry_after`` is in seconds, None if it did not say."""

    def __init__(self, message: str, *, retry_after: float | None, code: str = "throttled") -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after


class CapacityError(ThrottledError):
    """The API has no room in this tier: to ask more slowly is no cure, to ask later or elsewhere is."""

    def __init__(self, message: str, *, retry_after: float | None) -> None:
        super().__init__(message, retry_after=retry_after, code="no_capacity")


class TransientError(ModelCallError):
    """Worth another try. ``reached`` is False when no connection came about (refused, DNS, TLS)."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        indeterminate: bool = False,
        reached: bool = True,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, code=code, indeterminate=indeterminate)
        self.reached = reached
        self.retry_after = retry_after


class AdaptedError(TransientError):
    """The API refused a parameter at no cost; the next try is another request, at once."""


class FatalError(ModelCallError):
    """No call of this run can succeed until somebody acts: key, credit, model name, permission."""


class RejectedError(ModelCallError):
    """The API refuses this request for good (another 4xx); other papers may pass."""


class TooLongError(RejectedError):
    """The prompt is over the model's context window."""


class ContentFilteredError(RejectedError):
    """The provider's content filter refused the text."""


def first_problem(error: ValidationError) -> str:
    """``field: what is wrong with it`` for the first field that is wrong, levels joined by dots; without the
    name where the whole value is."""
    field, reason = problem_of(error)
    return f"{field}: {reason}" if field else reason


def problem_of(error: ValidationError) -> tuple[str, str]:
    """The two halves of ``first_problem``, the field "" where the whole value is wrong."""
    first = error.errors(include_url=False, include_input=False)[0]
    return ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
