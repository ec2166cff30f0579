"""The real client of the embeddings API, at scripted servers and at the built-in one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import SecretStr

from handlers.domain.call import ChatRequest, Message
from handlers.domain.call_errors import (
    AdaptedError,
    FatalError,
    ModelCallError,
    RejectedError,
    ThrottledError,
    TooLongError,
    TransientError,
)
from handlers.llm.client_settings import ClientSettings
from handlers.llm.embeddings.embedder import HttpEmbedder
from handlers.model_server.dictionary import Dictionary
from handlers.model_server.gloss import Glossator
from handlers.model_server.reply import HttpRequest
from handlers.model_server.routes import Routes
from handlers.model_server.schemas.made_up_vectors import vector_of
from handlers.model_server.server_settings import ServerSettings
from tests.builders.wire import RealClock, WireServer, always, error, in_turn, response

REQUEST = ChatRequest(
    messages=(Message(role="user", content="量子"),), max_tokens=1, kind="embed", dimensions=2
)
VECTOR = {"data": [{"index": 0, "embedding": [0.5, 2.0]}], "usage": {"prompt_tokens": 3, "total_tokens": 3}}


def embedder(server: WireServer, **changes: Any) -> HttpEmbedder:
    settings = ClientSettings(**{"base_url": server.url, "model": "vec-1", **changes})
    return HttpEmbedder(settings, SecretStr("sk-test-0123456789abcdef"), RealClock())


def test_a_text_goes_to_embeddings_and_ours_is_ours() -> None:
    with WireServer(always(response(200, VECTOR))) as server:
        client = embedder(server, extra_body={"user": "me", "input": "another", "dimensions": 9})
        answer = client.complete(REQUEST, timeout=5)
        client.close()
    sent = server.requests[0]
    assert sent.line == "POST /v1/embeddings HTTP/1.1"
    assert sent.json == {
        "user": "me", "input": "量子", "dimensions": 2, "model": "vec-1", "encoding_format": "base64",
    }  # fmt: skip
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 3


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://a.example/v1", "http://a.example/v1/embeddings"),
        ("http://a.example/v1/", "http://a.example/v1/embeddings"),
        ("http://a.example/v1/chat/completions", "http://a.example/v1/embeddings"),
        ("http://a.example/v1/embeddings", "http://a.example/v1/embeddings"),
        ("http://a.example/x?api-version=1", "http://a.example/x/embeddings?api-version=1"),
    ],
)
def test_the_address_is_found_by_the_base_url(base: str, url: str) -> None:
    assert ClientSettings(base_url=base, model="m").embeddings == url


def test_numbers_are_asked_for_where_base64_is_refused() -> None:
    refused = response(400, error("Unsupported value: encoding_format", param="encoding_format"))
    with WireServer(in_turn(refused, response(200, VECTOR))) as server:
        client = embedder(server)
        with pytest.raises(AdaptedError, match="encoding_format_unsupported"):
            client.complete(REQUEST, timeout=5)
        assert client.complete(REQUEST, timeout=5).content
        client.close()
    assert ["encoding_format" in each.json for each in server.requests] == [True, False]


REFUSED = [
    (400, "This model's maximum context length is 8192 tokens, but you requested 9000", TooLongError),
    (413, "Input validation error: `inputs` must have less than 512 tokens. Given: 1024", TooLongError),
    (400, "input (1200 tokens) is too large to process. increase the physical batch size", TooLongError),
    (404, "The model `vec-1` does not exist or you do not have access to it", FatalError),
    (404, 'model "vec-1" not found, try pulling it first', FatalError),
    (400, "This model does not support specifying dimensions.", FatalError),
    (400, "Model does not support matryoshka representation: changing dimensions is bad", FatalError),
    (401, "Incorrect API key provided", FatalError),
    (429, "Rate limit reached", ThrottledError),
    (500, "input is too large to process. increase the physical batch size", TooLongError),
    (500, "the server had an error", TransientError),
    (400, "'$.input' is invalid", RejectedError),
]  # fmt: skip


@pytest.mark.parametrize(("status", "message", "kind"), REFUSED)
def test_refusals_have_a_class(status: int, message: str, kind: type[ModelCallError]) -> None:
    with WireServer(always(response(status, error(message)))) as server:
        client = embedder(server)
        with pytest.raises(ModelCallError) as caught:
            client.complete(REQUEST, timeout=5)
        client.close()
    assert isinstance(caught.value, kind), caught.value


def test_a_word_of_dimensions_later_is_one_texts_matter() -> None:
    bad = response(400, error("the text 'dimensions of a sample' is invalid"))
    with WireServer(in_turn(response(200, VECTOR), bad)) as server:
        client = embedder(server)
        client.complete(REQUEST, timeout=5)
        with pytest.raises(RejectedError):
            client.complete(REQUEST, timeout=5)
        client.close()


def test_the_built_in_server_answers_the_same_text_with_the_same_vector() -> None:
    routes = Routes(ServerSettings(), Glossator(Dictionary({})), monotonic=lambda: 0.0, now=lambda: 0.0)

    def asked(**body: object) -> tuple[int, dict[str, Any]]:
        content = json.dumps({"model": "m"} | body).encode()
        reply = routes.reply(HttpRequest("POST", "/v1/embeddings", {}, content))
        return reply.status, json.loads(reply.body)

    status, first = asked(input=["a text", "another text", "a text"], dimensions=8)
    assert status == 200
    vectors = [each["embedding"] for each in first["data"]]
    assert vectors[0] == vectors[2] != vectors[1]
    assert [each["index"] for each in first["data"]] == [0, 1, 2]
    assert first["usage"]["prompt_tokens"] == first["usage"]["total_tokens"] > 0
    assert asked(input="a text", dimensions=8)[1]["data"][0]["embedding"] == vectors[0]
    assert vectors[0] == vector_of("a text", 8).tolist()
    for wrong in ({}, {"input": []}, {"input": ""}, {"input": [1]}, {"input": "a", "dimensions": 0},
                  {"input": "a", "encoding_format": "hex"}):  # fmt: skip
        assert asked(**wrong)[0] == 400
