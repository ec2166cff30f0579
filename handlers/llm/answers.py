"""From a 2xx body to an answer. The body is hostile until it has been read."""

from __future__ import annotations

import json
from typing import Any

from handlers.domain.call import ChatAnswer, Usage
from handlers.errors import ContentFilteredError, TransientError
from handlers.llm.error_text import error_text

_MAX_WORD = 200
_SECRET = 16
"""Characters of a key that is one: ``none`` or ``ollama`` for a local server may stand in any text."""


def read_answer(
    body: bytes, *, request_bytes: int, max_tokens: int, status: int = 200, key: str = ""
) -> ChatAnswer:
    """The answer of a chat completion; its usage is None if it is missing or cannot be true.

    TransientError ``bad_body`` if it is none, ContentFilteredError if the provider cut it off for its
    content; both perhaps charged.
    """
    try:
        data = json.loads(body)
        if len(key) >= _SECRET:
            data = _without(data, key)
        choice = data["choices"][0]
        content = _content(choice["message"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        shown = error_text(body[:1000].decode("utf-8", "replace"), key)
        raise TransientError(
            f"HTTP {status} with a body that is no chat completion: {shown or '(empty)'}",
            code="bad_body",
            indeterminate=True,
        ) from None
    finish = _word(choice.get("finish_reason"))
    if finish == "content_filter":
        raise ContentFilteredError(
            "the provider's filter cut the answer off",
            code="content_filter",
            indeterminate=True,
        )
    usage = _usage(data.get("usage"), request_bytes, max_tokens, answered=bool(content))
    return ChatAnswer(content=content, finish_reason=finish, usage=usage, model=_word(data.get("model")))


def _without(value: Any, key: str) -> Any:
    """An answer is kept as it came: one that repeats the request's headers must not bring the key along."""
    if isinstance(value, str):
        return value.replace(key, "[key]")
    if isinstance(value, list):
        return [_without(each, key) for each in value]
    if isinstance(value, dict):
        return {name: _without(each, key) for name, each in value.items()}
    return value


def _content(message: dict[str, Any]) -> str:
    """A message's text. ``reasoning_content`` beside it is not part of the answer."""
    content = message["content"] if "content" in message else message["refusal"]
    if content is None:
        content = message.get("refusal") or ""
    if isinstance(content, list):
        content = "".join(_part(part) for part in content)
    if not isinstance(content, str):
        raise TypeError("content is neither text nor parts")
    return _clean(content)


def _part(part: object) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        raise TypeError("a part of the content is no object")
    text = part.get("text", "") if part.get("type", "text") in ("text", "output_text") else ""
    if not isinstance(text, str):
        raise TypeError("a part's text is no text")
    return text


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


def _usage(usage: object, request_bytes: int, max_tokens: int, *, answered: bool) -> Usage | None:
    """Token counts that request and answer make possible, by a wide margin; None otherwise."""
    if not isinstance(usage, dict):
        return None
    prompt = _count(usage.get("prompt_tokens", usage.get("input_tokens")))
    completion = _count(usage.get("completion_tokens", usage.get("output_tokens")))
    if prompt is None or completion is None:
        return None
    # Some APIs leave the reasoning out of completion_tokens and charge for it: the total has it.
    total = _count(usage.get("total_tokens")) or 0
    hidden = max(0, total - prompt - completion)
    completion += hidden
    if not 0 < prompt <= 4 * request_bytes + 16_384 or completion > 4 * max_tokens + 16_384:
        return None
    if completion == 0 and answered:
        return None
    cached = _detail(usage, "prompt_tokens_details", "cached_tokens")
    cached = _count(usage.get("prompt_cache_hit_tokens")) if cached is None else cached
    reasoning = _detail(usage, "completion_tokens_details", "reasoning_tokens") or hidden
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached if cached is not None and cached <= prompt else 0,
        reasoning_tokens=min(reasoning, completion),
    )


def _detail(usage: dict[str, Any], group: str, name: str) -> int | None:
    details = usage.get(group)
    return _count(details.get(name)) if isinstance(details, dict) else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
