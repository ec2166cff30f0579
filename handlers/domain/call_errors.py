"""Errors of one call to the API.

::

    ModelCallError             one call to the API did not give an answer
    ├── ThrottledError         429 and the like: slow down, never charged
    │   └── CapacityError      the tier is full for now, whoever asks and however slowly
    ├── TransientError         5xx, resets, timeouts: try again, perhaps charged
    │   └── AdaptedError       the API took exception to a parameter, which is sent no more
    ├── FatalError             401, 402, 403, unknown model, no credit: parks the run
    └── RejectedError          this request is refused, others are not
        ├── TooLongError       the prompt is over the context window: split it
        │   └── UnansweredError   no call is made any more, and nothing is known that was answered
        └── ContentFilteredError   the provider's filter refused the text
"""

from __future__ import annotations

from typing import Self

from handlers.domain.call import Usage
from handlers.errors import PaperfleetError


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


class UnansweredError(TooLongError):
    """Stored answers are judged again, and to this request there is none: what was refused stays as it is,
    by the verdict that it has."""
