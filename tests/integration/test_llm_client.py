from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from handlers.domain.call import ChatRequest, Message, Usage
from handlers.domain.call_errors import FatalError, TransientError
from handlers.llm.limits.rate_headers import RateHint
from tests.builders.llm_calls import KEY, REQUEST, failure, model
from tests.builders.wire import (
    Conversation,
    WireRequest,
    WireServer,
    always,
    completion,
    error,
    in_turn,
    response,
)


def test_an_answer_comes_with_its_usage_and_the_request_says_what_was_set() -> None:
    with WireServer(always(response(200, completion("Quantum computing $x^2$")))) as server:
        client = model(server, extra_body={"thinking": {"type": "disabled"}})
        answer = client.complete(REQUEST, timeout=60)
        client.close()
    sent = server.requests[0]
    assert answer.content == "Quantum computing $x^2$"
    assert answer.usage == Usage(prompt_tokens=11, completion_tokens=7)
    assert (answer.finish_reason, answer.model) == ("stop", "wire-1")
    assert sent.line == "POST /v1/chat/completions HTTP/1.1"
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.headers["accept-encoding"] == "identity"
    assert sent.headers["host"] == f"127.0.0.1:{server.port}"
    assert sent.json == {
        "model": "wire-1",
        "messages": [
            {"role": "system", "content": "Translate."},
            {"role": "user", "content": "量子计算 $x^2$"},
        ],
        "max_tokens": 64,
        "temperature": 0.0,
        "response_format": {"type": "json_object"},
        "stream": False,
        "thinking": {"type": "disabled"},
    }


def test_the_key_can_stand_in_another_header() -> None:
    with WireServer(always(response(200, completion()))) as server:
        client = model(server, auth_header="api-key")
        client.complete(REQUEST, timeout=60)
        client.close()
    assert server.requests[0].headers["api-key"] == KEY
    assert "authorization" not in server.requests[0].headers


def test_calls_one_after_the_other_share_a_connection() -> None:
    with WireServer(always(response(200, completion()))) as server:
        client = model(server)
        for _ in range(3):
            client.complete(REQUEST, timeout=60)
        client.close()
    assert {request.connection for request in server.requests} == {0}


def test_calls_at_the_same_time_have_a_connection_each_and_get_their_own_answers() -> None:
    def echo(request: WireRequest, conversation: Conversation) -> None:
        conversation.send(response(200, completion(request.json["messages"][0]["content"])))

    with WireServer(echo) as server, ThreadPoolExecutor(20) as pool:
        client = model(server)

        def ask(number: int) -> bool:
            text = f"paper {number}"
            request = ChatRequest(messages=(Message(role="user", content=text),), max_tokens=9)
            return client.complete(request, timeout=60).content == text

        assert all(pool.map(ask, range(200)))
        client.close()
    assert len({request.connection for request in server.requests}) <= 20


def test_a_connection_that_the_server_closed_while_it_idled_is_not_used_again() -> None:
    def goodbye(_: WireRequest, conversation: Conversation) -> None:
        conversation.send(response(200, completion()))
        conversation.close()

    with WireServer(goodbye) as server:
        client = model(server)
        client.complete(REQUEST, timeout=60)
        assert server.ended.acquire(timeout=60)
        client.complete(REQUEST, timeout=60)
        client.close()
    assert [request.connection for request in server.requests] == [0, 1]


def test_an_encoded_answer_is_understood_though_none_was_asked_for() -> None:
    data = response(200, gzip.compress(json.dumps(completion("ok")).encode()), {"content-encoding": "gzip"})
    with WireServer(always(data)) as server:
        client = model(server)
        assert client.complete(REQUEST, timeout=60).content == "ok"
        client.close()


def test_a_redirect_is_not_followed_and_names_the_other_host() -> None:
    location = "https://user:secret@elsewhere.example/v1/chat/completions"
    with WireServer(always(response(307, b"", {"location": location}))) as server:
        problem = failure(model(server))
    assert isinstance(problem, FatalError)
    assert problem.code == "redirect"
    assert "elsewhere.example" in str(problem)
    assert "secret" not in str(problem)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
def test_the_key_is_in_no_error_even_if_the_api_repeats_it(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    text = f"Incorrect API key provided: {KEY}. Authorization: Bearer {KEY}"
    with WireServer(always(response(status, error(text)))) as server:
        client = model(server)
        problem = failure(client)
    shown = " ".join(map(repr, (problem, problem.__cause__, problem.__context__, client)))
    assert KEY not in f"{shown} {problem} {caplog.text}"


def test_json_mode_is_given_up_once_the_api_refuses_it() -> None:
    refusal = response(400, error("'response_format' is not supported", param="response_format"))
    with WireServer(in_turn(refusal, response(200, completion()))) as server:
        client = model(server)
        with pytest.raises(TransientError) as caught:
            client.complete(REQUEST, timeout=60)
        client.complete(REQUEST, timeout=60)
        client.close()
    assert (caught.value.code, caught.value.indeterminate) == ("json_mode_unsupported", False)
    assert ["response_format" in request.json for request in server.requests] == [True, False]


def test_json_mode_that_was_insisted_on_and_refused_is_fatal() -> None:
    refusal = response(400, error("'response_format' is not supported"))
    with WireServer(always(refusal)) as server:
        problem = failure(model(server, json_mode="on"))
    assert isinstance(problem, FatalError)
    assert "--json-mode" in str(problem)


def test_the_name_of_the_token_limit_is_changed_once_the_api_asks_for_it() -> None:
    text = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
    refusal = response(400, error(text, param="max_tokens"))
    with WireServer(in_turn(refusal, response(200, completion()))) as server:
        client = model(server)
        with pytest.raises(TransientError, match="max_tokens_field_unsupported"):
            client.complete(REQUEST, timeout=60)
        client.complete(REQUEST, timeout=60)
        client.close()
    sent = server.requests[1].json
    assert sent["max_completion_tokens"] == 64
    assert "max_tokens" not in sent


def test_a_temperature_that_the_model_does_not_take_is_left_out() -> None:
    text = "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) is."
    refusal = response(400, error(text, param="temperature"))
    with WireServer(in_turn(refusal, response(200, completion()))) as server:
        client = model(server)
        with pytest.raises(TransientError, match="temperature_unsupported"):
            client.complete(REQUEST, timeout=60)
        client.complete(REQUEST, timeout=60)
        client.close()
    assert "temperature" not in server.requests[1].json


def test_the_limits_that_a_response_tells_of_are_passed_on() -> None:
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "40s"}
    heard: list[RateHint] = []
    with WireServer(always(response(200, completion(), headers))) as server:
        client = model(server, on_headers=heard.append)
        client.complete(REQUEST, timeout=60)
        client.close()
    assert heard[0].remaining == 0
    assert 38 < heard[0].reset <= 40, "the window runs since the call was sent"


def test_proxies_of_the_environment_do_not_get_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with WireServer(always(response(200, completion("straight")))) as server:
        client = model(server)
        assert client.complete(REQUEST, timeout=60).content == "straight"
        client.close()


def test_closing_ends_idle_connections() -> None:
    with WireServer(always(response(200, completion()))) as server:
        client = model(server)
        client.complete(REQUEST, timeout=60)
        client.close()
        assert server.ended.acquire(timeout=60)
