"""What providers and gateways send in place of a plain completion, and what is read from it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.domain.call import ChatAnswer, Usage
from handlers.domain.call_errors import (
    ContentFilteredError,
    FatalError,
    ModelCallError,
    ThrottledError,
    TransientError,
)
from handlers.llm.answers import Expected, is_whole, read_answer
from handlers.llm.classify import Circumstances, Refusal, classify_refusal
from tests.builders.growth import assert_linear
from tests.builders.wire import completion

KEY = "sk-0123456789abcdefghij"
USAGE = {"prompt_tokens": 90, "completion_tokens": 40, "total_tokens": 130}
WHOLE = json.dumps(completion("whole text", usage=USAGE)).encode()


def read(body: bytes | Any) -> ChatAnswer:
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    outcome = read_answer(data, Expected(request_bytes=10_000, max_tokens=500, key=KEY))
    if isinstance(outcome, Refusal):
        raise classify_refusal(outcome, Circumstances(0.0, KEY))
    return outcome


def problem(body: bytes | Any) -> ModelCallError:
    with pytest.raises(ModelCallError) as caught:
        read(body)
    return caught.value


def chunk(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"object": "chat.completion.chunk", "model": "m", "choices": choices} | more


PARTS = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"reasoning_content": "hm"}),
    chunk({"content": "whole "}),
    chunk({"content": "text"}),
    chunk({}, "stop"),
    chunk(None, usage=USAGE),
]


def events(parts: list[dict[str, Any]], before: str = "data: ", after: str = "\n\n") -> bytes:
    return "".join(f"{before}{json.dumps(part)}{after}" for part in parts).encode()


INDENTED = "".join(
    f"data: {line}\n" for line in json.dumps(json.loads(WHOLE), indent=1).splitlines()
).encode()
WRAPPED = {
    "byte order mark": b"\xef\xbb\xbf" + WHOLE,
    "blank lines": b"\n\n \r\n" + WHOLE + b"\n\n",
    "comments": b": PROCESSING\n\n: PROCESSING\r\n\r\n" + WHOLE,
    "the end of a stream": WHOLE + b"\n\ndata: [DONE]\n\n",
    "the end on the same line": WHOLE + b"data: [DONE]",
    "one event": b"event: message\nid: 7\ndata: " + WHOLE + b"\n\n",
    "an event of many lines": INDENTED + b"\ndata: [DONE]\n\n",
    "a stream": events(PARTS) + b"data: [DONE]\n\n",
    "a stream without an end": events(PARTS),
    "a stream without spaces": events(PARTS, "data:", "\r\n\r\n"),
    "a stream without blank lines": events(PARTS, "data: ", "\n"),
    "lines of chunks": events(PARTS, "", "\n"),
    "chunks on one line": events(PARTS, "", ""),
    "a list of chunks": json.dumps(PARTS).encode(),
    "usage in the last choice": events(
        [*PARTS[:4], {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": USAGE}]}]
    ),
    "a stream with keep-alives": b": ping\n\n" + events(PARTS, ": ping\n\ndata: ") + b"data: [DONE]",
    "a gateway's own object": json.dumps({"code": 0, "msg": "ok", "data": json.loads(WHOLE)}).encode(),
    "text in a gateway's object": json.dumps({"statusCode": 200, "body": WHOLE.decode()}).encode(),
    "JSON in a string": json.dumps(WHOLE.decode()).encode(),
    "usage beside the output": json.dumps(
        {"output": {"choices": json.loads(WHOLE)["choices"]}, "usage": USAGE}
    ).encode(),
}


@pytest.mark.parametrize("body", WRAPPED.values(), ids=WRAPPED.keys())
def test_an_answer_is_read_in_any_wrapping(body: bytes) -> None:
    answer = read(body)
    assert (answer.content, answer.finish_reason) == ("whole text", "stop")
    assert answer.usage == Usage(prompt_tokens=90, completion_tokens=40)


def test_a_broken_character_is_replaced_and_the_rest_is_read() -> None:
    assert read(WHOLE.replace(b"whole", b"whol\xe9")).content == "whol\ufffd text"


@pytest.mark.parametrize("kept", [1, 3, 4])
def test_a_stream_that_breaks_off_is_no_answer(kept: int) -> None:
    error = problem(events(PARTS[:kept]))
    assert (error.code, error.indeterminate) == ("truncated", True)


@pytest.mark.parametrize(
    ("body", "whole"),
    [
        (WHOLE, True),
        (WHOLE[:-1], False),
        (events(PARTS[:5]), True),
        (events(PARTS[:4]), False),
        (b"{}", False),
        (
            b'{"choices":[{"message":{"content":""},"finish_reason":"length"}],"usage":{"prompt_tokens":9}}',
            True,
        ),
        (b'{"choices":[{"message":{"content":""},"finish_reason":"length"}]}', False),
        (b'{"choices":[{"message":{"content":""}}],"usage":{"prompt_tokens":9}}', False),
    ],
)
def test_a_connection_that_breaks_after_the_end_breaks_no_answer(body: bytes, whole: bool) -> None:
    assert is_whole(body) is whole


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 90.0, "completion_tokens": "40"}, (90, 40, 0, 0)),
        ({"prompt_tokens": 90, "completion_tokens": 40, "cached_tokens": 64}, (90, 40, 64, 0)),
        ({"prompt_tokens": 90, "total_tokens": 130}, (90, 40, 0, 0)),
        ({"usage": {"prompt_tokens": 90, "completion_tokens": 40}}, (90, 40, 0, 0)),
        (
            {"input_tokens": 90, "output_tokens": 40, "input_tokens_details": {"cached_tokens": 64}},
            (90, 40, 64, 0),
        ),
        ({"input_tokens": 26, "output_tokens": 40, "cache_read_input_tokens": 64}, (90, 40, 64, 0)),
        (
            {"prompt_tokens": 90, "completion_tokens": 40, "cache_read_input_tokens": 64},
            (90, 40, 64, 0),
        ),
        ({"prompt_tokens": 90, "completion_tokens": 4, "reasoning_tokens": 36}, (90, 40, 0, 36)),
        (
            {
                "promptTokenCount": 90,
                "candidatesTokenCount": 4,
                "thoughtsTokenCount": 36,
                "totalTokenCount": 130,
            },
            (90, 40, 0, 36),
        ),
    ],
)
def test_usage_is_read_by_any_name_and_in_any_number(usage: Any, expected: tuple[int, ...]) -> None:
    prompt, answer, cached, reasoning = expected
    assert read(completion("text", usage=usage)).usage == Usage(
        prompt_tokens=prompt, completion_tokens=answer, cached_tokens=cached, reasoning_tokens=reasoning
    )


@pytest.mark.parametrize("place", ["usageMetadata", "x_groq", "choice"])
def test_usage_is_found_in_other_places(place: str) -> None:
    body = completion("text", usage=None)
    if place == "choice":
        body["choices"][0]["usage"] = USAGE
    else:
        body[place] = {"usage": USAGE} if place == "x_groq" else USAGE
    assert read(body).usage == Usage(prompt_tokens=90, completion_tokens=40)


def inside(**body: Any) -> dict[str, Any]:
    return {"id": "x", "choices": None, **body}


def choice(finish: str | None, content: str | None = "", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    return {"choices": [{"message": message, "finish_reason": finish, **more}]}


ERRORS: list[tuple[Any, type[ModelCallError], str]] = [
    ({"error": {"message": "Too many requests", "code": 429}}, ThrottledError, "throttled"),
    ({"error": {"message": "Slow down", "code": "429"}}, ThrottledError, "throttled"),
    ({"error": "Rate limit reached for requests"}, ThrottledError, "throttled"),
    (
        b'data: {"error":{"message":"Rate limited","code":429}}\n\ndata: [DONE]\n\n',
        ThrottledError,
        "throttled",
    ),
    ([{"error": {"code": 429, "message": "x", "status": "RESOURCE_EXHAUSTED"}}], ThrottledError, "throttled"),
    (inside(base_resp={"status_code": 1002, "status_msg": "RPM"}), ThrottledError, "throttled"),
    (inside(base_resp={"status_code": 1039, "status_msg": "TPM"}), ThrottledError, "throttled"),
    (inside(base_resp={"status_code": 1008, "status_msg": "no"}), FatalError, "insufficient_quota"),
    (inside(base_resp={"status_code": 1004, "status_msg": "no"}), FatalError, "unauthorized"),
    (inside(base_resp={"status_code": 1026, "status_msg": "no"}), ContentFilteredError, "content_filter"),
    (inside(base_resp={"status_code": 1013, "status_msg": "internal"}), TransientError, "http_503"),
    ({"code": 1302, "msg": "您的账户已达到并发限制", "success": False}, ThrottledError, "throttled"),
    ({"code": 1113, "msg": "您的账户已欠费，请充值", "success": False}, FatalError, "insufficient_quota"),
    ({"error": {"message": "Your credits are used up", "code": 402}}, FatalError, "insufficient_quota"),
    ({"error": {"message": "余额不足"}}, FatalError, "insufficient_quota"),
    ({"error": {"message": "Incorrect API key provided"}}, FatalError, "unauthorized"),
    ({"error": "model 'x' not found, try pulling it first"}, FatalError, "model_not_found"),
    ({"error": "Unexpected endpoint or method. (POST /chat/completions)"}, FatalError, "not_found"),
    ({"detail": "Not Found"}, FatalError, "not_found"),
    ({"error": {"message": "系统繁忙，请稍后重试"}}, TransientError, "http_503"),
    ({"object": "error", "message": "engine is overloaded"}, TransientError, "http_503"),
    ({"error": {"message": "who knows"}}, TransientError, "api_error"),
    ({"status": "failed", "message": "who knows"}, TransientError, "api_error"),
    (choice("error", error={"code": 502, "message": "gone"}), TransientError, "http_502"),
    (choice("error"), TransientError, "http_503"),
    (choice("insufficient_system_resource"), TransientError, "http_503"),
    (choice("network_error"), TransientError, "http_503"),
    (choice("sensitive"), ContentFilteredError, "content_filter"),
    (choice("FinishReason.SAFETY"), ContentFilteredError, "content_filter"),
    (choice("RECITATION"), ContentFilteredError, "content_filter"),
    ({"promptFeedback": {"blockReason": "SAFETY"}}, ContentFilteredError, "content_filter"),
    ({"error": {"message": "输入内容包含敏感信息", "code": 400}}, ContentFilteredError, "content_filter"),
]


@pytest.mark.parametrize(("body", "kind", "code"), ERRORS)
def test_an_error_inside_of_a_200_is_the_error_that_it_names(
    body: Any, kind: type[ModelCallError], code: str
) -> None:
    error = problem(body)
    assert (type(error), error.code, error.usage) == (kind, code, None)
    assert not error.indeterminate or kind is ContentFilteredError


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [each for each in ERRORS if isinstance(each[0], dict) and "detail" not in each[0]],
)
def test_a_usage_that_stands_beside_an_error_is_stated(
    body: dict[str, Any], kind: type[ModelCallError], code: str
) -> None:
    error = problem(body | {"usage": USAGE})
    assert (type(error), error.code) == (kind, code)
    assert error.usage == Usage(prompt_tokens=90, completion_tokens=40)


def test_part_of_an_answer_before_an_error_may_have_been_charged() -> None:
    assert problem(choice("error", "half of", error={"code": 502})).indeterminate


@pytest.mark.parametrize("body", [{"choices": []}, {"choices": None}, {"choices": [{}]}, {"choices": [None]}])
def test_an_empty_answer_is_booked_by_the_usage_that_it_states(body: dict[str, Any]) -> None:
    error = problem(body | {"id": "x", "usage": USAGE})
    assert error.code == "bad_body"
    assert error.usage == Usage(prompt_tokens=90, completion_tokens=40)


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "reasoning": "..."},
        {"role": "assistant", "reasoning_content": "...", "content": None},
        {"role": "assistant", "thinking": "...", "content": ""},
    ],
)
@pytest.mark.parametrize("finish", ["length", "stop", "MAX_TOKENS", None])
def test_an_answer_that_is_all_thoughts_was_cut_off(message: dict[str, Any], finish: str | None) -> None:
    answer = read({"choices": [{"message": message, "finish_reason": finish}], "usage": USAGE})
    assert (answer.content, answer.finish_reason) == ("", "length")
    assert answer.usage == Usage(prompt_tokens=90, completion_tokens=40)


def test_an_unknown_finish_reason_is_kept_and_changes_nothing() -> None:
    body = completion("text", usage=USAGE)
    body["choices"][0]["finish_reason"] = "took_a_bow"
    assert read(body).finish_reason == "took_a_bow"


def test_a_remark_beside_a_whole_answer_is_no_error() -> None:
    body = completion("text", usage=USAGE) | {"error": {"message": "deprecated"}}
    assert read(body).content == "text"


def test_the_old_completions_text_is_an_answer() -> None:
    assert read({"choices": [{"text": "old", "finish_reason": "stop"}], "usage": USAGE}).content == "old"


@given(st.binary(max_size=400))
def test_any_bytes_are_an_answer_or_a_known_error(body: bytes) -> None:
    _holds(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(KEY),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["choices", "message", "delta", "content", "usage", "prompt_tokens", "completion_tokens", "error",
             "code", "base_resp", "finish_reason", "total_tokens", "cached_tokens", "data", "reasoning"]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=20,
)  # fmt: skip


@given(st.lists(json_values, min_size=1, max_size=4), st.sampled_from(["", "data: ", ": x\n"]))
@example([{"choices": [None]}, {}], "")
@example([{"choices": [{"message": "x"}]}, {"choices": [{"delta": {"content": "y"}}]}], "data: ")
@example([{"choices": [None]}, {"choices": [{"delta": {"content": "y"}}]}], "")
def test_any_json_in_any_wrapping_is_an_answer_or_a_known_error(values: list[Any], before: str) -> None:
    _holds("".join(f"{before}{json.dumps(value)}\n\n" for value in values).encode())


def _holds(body: bytes) -> None:
    usage: Any
    try:
        answer = read(body)
    except ModelCallError as error:
        text, usage = str(error), error.usage
    else:
        text, usage = answer.content, answer.usage
    assert text.encode() is not None
    assert KEY not in text
    assert usage is None or (0 < usage.prompt_tokens < 60_000 and 0 <= usage.completion_tokens < 20_000)


@pytest.mark.parametrize(
    "unit",
    [b"data: {\n", b"data: [\n\n", b"{}\n", b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n', b": x\n",
     b"data: {\ndata: \n\n", b'"', b"[DONE]\n", b"\r\n", b'{"a":', b"data:", b"[],"],
)  # fmt: skip
def test_a_body_is_read_in_linear_time(unit: bytes) -> None:
    def reading(size: int) -> bytes:
        return unit * (size // len(unit))

    def attempt(body: bytes) -> None:
        try:
            read(body)
        except ModelCallError as error:
            assert len(str(error)) < 500

    assert_linear(reading, attempt)
