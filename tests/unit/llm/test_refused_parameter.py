"""Refusals of parameters and of requests in many providers' words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handlers.domain.call import ChatRequest, Message
from handlers.llm.classify import Circumstances, Refusal, classify_refusal
from handlers.llm.dialects.dialect import Dialect
from handlers.llm.dialects.refused_parameter import refused_parameter
from handlers.llm.dialects.request_form import Form
from handlers.llm.error_body import read_error

REFUSED: list[tuple[int, str, str | None]] = [
    (400, "Unsupported value: 'temperature' does not support 0 with this model.", "temperature"),
    (400, "invalid temperature: only 1 is allowed for this model", "temperature"),
    (400, "`temperature` is deprecated for this model.", "temperature"),
    (422, "temperature: Input should be greater than 0", "temperature"),
    (400, "temperature 必须大于 0", "temperature"),
    (400, "Model does not support 'response_format'", "response_format"),
    (400, "Json mode is not supported for this model.", "response_format"),
    (400, "'response_format.type' must be 'json_schema' or 'text'", "response_format"),
    (400, "该模型不支持 JSON 模式", "response_format"),
    (404, "No endpoints found that support structured outputs", "response_format"),
    (500, "json_object is not supported by this backend", "response_format"),
    (400, "Developer instruction is not enabled for models/gemma", "system"),
    (400, "System role not supported", "system"),
    (500, "Jinja Exception: System role not supported", "system"),
    (400, "Conversation roles must alternate user/assistant/user/assistant/...", "system"),
    (422, "messages[0].role: unknown variant `system`, expected `user` or `assistant`", "system"),
    (400, "invalid message role: system", "system"),
    (400, "Unrecognized request argument supplied: 'stream'", "stream"),
    (400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", "max_tokens"),
    (400, "max_tokens must be at most 8192", "max_tokens"),
    (400, "The request body is malformed: could not parse the JSON body", None),
    (400, "something is wrong", None),
    (500, "Internal error while sampling at temperature 0", None),
    (503, "temperature is not supported", None),
]


@pytest.mark.parametrize(("status", "message", "parameter"), REFUSED)
def test_a_refused_parameter_is_known_by_its_name(status: int, message: str, parameter: str | None) -> None:
    error = read_error(json.dumps({"error": {"message": message}}).encode())
    assert refused_parameter(status, error) == parameter


@pytest.mark.parametrize("param", ["response_format", "response_format.type", "temperature", "max_tokens"])
def test_a_body_may_name_the_parameter_beside_its_words(param: str) -> None:
    error = read_error(json.dumps({"error": {"message": "Unsupported", "param": param}}).encode())
    assert refused_parameter(400, error) == param.partition(".")[0]


REQUEST = ChatRequest(
    messages=(Message(role="system", content="Translate."), Message(role="user", content="题目")),
    max_tokens=12_312,
)


def dialect() -> Dialect:
    return Dialect("m", Form(True, "max_tokens", 0.0), {})


def sent(dialect: Dialect) -> dict[str, Any]:
    data = json.loads(dialect.body(REQUEST).content)
    assert isinstance(data, dict)
    return data


def adapt(spoken: Dialect, message: str) -> str | None:
    error = read_error(json.dumps({"error": {"message": message}}).encode())
    return spoken.adapt(400, spoken.body(REQUEST), error)


@pytest.mark.parametrize(
    ("message", "cap"),
    [
        ("max_tokens has to lie in [1, 8192] for this model", 8192),
        ("Range of max_tokens should be [1, 8192]", 8192),
        ("max_tokens: 12312 > 8192, which is the maximum allowed number of output tokens", 8192),
        ("max_tokens is too large: 12312. This model supports at most 8,192 completion tokens", 8192),
        ("max_tokens (12312) cannot exceed 4096", 4096),
        ("The max_tokens value must be <= 8192", 8192),
        ("max_tokens must be less than or equal to `8192`", 8192),
        ("max_new_tokens 不能超过 8192", 8192),
        ("max_tokens may be up to 8k", 8192),
        ("max_tokens is too large", 6156),
    ],
)
def test_a_stated_bound_lowers_what_is_asked_for(message: str, cap: int) -> None:
    spoken = dialect()
    assert adapt(spoken, message) == "max_tokens_too_large"
    assert sent(spoken)["max_tokens"] == cap


@pytest.mark.parametrize(
    "message",
    [
        "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
        "'max_tokens' is an unsupported parameter; it takes 'max_completion_tokens'",
        "unknown field max_tokens",
    ],
)
def test_the_caps_name_is_changed_and_it_is_never_left_out(message: str) -> None:
    spoken = dialect()
    assert adapt(spoken, message) == "max_tokens_field_unsupported"
    assert sent(spoken)["max_completion_tokens"] == 12_312
    assert "max_tokens" not in sent(spoken)


def test_instructions_go_into_the_users_message() -> None:
    spoken = dialect()
    assert adapt(spoken, "System role not supported") == "system_role_unsupported"
    assert sent(spoken)["messages"] == [{"role": "user", "content": "Translate.\n\n题目"}]


def test_each_parameter_is_given_up_once_and_the_refusal_stands_after_that() -> None:
    spoken = dialect()
    assert adapt(spoken, "temperature not supported") == "temperature_unsupported"
    assert adapt(spoken, "temperature not supported") is None


def test_every_variant_has_a_cap_and_there_are_few() -> None:
    spoken = dialect()
    forms = [form for _, form in spoken.variants(spoken.body(REQUEST))]
    bodies = [json.loads(spoken.body(REQUEST, form).content) for form in forms]
    assert len(bodies) <= 8
    assert all("max_tokens" in body or "max_completion_tokens" in body for body in bodies)
    assert len({json.dumps(body) for body in bodies}) == len(bodies)


WORDS: list[tuple[int, str, str]] = [
    (400, "There is no model of this name", "model_not_found"),
    (400, "Model Not Exist", "model_not_found"),
    (404, "model 'qwen' not found, try pulling it first", "model_not_found"),
    (400, "gpt-9 is not a valid model ID", "model_not_found"),
    (400, "Unknown model: gpt-9", "model_not_found"),
    (400, "invalid model name passed in model=gpt-9", "model_not_found"),
    (422, "The model `x` has been decommissioned", "model_not_found"),
    (404, "No endpoints found for acme/x.", "model_not_found"),
    (400, "模型不存在，请检查模型代码。", "model_not_found"),
    (400, "没有找到该模型", "model_not_found"),
    (400, "the model x is currently overloaded, try again later", "http_400"),
    (400, "输入内容包含敏感信息", "content_filter"),
    (400, "内容安全审核未通过", "content_filter"),
    (400, "The request was rejected because it was considered high risk", "content_filter"),
    (403, "Content violates usage guidelines", "content_filter"),
    (403, "Your account has been suspended for violating our usage policies", "forbidden"),
    (400, "The input text may contain sensitive information", "content_filter"),
    (400, "Failed to generate JSON. See 'failed_generation'.", "json_validate_failed"),
    (429, "Allocated quota exceeded, please increase your quota limit.", "throttled"),
    (429, "您的请求频率过高", "throttled"),
    (429, "Rate limit exceeded: limit 20/min. Add credits to raise it", "throttled"),
    (429, "You exceeded your current quota: limit of requests per minute", "throttled"),
    (403, "Too many requests: secondary rate limit", "throttled"),
    (429, "账户余额不足，请充值", "insufficient_quota"),
    (403, "This request requires more credits, or fewer max_tokens", "insufficient_quota"),
    (498, "no room", "no_capacity"),
    (429, "There is no capacity left in this tier", "no_capacity"),
    (400, "输入过长", "too_long"),
]


@pytest.mark.parametrize(("status", "message", "code"), WORDS)
def test_words_of_any_provider_have_their_class(status: int, message: str, code: str) -> None:
    error = read_error(json.dumps({"error": {"message": message}}, ensure_ascii=False).encode())
    assert classify_refusal(Refusal(status, error), Circumstances(0.0)).code == code


def code_of(status: int, body: Any, *, silent: float, answered: bool = False, **headers: str) -> str:
    error = read_error(body.encode() if isinstance(body, str) else json.dumps(body).encode())
    refusal = Refusal(status, error, {name.replace("_", "-"): each for name, each in headers.items()})
    return classify_refusal(refusal, Circumstances(0.0, "", answered, silent)).code


def test_a_quota_that_may_be_a_minutes_parks_only_when_nothing_gets_through() -> None:
    bare = {
        "error": {"message": "The quota allotted to you is used up for now", "code": "insufficient_quota"}
    }
    told = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    assert [code_of(429, bare, silent=each) for each in (0, 10, 60)] == ["throttled"] * 2 + [
        "insufficient_quota"
    ]
    assert [code_of(429, told, silent=each) for each in (0, 10)] == ["throttled", "insufficient_quota"]
    assert code_of(429, bare, silent=60, retry_after="20") == "throttled"


def test_a_firewalls_page_passes_in_a_good_run_and_ends_one_that_never_began() -> None:
    page = "<!DOCTYPE html><title>Just a moment...</title>"
    assert code_of(403, page, silent=0) == code_of(403, page, silent=99, answered=True) == "http_403"
    assert code_of(403, page, silent=99) == "forbidden"
    assert code_of(403, {"error": "no"}, silent=0, answered=True) == "forbidden"
