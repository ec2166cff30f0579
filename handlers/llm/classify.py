"""From a response that is no answer to the error class that says what to do about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from handlers.domain.call import Usage
from handlers.domain.call_errors import (
    CapacityError,
    ContentFilteredError,
    FatalError,
    ModelCallError,
    RejectedError,
    ThrottledError,
    TooLongError,
    TransientError,
)
from handlers.llm import address_words as address
from handlers.llm import refusal_words as words
from handlers.llm.error_body import ErrorBody
from handlers.llm.error_text import error_text
from handlers.llm.limits.rate_headers import retry_after
from handlers.llm.setting_advice import setting_advice

_FATAL = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "not_found",
    407: "proxy",
    410: "not_found",
}
_LOST_BEHIND_GATEWAY = frozenset((502, 504, 520, 524))
"""A gateway gave up waiting, or lost the answer: the model behind it may have worked on, and charged."""
_CAPACITY = 498
"""Groq's status for a tier that is full."""
_MOMENT, _WHILE = 2.0, 20.0
"""Seconds of silence after which what could mean either is taken for the end: words, mere codes."""
_FIREWALL_PAUSE = 10.0
"""Seconds to wait after a firewall's page that says nothing of it."""
_MINUTES = 300.0
"""A wait up to so many seconds is asked for by a limit, never for want of credit."""
_UNKNOWN = 520


@dataclass(frozen=True)
class Circumstances:
    """What a refusal means depends on when it comes. ``now``: Unix seconds; ``key``: left out of texts."""

    now: float
    key: str = ""
    answered: bool = False
    """True once a call of this process was answered."""
    silent: float = math.inf
    """Seconds since the first of the refusals after the last answer."""
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    """What the user's settings add to each request."""


@dataclass(frozen=True)
class Refusal:
    """A response that is no answer. ``headers`` have lower-case names; ``inside`` is True of an error that
    came with status 200, ``status`` is then the one that it names, or 0."""

    status: int
    error: ErrorBody
    headers: Mapping[str, str] = field(default_factory=dict)
    inside: bool = False
    usage: Usage | None = None
    partial: bool = False
    """True if a part of an answer came before the error: it may have been charged."""
    flex: bool = False
    """True if the request asked for the flex tier."""

    @property
    def effective(self) -> int:
        """The status, or the one that the words of an error without one stand for."""
        return self.status or _status_by_words(self.error)

    def text(self, key: str) -> str:
        head = (
            f"HTTP 200 with an error ({self.status or 'no status'})" if self.inside else f"HTTP {self.status}"
        )
        return f"{head}: {error_text(self.error.message, key) or _named(self.error) or 'no message'}"


def classify_refusal(refusal: Refusal, when: Circumstances) -> ModelCallError:
    """The error for a refusal, with the usage that it states. If it states none it cost nothing, unless a
    part of an answer came or a gateway lost one."""
    error = _classified(refusal, when).stating(refusal.usage)
    error.indeterminate = error.indeterminate or refusal.partial
    return error


def _classified(refusal: Refusal, when: Circumstances) -> ModelCallError:
    status, error, message = refusal.effective, refusal.error, refusal.text(when.key)
    if 300 <= status < 400:
        return FatalError(message, code="redirect")
    wait = retry_after(refusal.headers, now=when.now)
    wait = error.delay if wait is None else wait
    if _is_out_of_credit(refusal, when, wait):
        return FatalError(message, code="insufficient_quota")
    if status == _CAPACITY or _is_full(refusal):
        return CapacityError(message, retry_after=wait)
    if status == 429 or (status in (400, 403) and _is_rate(error)):
        return ThrottledError(message, retry_after=wait)
    if _is_filtered(status, error):
        return ContentFilteredError(message, code="content_filter")
    if status < 500 and _is(error, words.ANSWER_FAILED, words.ANSWER_FAILED_TEXT):
        return TransientError(message, code="json_validate_failed")
    if "model_not_found" in error.words and not (status >= 500 and when.answered):
        return FatalError(message, code="model_not_found")
    if status in (408, 409, 425) or status >= 500:
        return _outage(refusal, message, wait)
    return _refused(refusal, when, message, wait)


def _outage(refusal: Refusal, message: str, wait: float | None) -> TransientError:
    status = refusal.effective
    lost = status in _LOST_BEHIND_GATEWAY and not refusal.inside
    code = "api_error" if refusal.inside and status == _UNKNOWN else f"http_{status}"
    return TransientError(message, code=code, indeterminate=lost, retry_after=wait)


def _refused(refusal: Refusal, when: Circumstances, message: str, wait: float | None) -> ModelCallError:
    """A 4xx that another try will not mend, unless it is not the API that speaks."""
    status, error = refusal.effective, refusal.error
    if _lacks_key(status, error, when):
        return FatalError(f"{message}; no API key is set: PAPERFLEET_API_KEY", code="unauthorized")
    if status == 413 or (status in (400, 422) and _is(error, words.TOO_LONG, words.TOO_LONG_TEXT)):
        return TooLongError(message, code="too_long")
    if _is_firewall(refusal) or (when.answered and error.page and status in _FATAL):
        if when.answered or when.silent < _MOMENT:
            pause = _FIREWALL_PAUSE if wait is None else wait
            return TransientError(message, code=f"http_{status}", retry_after=pause)
    elif status in (400, 403, 404, 422) and _is_unknown_model(status, error):
        return FatalError(message, code="model_not_found")
    if status not in _FATAL:
        return _rejected(refusal, when, message)
    if refusal.inside and status != 401 and (when.answered or when.silent < _MOMENT):
        return TransientError(message, code=_FATAL[status])
    return FatalError(message, code=_FATAL[status])


