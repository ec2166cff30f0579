from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.domain.call_errors import (
    ContentFilteredError,
    FatalError,
    ModelCallError,
    RejectedError,
    ThrottledError,
    TooLongError,
    TransientError,
)
from handlers.llm.classify import Circumstances, Refusal, classify_refusal
from handlers.llm.error_body import read_error
from handlers.llm.error_text import error_text

KEY = "sk-proj-AbCdEfGhIjKlMnOp"


def said(message: str = "", **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


GOOGLE_RATE = [
    {
        "error": {
            "code": 429,
            "message": "You exceeded your current quota, please check your plan and billing details.",
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36s"}],
        }
    }
]
CASES: list[tuple[int, Any, type[ModelCallError], str]] = [
    (429, said("Rate limit reached", code="rate_limit_exceeded"), ThrottledError, "throttled"),
    (429, GOOGLE_RATE, ThrottledError, "throttled"),
    (429, "too many", ThrottledError, "throttled"),
    (
        429,
        said("You exceeded your current quota, please check", type="insufficient_quota"),
        FatalError,
        "insufficient_quota",
    ),
    (429, said("You exceeded your current quota, please check your plan"), FatalError, "insufficient_quota"),
    (429, said("余额不足", code="1113"), FatalError, "insufficient_quota"),
    (
        400,
        {"code": "Arrearage", "message": "Access denied, make sure your account is in good standing"},
        FatalError,
        "insufficient_quota",
    ),
    (403, said("Your credit balance is too low"), FatalError, "insufficient_quota"),
    (402, said("Insufficient Balance"), FatalError, "insufficient_quota"),
    (402, "", FatalError, "insufficient_quota"),
    (401, said("Incorrect API key provided"), FatalError, "unauthorized"),
    (403, said("not allowed in your region"), FatalError, "forbidden"),
    (404, said("The model `x` does not exist", code="model_not_found"), FatalError, "model_not_found"),
    (400, said("unknown", code="model_not_found"), FatalError, "model_not_found"),
    (404, "<html>not found</html>", FatalError, "not_found"),
    (405, "", FatalError, "not_found"),
    (302, "", FatalError, "redirect"),
    (400, said("too long", code="context_length_exceeded"), TooLongError, "too_long"),
    (
        400,
        said("the request exceeds the available context size", type="exceed_context_size_error"),
        TooLongError,
        "too_long",
    ),
    (400, said("This model's maximum context length is 8192 tokens."), TooLongError, "too_long"),
    (
        400,
        {"code": "InvalidParameter", "message": "Range of input length should be [1, 8192]"},
        TooLongError,
        "too_long",
    ),
    (413, "", TooLongError, "too_long"),
    (
        400,
        {"code": "data_inspection_failed", "message": "Input data may contain inappropriate content."},
        ContentFilteredError,
        "content_filter",
    ),
    (
        400,
        said("filtered", code="content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}),
        ContentFilteredError,
        "content_filter",
    ),
    (400, said("Content Exists Risk"), ContentFilteredError, "content_filter"),
    (403, said("Your input was flagged: it requires moderation"), ContentFilteredError, "content_filter"),
    (400, said("max_tokens must be positive"), RejectedError, "http_400"),
    (422, {"detail": [{"msg": "field required", "type": "value_error.missing"}]}, RejectedError, "http_422"),
    (418, "", RejectedError, "http_418"),
    (408, "", TransientError, "http_408"),
    (409, "", TransientError, "http_409"),
    (425, "", TransientError, "http_425"),
    (500, said("oops"), TransientError, "http_500"),
    (503, "overloaded", TransientError, "http_503"),
    (529, said("Overloaded", type="overloaded_error"), TransientError, "http_529"),
]


def classify(
    status: int, headers: Mapping[str, str], body: bytes, *, key: str = "", now: float
) -> ModelCallError:
    """The error for a response, as the first that a process hears."""
    error = read_error(body, headers.get("content-type", ""))
    return classify_refusal(Refusal(status, error, headers), Circumstances(now, key))


@pytest.mark.parametrize(("status", "body", "kind", "code"), CASES)
def test_a_refusal_has_the_class_that_says_what_to_do(
    status: int, body: Any, kind: type[ModelCallError], code: str
) -> None:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    problem = classify(status, {}, data, now=0.0)
    assert (type(problem), problem.code) == (kind, code)
    assert str(problem).startswith(f"HTTP {status}: ")
    assert not problem.indeterminate


def test_googles_delay_is_obeyed() -> None:
    problem = classify(429, {}, json.dumps(GOOGLE_RATE).encode(), now=0.0)
    assert isinstance(problem, ThrottledError)
    assert problem.retry_after == 36.0


def test_a_server_error_can_say_when_to_come_back() -> None:
    problem = classify(503, {"retry-after": "3"}, b"", now=0.0)
    assert isinstance(problem, TransientError)
    assert problem.retry_after == 3.0


@pytest.mark.parametrize("status", [502, 504, 520, 524])
def test_an_answer_lost_behind_a_gateway_may_have_cost_something(status: int) -> None:
    assert classify(status, {}, b"", now=0.0).indeterminate


@given(status=st.integers(300, 599), body=st.binary(max_size=300))
def test_any_body_at_all_has_a_class_and_a_short_printable_text(status: int, body: bytes) -> None:
    text = str(classify(status, {}, body, key=KEY, now=0.0))
    assert len(text) <= 220
    assert not any(ord(character) < 32 for character in text)


@given(st.text(max_size=250), st.text(max_size=250))
def test_the_key_is_never_in_what_is_shown(before: str, after: str) -> None:
    assert KEY not in error_text(before + KEY + after, KEY)


def test_a_key_hidden_among_control_characters_is_still_found() -> None:
    assert KEY not in error_text("\x00 wrong key \u202e" + KEY[:8] + KEY[8:] + "\x1b[31m", KEY)


def test_keys_of_others_and_starred_ones_are_left_out_too() -> None:
    shown = error_text("provided: sk-proj-abcd********wxyz, Bearer abcdef0123456789", "")
    assert shown == "provided: [key], [key]"


def test_a_message_cut_in_the_middle_of_a_character_can_be_written_to_a_file() -> None:
    error = classify(400, {}, rb'{"error": {"message": "flagged: \ud83d"}}', now=0.0)
    assert "flagged: \ufffd" in str(error)
    assert str(error).encode()


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (401, "no"), (400, "Please pass a valid API key."), (403, "Missing credentials"),
        (403, "Authorization header is missing"),
    ],
)  # fmt: skip
def test_a_call_without_a_key_is_told_that_none_is_set(status: int, text: str) -> None:
    body = json.dumps({"error": {"message": text}}).encode()
    problem = classify(status, {}, body, now=0.0)
    assert (type(problem), problem.code) == (FatalError, "unauthorized")
    assert str(problem) == f"HTTP {status}: {text}; no API key is set: PAPERFLEET_API_KEY"
    assert "is set" not in str(classify(status, {}, body, key="sk-other", now=0.0))
