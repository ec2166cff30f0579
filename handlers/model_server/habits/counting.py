"""Where and how the usage is stated, and how an answer ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from handlers.model_server.habits.turn import Habit, Turn

_HIDDEN = 200
_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")


def _plain(turn: Turn) -> dict[str, Any]:
    return {name: turn.used.as_usage()[name] for name in _COUNTS}


def _stated(write: Callable[[Any], object]) -> Callable[[Turn], None]:
    """Each count as another kind of JSON value."""

    def act(turn: Turn) -> None:
        if isinstance(turn.completion.get("usage"), dict):
            turn.completion["usage"] = {name: write(count) for name, count in _plain(turn).items()}

    return act


def _cached(state: Callable[[dict[str, Any], int], None]) -> Callable[[Turn], None]:
    """Half of the prompt comes from a cache, is billed as such, and is stated in one place."""

    def act(turn: Turn) -> None:
        turn.used = replace(turn.used, cached=turn.used.prompt // 2)
        usage = _plain(turn)
        state(usage, turn.used.cached)
        turn.completion["usage"] = usage

    return act


def _name(name: str) -> Callable[[dict[str, Any], int], None]:
    return lambda usage, cached: usage.update({name: cached})


def _details(usage: dict[str, Any], cached: int) -> None:
    usage["prompt_tokens_details"] = {"cached_tokens": cached}


def _hidden_reasoning(turn: Turn) -> None:
    """What was thought is in the total alone; it is billed."""
    used = turn.used
    room = _HIDDEN if turn.max_tokens is None else min(_HIDDEN, turn.max_tokens - used.completion)
    hidden = max(0, room)
    total = used.prompt + used.completion + hidden
    turn.completion["usage"] = {**_plain(turn), "total_tokens": total}
    turn.used = replace(used, completion=used.completion + hidden, reasoning=used.reasoning + hidden)


def _usage_is(value: object) -> Callable[[Turn], None]:
    def act(turn: Turn) -> None:
        turn.completion["usage"] = value

    return act


def _absent(turn: Turn) -> None:
    turn.completion.pop("usage", None)


def _ends(finish: str | None) -> Callable[[Turn], None]:
    def act(turn: Turn) -> None:
        if turn.choice["finish_reason"] == "stop":
            turn.choice["finish_reason"] = finish

    return act


def _sensitive(turn: Turn) -> None:
    turn.choice["finish_reason"] = "sensitive"
    turn.choice["message"] = {"role": "assistant", "content": ""}


def _empty(turn: Turn) -> None:
    turn.choice["message"] = {"role": "assistant", "content": ""}


def _parts(turn: Turn) -> None:
    message = turn.choice["message"]
    message["content"] = [{"type": "text", "text": message.get("content") or ""}]


def _in_data(turn: Turn) -> None:
    turn.completion = {"code": 0, "msg": "ok", "data": turn.completion}


def _habit(name: str, description: str, act: Callable[[Turn], None]) -> Habit:
    return Habit(name, description, "body", act)


COUNTING = (
    _habit("float_usage", "counts of tokens with a fraction of nothing", _stated(float)),
    _habit("text_usage", "counts of tokens as strings", _stated(str)),
    _habit("cached_top", "cached tokens at the top of usage (Moonshot, Zhipu)",
           _cached(_name("cached_tokens"))),
    _habit("cached_hits", "cached tokens as prompt_cache_hit_tokens (DeepSeek)",
           _cached(_name("prompt_cache_hit_tokens"))),
    _habit("cached_details", "cached tokens in prompt_tokens_details (OpenAI)", _cached(_details)),
    _habit("hidden_reasoning", "reasoning in total_tokens alone, and billed", _hidden_reasoning),
    _habit("usage_absent", "an answer without usage", _absent),
    _habit("usage_null", "usage null of an answer that is billed", _usage_is(None)),
    _habit("usage_unknown", "a usage in units that nobody knows", _usage_is({"characters": 812, "units": 3})),
    _habit("usage_zero", "a usage of nothing, billed all the same",
           _usage_is(dict.fromkeys(_COUNTS, 0))),
    _habit("finish_null", "finish reason null of a whole answer", _ends(None)),
    _habit("finish_word", "a finish reason of another API's", _ends("end_turn")),
    _habit("empty", "content that is empty, billed", _empty),
    _habit("sensitive", "finish reason sensitive: the answer is taken back, and billed", _sensitive),
    _habit("content_parts", "content as a list of parts", _parts),
    _habit("in_data", "the completion inside of a gateway's own object", _in_data),
)  # fmt: skip
