"""Refusals that only a setting mends are told by what they say, in whoever's words."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.llm.error_body import ErrorBody
from handlers.llm.setting_advice import setting_advice
from tests.builders.growth import assert_linear, repeated

EFFORT = {"reasoning_effort": "none"}
SWITCH = {"enable_thinking": False}
KIMI = {"thinking": {"type": "disabled"}}


def code(message: str, extra_body: dict[str, Any], *words: str) -> str | None:
    advice = setting_advice(ErrorBody(frozenset(words), message), extra_body)
    return None if advice is None else advice.code


@pytest.mark.parametrize(
    "message",
    [
        "parameter.enable_thinking must be set to false for calls that do not stream",
        "enable thinking can not be support when `stream=False`.",
        "Thinking mode is only available with streaming",
        "thinking is not supported for this request",
        "Non-streaming requests must disable thinking",
        "enable_thinking 参数在非流式调用中必须为 false",
        "思考模式不支持非流式调用",
        "Reasoning cannot be used without a stream",
    ],
)
def test_a_model_that_must_not_think_is_told_so_by_a_setting(message: str) -> None:
    assert code(message, {}) == "thinking_refused"


@pytest.mark.parametrize(
    ("message", "extra_body", "words"),
    [
        ("Unrecognized request argument supplied: reasoning_effort", EFFORT, ()),
        ("Unsupported value: 'none'. Supported values are: 'low' and 'high'.", EFFORT, ("reasoning_effort",)),
        ("`reasoning_effort` must be one of `low`, `medium`, `high`", EFFORT, ()),
        ("Invalid combination of reasoning_effort and thinking type: medium + disabled", KIMI, ()),
        ("Budget 0 is invalid. This model only works in thinking mode.", EFFORT, ()),
        ("Reasoning is mandatory for this endpoint and cannot be disabled.", {"reasoning": {}}, ()),
        ("enable_thinking: extra fields not permitted", SWITCH, ()),
        ("this model does not support thinking", {"chat_template_kwargs": SWITCH}, ()),
        ("Unknown parameter: top_k", {"top_k": 5}, ()),
        ("Input should be less than 2, it is invalid", {"seed": 3}, ("seed",)),
        ("该模型不支持思考模式", SWITCH, ()),
    ],
)
def test_a_field_that_the_user_adds_is_named(
    message: str, extra_body: dict[str, Any], words: tuple[str, ...]
) -> None:
    advice = setting_advice(ErrorBody(frozenset(words), message), {**extra_body, "user": "me"})
    assert advice is not None
    assert advice.code == "extra_body_refused"
    assert all(f"`{name}`" in advice.cure for name in extra_body)
    assert "`user`" not in advice.cure


@pytest.mark.parametrize(
    "message",
    [
        "This model only support stream mode, please enable the stream parameter to access the model.",
        "model only supports streaming",
        "Non-streaming is not supported for this model",
        "`stream` must be true",
        "The model must be called with stream=true",
        "该模型仅支持流式输出",
        "Streaming is required: set stream to true",
    ],
)
def test_a_model_that_only_streams_is_given_up(message: str) -> None:
    assert code(message, {}) == "stream_only"


@pytest.mark.parametrize(
    ("message", "extra_body"),
    [
        ("The request is not acceptable.", EFFORT),
        ("Upstream error: the stream was closed", {}),
        ("messages must not be empty; roles are user and assistant", {"user": "me"}),
        ("the model is overloaded", SWITCH),
        ("streaming is not supported", {}),
        ("the paper on a stream of particles is not allowed", {}),
        ("", {}),
    ],
)
def test_other_refusals_are_not_about_a_setting(message: str, extra_body: dict[str, Any]) -> None:
    assert code(message, extra_body) is None


@pytest.mark.parametrize("unit", ["only support ", "stream ", "set ", "non-stream", "thinking "])
def test_a_hostile_message_is_looked_through_in_linear_time(unit: str) -> None:
    assert_linear(repeated(unit), lambda text: code(text, {"top_k": 1}), size=16_384)
