"""The tokens that a reply states, wherever it states them and in whatever numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from handlers.domain.call import Usage

_PROMPT = ("prompt_tokens", "input_tokens", "promptTokenCount", "inputTokens", "promptTokens")
_COMPLETION = (
    "completion_tokens",
    "output_tokens",
    "candidatesTokenCount",
    "outputTokens",
    "completionTokens",
)
_TOTAL = ("total_tokens", "totalTokenCount", "totalTokens")
_CACHED = (
    "cached_tokens",
    "prompt_cache_hit_tokens",
    "cache_read_input_tokens",
    "cachedContentTokenCount",
    "cached_prompt_tokens",
    "num_cached_tokens",
    "cacheReadInputTokens",
)
_REASONING = ("reasoning_tokens", "thoughtsTokenCount", "reasoningTokens")
_PROMPT_DETAILS = ("prompt_tokens_details", "input_tokens_details", "promptTokensDetails")
_COMPLETION_DETAILS = ("completion_tokens_details", "output_tokens_details", "completionTokensDetails")
_APART = ("cache_read_input_tokens", "cache_creation_input_tokens")
"""Beside Anthropic's ``input_tokens`` and no part of them."""
_MOST = 10**15
_SLACK, _FACTOR = 16_384, 4
"""Tokens beyond so many times what the request makes possible cannot be true."""


def stated_usage(data: Any, *, request_bytes: int, max_tokens: int, answered: bool) -> Usage | None:
    """What the call took, by the first statement of it that request and answer make possible, by a wide
    margin; None if there is none."""
    for stated in _statements(data):
        usage = _usage(stated, request_bytes, max_tokens)
        if usage is not None and (usage.completion_tokens or not answered):
            return usage
    return None


def _statements(data: Any) -> Iterator[dict[str, Any]]:
    """The objects that may state it, the usual place first."""
    if not isinstance(data, dict):
        return
    yield from _stated_in(data)
    choices = data.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    error = data.get("error")
    holders = [
        data.get("x_groq"),
        first,
        error,
        *(data.get(name) for name in ("data", "meta", "result")),
    ]
    for holder in holders:
        if isinstance(holder, dict):
            yield from _stated_in(holder)


def _stated_in(holder: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in ("usage", "usageMetadata", "usage_metadata", "token_usage", "tokens"):
        stated = holder.get(name)
        if isinstance(stated, dict):
            yield stated
            if isinstance(stated.get("usage"), dict):
                yield stated["usage"]


def _usage(stated: dict[str, Any], request_bytes: int, max_tokens: int) -> Usage | None:
    prompt, completion, total = (_number(stated, names) for names in (_PROMPT, _COMPLETION, _TOTAL))
    if prompt is None:
        return None
    if completion is None:
        if total is None or total < prompt:
            return None
        completion = total - prompt
    prompt += _cache_apart(stated, prompt + completion, total)
    reasoning = _number(stated, _REASONING)
    reasoning = _detail(stated, _COMPLETION_DETAILS, _REASONING) if reasoning is None else reasoning
    # Some APIs leave the reasoning out of completion_tokens and charge for it: the total has it.
    hidden = max(0, total - prompt - completion) if total is not None else 0
    if total is None and reasoning is not None and (reasoning > completion or "thoughtsTokenCount" in stated):
        hidden = reasoning
    completion += hidden
    if not 0 < prompt <= _FACTOR * request_bytes + _SLACK or completion > _FACTOR * max_tokens + _SLACK:
        return None
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=_cached(stated, prompt),
        reasoning_tokens=min(reasoning or hidden, completion),
    )


def _cache_apart(stated: dict[str, Any], sum_of_both: int, total: int | None) -> int:
    if "prompt_tokens" in stated or "input_tokens" not in stated or total == sum_of_both:
        return 0
    return sum(_count(stated.get(name)) or 0 for name in _APART)


def _cached(stated: dict[str, Any], prompt: int) -> int:
    """The largest that any place states and that can be a part of the prompt."""
    found = [_count(stated[name]) for name in _CACHED if name in stated]
    found += [_detail(stated, (group,), _CACHED) for group in _PROMPT_DETAILS if group in stated]
    return max((each for each in found if each is not None and each <= prompt), default=0)


def _number(stated: dict[str, Any], names: tuple[str, ...]) -> int | None:
    for name in names:
        if name in stated and (count := _count(stated[name])) is not None:
            return count
    return None


def _detail(stated: dict[str, Any], groups: tuple[str, ...], names: tuple[str, ...]) -> int | None:
    for group in groups:
        details = stated.get(group)
        if isinstance(details, dict) and (count := _number(details, names)) is not None:
            return count
    return None


def _count(value: object) -> int | None:
    """A whole number of tokens, as JSON's number with or without a fraction of nothing, or as text."""
    if type(value) is int:
        return value if 0 <= value <= _MOST else None
    if isinstance(value, str):
        head, _, fraction = value.strip()[:32].partition(".")
        if not head.isascii() or not head.isdecimal() or fraction.strip("0"):
            return None
        value = int(head)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= _MOST or value != int(value):
        return None
    return int(value)
