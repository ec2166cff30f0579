"""From a 2xx body to an answer, or to what it says in place of one. The body is hostile until it is read.

A body has facets that are read apart, whatever is wrong with the others: its JSON (``reply_body``), the usage
(``stated_usage``), the error that it names (``error_body``) and the answer's text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from handlers.domain.call import ChatAnswer, Usage
from handlers.domain.call_errors import ContentFilteredError, TransientError
from handlers.llm.built_in import MARK
from handlers.llm.classify import Refusal
from handlers.llm.error_body import ErrorBody, is_page, stated_error
from handlers.llm.error_text import error_text
from handlers.llm.reply_body import ReplyBody, read_body
from handlers.llm.stated_usage import stated_usage

_MAX_WORD = 200
_MAX_LOOK = 65_536
_SECRET = 16
"""Characters of a key that is one: ``none`` or ``ollama`` for a local server may stand in any text."""
_CUT_OFF = frozenset(
    ("length", "max_tokens", "max_output_tokens", "max_completion_tokens", "model_length", "token_limit")
)
_FILTERED = frozenset(
    (
        "content_filter",
        "content_filtered",
        "sensitive",
        "safety",
        "recitation",
        "prohibited_content",
        "blocklist",
        "spii",
        "guardrail_intervened",
        "moderation",
        "blocked",
        "refusal",
    )
)
_FAILED = frozenset(
    (
        "error",
        "insufficient_system_resource",
        "network_error",
        "engine_error",
        "internal_error",
        "server_error",
        "system_error",
        "failed",
        "abort",
        "aborted",
        "cancelled",
        "timeout",
        "overloaded",
        "malformed_response",
    )
)
_FINISHED = frozenset(("stop", "end_turn", "eos", "eos_token", "stop_sequence", "length"))
"""With text, these are an answer, whatever remark stands beside it."""
_THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details", "thinking", "thinking_blocks")


@dataclass(frozen=True)
class Expected:
    """What a call makes possible, and what is known of its answer besides the body."""

    request_bytes: int
    max_tokens: int
    status: int = 200
    content_type: str = ""
    key: str = ""


def read_answer(body: bytes, expected: Expected) -> ChatAnswer | Refusal:
    """The answer of a chat completion, its usage None if it is missing or cannot be true; or the error that a
    200 has inside, with the usage that it states.

    Raises TransientError ``bad_body`` if it is neither, ContentFilteredError if the provider cut it off, both
    with the usage that is stated, perhaps charged if none is.
    """
    reply = read_body(body)
    data = _without(reply.data, expected.key) if len(expected.key) >= _SECRET else reply.data
    choice = _choice(data)
    content = _content(choice)
    usage = stated_usage(
        data,
        request_bytes=expected.request_bytes,
        max_tokens=expected.max_tokens,
        answered=bool(content),
    )
    finish = _word(choice.get("finish_reason"))
    reason = _plain(finish)
    if error := _error(data, reason, bool(content)):
        return Refusal(error.status, error, inside=True, usage=usage, partial=bool(content))
    if reason in _FILTERED:
        filtered = "the provider's filter cut the answer off"
        raise ContentFilteredError(filtered, code="content_filter", indeterminate=True).stating(usage)
    if content is None or not reply.whole:
        raise _no_answer(body, reply, expected).stating(usage)
    if reason in _CUT_OFF or (not content and _only_thought(choice)):
        finish = "length"
    model = _word(data.get("model"))
    return ChatAnswer(
        content=content,
        finish_reason=finish,
        usage=usage,
        model=model,
        tier=_tier(data),
        made_up=data.get("system_fingerprint") == MARK,
    )


def _tier(data: Any) -> str | None:
    """The service tier that it names: beside the usage, or within."""
    usage = data.get("usage")
    stated = data.get("service_tier"), usage.get("service_tier") if isinstance(usage, dict) else None
    return next((word for each in stated if (word := _word(each))), None)


def usage_of(body: bytes, expected: Expected) -> Usage | None:
    """The usage that a refusal states; hardly any does."""
    if b"usage" not in body[:_MAX_LOOK] and b"tokens" not in body[:_MAX_LOOK]:
        return None
    data = read_body(body).data
    return stated_usage(
        data, request_bytes=expected.request_bytes, max_tokens=expected.max_tokens, answered=False
    )


def is_whole(body: bytes) -> bool:
    """True of a body whose connection broke after all of a completion had come: with a text or, where it was
    cut off while thinking or filtered, with a statement of what it took."""
    reply = read_body(body)
    choice = _choice(reply.data)
    if not reply.whole or choice.get("finish_reason") is None:
        return False
    return bool(_content(choice)) or isinstance(reply.data.get("usage"), dict)


def _error(data: Any, reason: str, answered: bool) -> ErrorBody | None:
    """What went wrong in a 200: the error that it names, or the one that its finish reason is."""
    if answered and reason in _FINISHED:
        return None
    if (error := stated_error(data)) is not None:
        return error
    if reason in _FAILED:
        return ErrorBody(frozenset((reason,)), f"finish_reason {reason}", status=503)
    if _is_blocked(data):
        return ErrorBody(frozenset(("content_filter",)), "the prompt was blocked", status=400)
    return None


def _is_blocked(data: Any) -> bool:
    """True of a prompt that Google or Azure did not let through, in a body without choices."""
    if not isinstance(data, dict) or data.get("choices"):
        return False
    feedback = data.get("promptFeedback")
    if isinstance(feedback, dict) and feedback.get("blockReason"):
        return True
    found = data.get("prompt_filter_results")
    first = found[0] if isinstance(found, list) and found else None
    results = first.get("content_filter_results") if isinstance(first, dict) else None
    kinds = results.values() if isinstance(results, dict) else ()
    return any(isinstance(kind, dict) and kind.get("filtered") is True for kind in kinds)


def _no_answer(body: bytes, reply: ReplyBody, expected: Expected) -> TransientError:
    """A web page costs nothing; of all else nobody knows."""
    text = body[:1000].decode("utf-8", "replace")
    page = not isinstance(reply.data, dict) and is_page(text, expected.content_type)
    if not reply.whole:
        return TransientError("the answer's stream broke off", code="truncated", indeterminate=True)
    shown = error_text(text, expected.key)
    return TransientError(
        f"HTTP {expected.status} with a body that is no chat completion: {shown or '(empty)'}",
        code="web_page" if page else "bad_body",
        indeterminate=not page,
    )


def _without(value: Any, key: str) -> Any:
    """An answer is kept as it came: one that repeats the request's headers must not bring the key along."""
    if isinstance(value, str):
        return value.replace(key, "[key]")
    if isinstance(value, list):
        return [_without(each, key) for each in value]
    if isinstance(value, dict):
        return {name: _without(each, key) for name, each in value.items()}
    return value