def _rejected(refusal: Refusal, when: Circumstances, message: str) -> ModelCallError:
    """One request's fault, unless nothing was answered yet and a setting is what is refused."""
    unheard = not when.answered and refusal.usage is None
    advice = setting_advice(refusal.error, when.extra_body) if unheard else None
    if advice is not None:
        return FatalError(f"{message}; {advice.cure}", code=advice.code)
    return RejectedError(message, code=f"http_{refusal.effective}")


def _lacks_key(status: int, error: ErrorBody, when: Circumstances) -> bool:
    """Whether it was refused for a key that this side has none of."""
    if when.key or error.page:
        return False
    return status == 401 or (status in (400, 403) and error.says(words.NO_KEY_TEXT))


def _is(error: ErrorBody, codes: frozenset[str], phrases: tuple[str, ...]) -> bool:
    return bool(error.words & codes) or error.says(phrases)


def _is_rate(error: ErrorBody) -> bool:
    return _is(error, words.RATE, words.RATE_TEXT) and not error.page


def _is_full(refusal: Refusal) -> bool:
    """Of a request to the flex tier by its code in a refusal of any status, by its text only in those that
    ask to come back; of another one in a 429 alone: what else has such words there is an outage."""
    status, error = refusal.effective, refusal.error
    if status == 429 or (refusal.flex and status in (400, 403, 503, 529)):
        says = status not in (400, 403) and not error.page and error.says(words.NO_CAPACITY_TEXT)
        return bool(error.words & words.NO_CAPACITY) or says
    return False


def _is_filtered(status: int, error: ErrorBody) -> bool:
    if status not in (400, 403, 421, 422, 451, 500) or error.page or error.says(words.SUSPENDED_TEXT):
        return False
    if status == 500:  # a server's own error must say so by its code
        return bool(error.words & words.FILTERED)
    return _is(error, words.FILTERED, words.FILTERED_TEXT)


def _is_unknown_model(status: int, error: ErrorBody) -> bool:
    text = error.message.lower()
    named = error.words & address.NO_MODEL or address.names_no_model(text)
    return bool(named) or (status == 404 and "model" in text)


def _is_firewall(refusal: Refusal) -> bool:
    """True of the page that a firewall before the API shows."""
    if refusal.status not in (403, 405, 406) or refusal.inside:
        return False
    return (
        "cf-mitigated" in refusal.headers
        or refusal.headers.get("x-amzn-waf-action") is not None
        or (refusal.error.page and (refusal.status == 403 or refusal.error.says(address.FIREWALL_TEXT)))
    )


def _is_out_of_credit(refusal: Refusal, when: Circumstances, wait: float | None) -> bool:
    """Clear words end the run at once; those that others use for a minute's limit, once nothing got through
    for some seconds; a mere code, after a longer silence."""
    status, error = refusal.effective, refusal.error
    if status == 402:
        return True
    if status not in (400, 403, 429) or error.page:
        return False
    rate = error.words & words.RATE or error.delay is not None or error.says(words.RATE_TEXT)
    if _is(error, words.NO_CREDIT, words.NO_CREDIT_TEXT):
        return not (rate and status == 429)
    if rate or (wait is not None and wait <= _MINUTES and status == 429):
        return False
    if error.says(words.QUOTA_TEXT):
        return when.silent >= _MOMENT
    return bool(error.words & words.QUOTA) and when.silent >= _WHILE


def _status_by_words(error: ErrorBody) -> int:
    """The status that an error inside of a 200 stands for, if it names none."""
    text = error.message.lower()
    if _is(error, words.NO_CREDIT, words.NO_CREDIT_TEXT):
        return 402
    if error.words & words.FILTERED or error.words & words.TOO_LONG:
        return 400
    if _is(error, words.RATE, words.RATE_TEXT) or error.words & words.QUOTA or error.says(words.QUOTA_TEXT):
        return 429
    if _is(error, words.NO_CAPACITY, words.NO_CAPACITY_TEXT):
        return 429
    if _is(error, address.UNAUTHORIZED, address.UNAUTHORIZED_TEXT):
        return 401
    if error.words & address.NO_MODEL or address.names_no_model(text) or error.says(address.NO_ENDPOINT_TEXT):
        return 404
    refused = words.FILTERED_TEXT + words.TOO_LONG_TEXT + words.ANSWER_FAILED_TEXT
    if error.says(refused) or "invalid_request_error" in error.words:
        return 400
    return 503 if error.says(address.OUTAGE_TEXT) else _UNKNOWN


def _named(error: ErrorBody) -> str:
    return ", ".join(sorted(error.words))[:100]
