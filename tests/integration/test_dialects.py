"""An endpoint that refuses a form of the request, and what the client sends after that."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from handlers.domain.call import Message
from handlers.domain.call_errors import AdaptedError, FatalError, ModelCallError, RejectedError
from tests.builders.llm_calls import REQUEST, failure, model
from tests.builders.wire import Conversation, WireRequest, WireServer, completion, error, response

Takes = Callable[[dict[str, Any]], bool]
SILENT: dict[str, Takes] = {
    "JSON mode": lambda body: "response_format" not in body,
    "temperature": lambda body: "temperature" not in body,
    "system": lambda body: all(each["role"] == "user" for each in body["messages"]),
    "stream": lambda body: "stream" not in body,
    "tokens field": lambda body: "max_completion_tokens" in body,
    "JSON mode and temperature": lambda body: not {"response_format", "temperature"} & body.keys(),
}


def strict(takes: Takes, status: int = 400) -> Callable[[WireRequest, Conversation], None]:
    """A server that refuses what it does not take, without saying what that is."""

    def answer(request: WireRequest, conversation: Conversation) -> None:
        good = takes(request.json)
        conversation.send(response(200, completion("ok")) if good else response(status, error("bad request")))

    return answer


@pytest.mark.parametrize("takes", SILENT.values(), ids=SILENT.keys())
@pytest.mark.parametrize("status", [400, 422])
def test_what_a_refusal_does_not_name_is_found_by_trying_once(takes: Takes, status: int) -> None:
    with WireServer(strict(takes, status)) as server:
        client = model(server)
        assert client.complete(REQUEST, timeout=60).content == "ok"
        tried = len(server.requests)
        assert client.complete(REQUEST, timeout=60).content == "ok"
        client.close()
    assert tried <= 9
    assert len(server.requests) == tried + 1


def test_calls_at_the_same_time_leave_the_trying_to_one_and_are_not_failed_by_it() -> None:
    with WireServer(strict(SILENT["temperature"])) as server, ThreadPoolExecutor(8) as pool:
        client = model(server)

        def ask(_: int) -> bool:
            while True:
                try:
                    return client.complete(REQUEST, timeout=60).content == "ok"
                except AdaptedError:
                    continue

        assert all(pool.map(ask, range(8)))
        client.close()
    assert len(server.requests) <= 8 + 8 + 4


def test_a_request_that_no_form_helps_is_refused_and_nothing_is_tried_again() -> None:
    with WireServer(strict(lambda _: False)) as server:
        client = model(server)
        for _ in range(2):
            with pytest.raises(RejectedError):
                client.complete(REQUEST, timeout=60)
        client.close()
    assert len(server.requests) <= 10


def test_nothing_is_tried_once_there_was_an_answer() -> None:
    def first_only(request: WireRequest, conversation: Conversation) -> None:
        good = request.number == 0
        conversation.send(response(200, completion("ok")) if good else response(400, error("bad request")))

    with WireServer(first_only) as server:
        client = model(server)
        client.complete(REQUEST, timeout=60)
        assert failure(client).code == "http_400"
    assert len(server.requests) == 2


@pytest.mark.parametrize("body", [b"<!doctype html><title>New API</title>", b'{"status": "running"}'])
def test_an_address_that_is_no_apis_is_told_after_some_seconds(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.llm.client._NO_API_AFTER", 0.0)
    with WireServer(lambda _, conversation: conversation.send(response(200, body))) as server:
        client = model(server)
        codes = []
        for _ in range(3):
            with pytest.raises(ModelCallError) as caught:
                client.complete(REQUEST, timeout=60)
            codes.append(caught.value.code)
        client.close()
    assert codes[-1] == "no_completions"
    assert "--base-url" in str(caught.value)


@pytest.mark.parametrize("body", [b"", b'{"detail":"Not Found"}', b"<html>404</html>"])
def test_a_place_where_nothing_is_is_named(body: bytes) -> None:
    with WireServer(lambda _, conversation: conversation.send(response(404, body))) as server:
        client = model(server)
        with pytest.raises(FatalError) as caught:
            client.complete(REQUEST, timeout=60)
        client.close()
    assert caught.value.code == "not_found"
    assert f"nothing is at {server.url}/chat/completions: is --base-url the API's address" in str(
        caught.value
    )


def test_an_answer_that_came_whole_before_the_connection_broke_is_used() -> None:
    def cut(_: WireRequest, conversation: Conversation) -> None:
        body = json.dumps(completion("ok")).encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        conversation.send(head + b"%x\r\n" % len(body) + body + b"\r\n")
        conversation.close()

    with WireServer(cut) as server:
        client = model(server)
        assert client.complete(REQUEST, timeout=60).content == "ok"
        client.close()


@pytest.mark.parametrize(
    ("message", "extra_body", "code"),
    [
        ("enable_thinking has to be false without a stream", {}, "thinking_refused"),
        ("`reasoning_effort` does not take `none`", {"reasoning_effort": "none"}, "extra_body_refused"),
        ("called in streaming mode only", {}, "stream_only"),
    ],
)
def test_what_only_a_setting_mends_ends_the_run_at_the_first_refusal(
    message: str, extra_body: dict[str, Any], code: str
) -> None:
    def answer(request: WireRequest, conversation: Conversation) -> None:
        good = b"rare" not in request.body
        conversation.send(response(200, completion("ok")) if good else response(400, error(message)))

    with WireServer(answer) as server:
        client = model(server, extra_body=extra_body)
        rare = REQUEST.model_copy(update={"messages": (Message(role="user", content="rare"),)})
        with pytest.raises(FatalError, match=message) as caught:
            client.complete(rare, timeout=60)
        assert caught.value.code == code
        assert len(server.requests) == 1
        client.complete(REQUEST, timeout=60)
        with pytest.raises(RejectedError):  # others are answered: it is this request's fault alone
            client.complete(rare, timeout=60)
        client.close()