def _choice(data: Any) -> dict[str, Any]:
    """The first choice; empty if there is none."""
    choices = data.get("choices") if isinstance(data, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _content(choice: dict[str, Any]) -> str | None:
    """The answer's text, without the thoughts beside it: "" of a message that has none, None if there is no
    message or its text has no known form."""
    message = choice.get("message")
    if not isinstance(message, dict):
        text = choice.get("text")
        return _clean(text) if isinstance(text, str) else None
    content = message.get("content")
    if content is None:
        content = message.get("refusal") or ""
        known = "content" in message or "refusal" in message or choice.get("finish_reason")
        if not content and not known and not _only_thought(choice):
            return None
    if isinstance(content, dict):
        content = [content]
    if isinstance(content, list):
        parts = [_part(part) for part in content]
        content = "".join(part for part in parts if part is not None) if None not in parts else None
    return _clean(content) if isinstance(content, str) else None


def _part(part: object) -> str | None:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return None
    text = part.get("text", "") if part.get("type", "text") in ("text", "output_text") else ""
    return text if isinstance(text, str) else None


def _only_thought(choice: dict[str, Any]) -> bool:
    message = choice.get("message")
    return isinstance(message, dict) and any(message.get(name) for name in _THOUGHTS)


def _plain(finish: str | None) -> str:
    """``FinishReason.SAFETY`` and the like as one word."""
    word = (finish or "").lower().replace("-", "_").rpartition(".")[2]
    return word.removeprefix("finish_reason_")


def _clean(text: str) -> str:
    """JSON can carry half a surrogate pair, which no file can: it becomes U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _word(value: object) -> str | None:
    return _clean(value[:_MAX_WORD]) if isinstance(value, str) else None
