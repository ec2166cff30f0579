from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.domain.call import ChatAnswer, Usage
from handlers.domain.call_errors import ModelCallError, TransientError
from handlers.llm.answers import Expected, read_answer
from handlers.llm.classify import Circumstances, Refusal, classify_refusal
from tests.builders.wire import completion


def read(body: Any, key: str = "") -> ChatAnswer:
    """``body`` is bytes as they come, or a value to be sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    outcome = read_answer(data, Expected(request_bytes=10_000, max_tokens=500, key=key))
    if isinstance(outcome, Refusal):
        raise classify_refusal(outcome, Circumstances(0.0, key))
    return outcome


def usage_of(usage: Any) -> Usage | None:
    return read(completion("text", usage=usage)).usage


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 4}, (9, 4, 0, 0)),
        ({"input_tokens": 9, "output_tokens": 4}, (9, 4, 0, 0)),
        (
            {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 8}},
            (9, 4, 8, 0),
        ),
        ({"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": None}, (9, 4, 0, 0)),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 4,
                "prompt_cache_hit_tokens": 6,
                "prompt_cache_miss_tokens": 3,
            },
            (9, 4, 6, 0),
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 4,
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            (9, 4, 0, 3),
        ),
        ({"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 113}, (9, 104, 0, 100)),
        (
            {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 10}},
            (9, 4, 0, 0),
        ),
    ],
)
def test_usage_has_many_forms(usage: dict[str, Any], expected: tuple[int, int, int, int]) -> None:
    prompt, answer, cached, reasoning = expected
    assert usage_of(usage) == Usage(
        prompt_tokens=prompt, completion_tokens=answer, cached_tokens=cached, reasoning_tokens=reasoning
    )


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [],
        {},
        "many",
        {"prompt_tokens": 9},
        {"prompt_tokens": -1, "completion_tokens": 4},
        {"prompt_tokens": 9.5, "completion_tokens": 4},
        {"prompt_tokens": True, "completion_tokens": 4},
        {"prompt_tokens": 0, "completion_tokens": 4},
        {"prompt_tokens": 9, "completion_tokens": 0},
        {"prompt_tokens": 10**9, "completion_tokens": 4},
        {"prompt_tokens": 9, "completion_tokens": 10**9},
        {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 10**12},
    ],
)
def test_usage_that_cannot_be_true_is_no_usage(usage: Any) -> None:
    assert usage_of(usage) is None


@pytest.mark.parametrize(
    ("message", "content"),
    [
        ({"content": "text", "reasoning_content": "hm"}, "text"),
        ({"content": None}, ""),
        ({"content": None, "refusal": "I cannot"}, "I cannot"),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "ab"),
        ({"content": [{"type": "reasoning", "text": "hm"}, {"type": "text", "text": "b"}]}, "b"),
        ({"content": "half \ud800 pair"}, "half \ufffd pair"),
        ({"content": "whole \U0001d465"}, "whole \U0001d465"),
    ],
)
def test_the_text_is_found_whatever_form_the_message_has(message: dict[str, Any], content: str) -> None:
    assert read(completion(choices=[{"message": message, "finish_reason": "stop"}])).content == content


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        7,
        {"choices": []},
        {"choices": {}},
        {"choices": [None]},
        {"choices": [{"message": {"content": 7}}]},
        {"choices": [{"message": {"content": [7]}}]},
        {"choices": [{"message": {"content": [{"type": "text", "text": 7}]}}]},
    ],
)
def test_a_body_that_is_no_completion_may_have_cost_something(body: Any) -> None:
    with pytest.raises(TransientError) as caught:
        read(body)
    assert (caught.value.code, caught.value.indeterminate) == ("bad_body", True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(message=json_values, finish=json_values, usage=json_values, name=json_values)
def test_any_json_is_an_answer_or_a_known_error(message: Any, finish: Any, usage: Any, name: Any) -> None:
    body = {"choices": [{"message": message, "finish_reason": finish}], "usage": usage, "model": name}
    try:
        answer = read(body)
    except ModelCallError as error:
        assert str(error).encode()
    else:
        answer.content.encode()


def test_an_answer_that_repeats_the_key_is_kept_without_it_and_a_word_for_no_key_is_left_alone() -> None:
    key = "sk-0123456789abcdef"
    escaped = json.dumps(completion(f"none: you sent {key}")).replace("sk-", "\\u0073k-").encode()
    assert read(escaped, key).content == "none: you sent [key]"
    assert read(escaped, "none").content.startswith("none: ")
