"""From a response that is no answer to the error class that says what to do about it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from handlers.errors import (
    ContentFilteredError,
    FatalError,
    ModelCallError,
    RejectedError,
    ThrottledError,
    TooLongError,
    TransientError,
)
from handlers.llm.error_text import error_text
from handlers.llm.limits.rate_headers import MAX_WAIT, duration, retry_after

_MAX_BODY = 65_536
_MAX_MESSAGE = 4_096

_NO_CREDIT = frozenset(
    (
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "insufficient_credits",
        "insufficient_balance",
        "insufficient_user_quota",
        "credit_balance_too_low",
        "account_deactivated",
        "access_terminated",
        "arrearage",
        "1113",
    )
)
_NO_CREDIT_TEXT = (
    "insufficient balance",
    "insufficient credit",
    "insufficient_quota",
    "credit balance is too low",
    "billing hard limit",
    "account is in good standing",
)
_QUOTA_TEXT = "exceeded your current quota"
"""Credit at OpenAI, but a mere rate limit at Google, whose code for it is the next."""
_RATE_CODES = frozenset(("resource_exhausted", "rate_limit_exceeded", "rate_limit_error"))
_TOO_LONG = frozenset(
    (
        "context_length_exceeded",
        "exceed_context_size_error",
        "context_window_exceeded",
        "request_too_large",
        "string_above_max_length",
        "model_max_prompt_tokens_exceeded",
    )
)
_TOO_LONG_TEXT = (
    "maximum context length",
    "context length exceeded",
    "context window",
    "exceeds the available context",
    "exceeds the context",
    "prompt is too long",
    "input is too long",
    "too many tokens",
    "range of input length should be",
    "maximum number of tokens allowed",
)
_FILTERED = frozenset(
    (
        "content_filter",
        "content_policy_violation",
        "data_inspection_failed",
        "datainspectionfailed",
        "responsibleaipolicyviolation",
        "moderation_blocked",
        "content_moderation",
        "1301",
    )
)
_FILTERED_TEXT = (
    "inappropriate content",
    "content management policy",
    "content policy",
    "content exists risk",
    "content filter",
    "requires moderation",
)
_FATAL = {401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "not_found", 410: "not_found"}
_LOST_BEHIND_GATEWAY = frozenset((502, 504, 520, 524))
"""A gateway gave up waiting, or lost the answer: the model behind it may have worked on, and charged."""


@dataclass(frozen=True)
class ErrorBody:
    """The error as the body tells it. ``words`` has its codes, types and statuses, in lower case."""

    words: frozenset[str]
    message: str
    delay: float | None = None
    """Seconds, of Google's ``retryDelay``."""

    def says(self, phrases: tuple[str, ...]) -> bool:
        text = self.message.lower()
        return any(phrase in text for phrase in phrases)


def read_error(body: bytes) -> ErrorBody:
    """The error in any of the shapes that OpenAI-compatible APIs use; plain text is its own message."""
    text = body[:_MAX_BODY].decode("utf-8", "replace")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return ErrorBody(frozenset(), text[:_MAX_MESSAGE])
    words: set[str] = set()
    messages: list[str] = []
    delays: list[float] = []
    for level in _levels(data):
        for name, value in level.items():
            if name in ("code", "type", "status", "param") and isinstance(value, str | int):
                words.add(str(value)[:100].lower())
            elif name in ("message", "detail", "error", "msg", "raw") and isinstance(value, str):
                messages.append(value[:_MAX_MESSAGE])
            elif name == "retryDelay" and isinstance(value, str):
                delays.append(duration(value, now=0.0) or 0.0)
    delay = min(MAX_WAIT, max(delays)) if delays else None
    return ErrorBody(frozenset(words), " ".join(messages)[:_MAX_MESSAGE], delay)


def _levels(data: object, depth: int = 0) -> Iterator[dict[str, Any]]:
    """The objects in which errors are told: the body, its ``error``, the first few of lists."""
    if depth > 4:
        return
    if isinstance(data, list):
        for item in data[:5]:
            yield from _levels(item, depth + 1)
    elif isinstance(data, dict):
        yield data
        for name in ("error", "errors", "detail", "details", "innererror", "metadata"):
            yield from _levels(data.get(name), depth + 1)


def classify(
    status: int, headers: Mapping[str, str], body: bytes, *, key: str = "", now: float
) -> ModelCallError:
    """The error for a response with ``status`` (not 2xx). ``headers`` have lower-case names, ``key``
    is left out of all texts, ``now`` is in Unix seconds."""
    error = read_error(body)
    message = f"HTTP {status}: {error_text(error.message, key) or 'no message'}"
    if 300 <= status < 400:
        return FatalError(message, code="redirect")
    if _is_out_of_credit(status, error):
        return FatalError(message, code="insufficient_quota")
    wait = retry_after(headers, now=now)
    wait = error.delay if wait is None else wait
    if status == 429:
        return ThrottledError(message, retry_after=wait)
    if status in (408, 409, 425) or status >= 500:
        lost = status in _LOST_BEHIND_GATEWAY
        return TransientError(message, code=f"http_{status}", indeterminate=lost, retry_after=wait)
    return _refusal(status, error, message)


def _refusal(status: int, error: ErrorBody, message: str) -> ModelCallError:
    """A 4xx that another try will not mend."""
    if status in (400, 403, 422, 451) and (error.words & _FILTERED or error.says(_FILTERED_TEXT)):
        return ContentFilteredError(message, code="content_filter")
    if status == 413 or (status in (400, 422) and (error.words & _TOO_LONG or error.says(_TOO_LONG_TEXT))):
        return TooLongError(message, code="too_long")
    unknown_model = "model_not_found" in error.words or "model_not_exist" in error.words
    if unknown_model or (status == 404 and "model" in error.message.lower()):
        return FatalError(message, code="model_not_found")
    if status in _FATAL:
        return FatalError(message, code=_FATAL[status])
    return RejectedError(message, code=f"http_{status}")


def _is_out_of_credit(status: int, error: ErrorBody) -> bool:
    if status == 402:
        return True
    if status not in (400, 403, 429):
        return False
    if error.words & _NO_CREDIT or error.says(_NO_CREDIT_TEXT):
        return True
    return error.says((_QUOTA_TEXT,)) and not error.words & _RATE_CODES and error.delay is None
