"""Every way in which a wire misbehaves, and what the client makes of it: one request, one class."""

from __future__ import annotations

import gzip
import json
import threading
import zlib
from collections import Counter
from email.utils import formatdate
from typing import Any

import pytest
from pydantic import SecretStr

from handlers.domain.call import ChatRequest, Message
from handlers.domain.call_errors import (
    FatalError,
    ModelCallError,
    RejectedError,
    ThrottledError,
    TransientError,
)
from handlers.llm.client import HttpChatModel
from handlers.llm.client_settings import ClientSettings
from tests.builders.llm_calls import KEY, REQUEST, failure, model
from tests.builders.wire import (
    Conversation,
    RealClock,
    WireRequest,
    WireServer,
    always,
    completion,
    error,
    response,
)


def in_seconds(seconds: float) -> str:
    return formatdate(RealClock().now() + seconds, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({}, None, None),
        ({"retry-after": "7"}, 7, 7),
        ({"retry-after": 40.0}, 5, 40),
        ({"retry-after": -40.0}, 0, 0),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5, 1.5),
        ({"retry-after": "soon"}, None, None),
        ({"retry-after": "-5"}, None, None),
        ({"retry-after": "99999999999999999999"}, None, 300),
        ({"retry-after": "86400"}, 300, 300),
    ],
)
def test_a_refusal_for_the_rate_says_how_long(
    headers: dict[str, str | float], least: float | None, most: float | None
) -> None:
    """A float stands for the date in so many seconds, counted from when the test runs."""
    sent = {name: in_seconds(each) if isinstance(each, float) else each for name, each in headers.items()}
    with WireServer(always(response(429, error("slow down"), sent))) as server:
        problem = failure(model(server))
    assert isinstance(problem, ThrottledError)
    assert not problem.indeterminate
    if most is None:
        assert problem.retry_after is None
    elif problem.retry_after is not None:
        assert (least or 0) <= problem.retry_after <= most


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "indeterminate"),
    [
        (500, error("oops"), TransientError, "http_500", False),
        (502, b"<html><h1>502 Bad Gateway</h1></html>", TransientError, "http_502", True),
        (503, b"", TransientError, "http_503", False),
        (504, b"<html>gateway timeout</html>", TransientError, "http_504", True),
        (529, {"type": "error", "error": {"type": "overloaded_error"}}, TransientError, "http_529", False),
        (402, error("pay"), FatalError, "insufficient_quota", False),
        (429, error("no", code="insufficient_quota"), ThrottledError, "throttled", False),
        (429, error("Insufficient balance"), FatalError, "insufficient_quota", False),
        (400, error("insufficient balance"), FatalError, "insufficient_quota", False),
        (401, error("who"), FatalError, "unauthorized", False),
        (404, error("The model `x` does not exist"), FatalError, "model_not_found", False),
        (400, error("bad thing"), RejectedError, "http_400", False),
        (200, b"", TransientError, "bad_body", True),
        (200, b"[]", TransientError, "bad_body", True),
        (200, b'{"choices": []}', TransientError, "bad_body", True),
        (200, json.dumps(completion("half"))[:-20].encode(), TransientError, "bad_body", True),
        (200, b"<!doctype html><title>Login</title>", TransientError, "web_page", False),
    ],
)
def test_a_status_and_a_body_have_a_class_and_a_price(
    status: int, body: Any, kind: type[ModelCallError], code: str, indeterminate: bool
) -> None:
    with WireServer(always(response(status, body))) as server:
        problem = failure(model(server))
    assert type(problem) is kind
    assert (problem.code, problem.indeterminate) == (code, indeterminate)
    assert len(server.requests) == 1 or kind is RejectedError, "what names nothing is probed"


@pytest.mark.parametrize(
    "usage",
    [
        None, {},
        {"prompt_tokens": -5, "completion_tokens": 7}, {"prompt_tokens": 11, "completion_tokens": -7},
        {"prompt_tokens": 10**12, "completion_tokens": 7}, {"prompt_tokens": 11, "completion_tokens": 10**12},
        {"prompt_tokens": "11", "completion_tokens": True}, {"prompt_tokens": 1e300, "completion_tokens": 7},
        {"prompt_tokens": 11, "completion_tokens": 0}, "a lot",
    ],
)  # fmt: skip
def test_a_usage_that_is_missing_negative_or_absurd_is_not_believed(usage: Any) -> None:
    with WireServer(always(response(200, completion("answer", usage=usage)))) as server:
        client = model(server)
        answer = client.complete(REQUEST, timeout=60)
        client.close()
    assert answer.content == "answer"
    assert answer.usage is None


def test_a_redirect_is_never_followed_and_the_key_goes_nowhere_else() -> None:
    for status in (301, 302, 303, 307, 308):
        with WireServer(always(response(200, completion()))) as elsewhere:
            moved = response(status, b"", {"location": f"{elsewhere.url}/chat/completions"})
            with WireServer(always(moved)) as server:
                problem = failure(model(server))
            assert isinstance(problem, FatalError)
            assert problem.code == "redirect"
            assert elsewhere.requests == []
            assert len(server.requests) == 1
            assert KEY not in str(problem)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_of_hundreds_of_megabytes_is_not_unpacked(encoding: str) -> None:
    pack = zlib.compressobj(9, wbits=31 if encoding == "gzip" else 15)
    first, again = (pack.compress(bytes(1 << 20)) + pack.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    body = first + 199 * again  # each megabyte is packed without looking back at those before
    assert len(body) < 1 << 21
    with WireServer(always(response(200, body, {"content-encoding": encoding}))) as server:
        problem = failure(model(server))
    assert (problem.code, problem.indeterminate) == ("answer_too_large", True)
    with WireServer(always(response(500, body, {"content-encoding": encoding}))) as server:
        assert failure(model(server)).code == "http_500"


def test_a_gzip_that_breaks_off_is_no_answer() -> None:
    packed = gzip.compress(json.dumps(completion("a" * 5000)).encode())
    with WireServer(always(response(200, packed[:-30], {"content-encoding": "gzip"}))) as server:
        problem = failure(model(server))
    assert (problem.code, problem.indeterminate) == ("bad_body", True)


def test_a_name_that_nobody_knows_cost_nothing() -> None:
    settings = ClientSettings(base_url="http://no-such-host.invalid/v1", model="m")
    problem = failure(HttpChatModel(settings, SecretStr(KEY), RealClock()), timeout=20)
    assert isinstance(problem, TransientError)
    assert (problem.reached, problem.indeterminate) == (False, False)


def test_no_request_is_ever_sent_twice_by_the_client_itself() -> None:
    """Connections end after some answers, without a word or by a reset: each call is one request at most,
    and what was sent is known to have been sent."""
    ends = {3: "close", 7: "reset", 11: "half", 15: "silent close"}

    def fickle(request: WireRequest, conversation: Conversation) -> None:
        match ends.get(request.number % 17):
            case "reset":
                conversation.reset()
            case "close":
                conversation.close()
            case "half":
                conversation.send(response(200, completion("a" * 500))[:-100])
                conversation.close()
            case "silent close":
                conversation.send(response(200, completion("answer")))
                conversation.close()
            case _:
                conversation.send(response(200, completion("answer")))

    outcomes: Counter[str] = Counter()
    lock = threading.Lock()

    def worker(name: int, client: HttpChatModel) -> None:
        for number in range(40):
            asked = ChatRequest(
                messages=(Message(role="user", content=f"call {name}/{number}"),), max_tokens=9
            )
            try:
                client.complete(asked, timeout=60)
                code = "ok"
            except TransientError as problem:
                code = problem.code if problem.indeterminate else f"free {problem.code}"
            with lock:
                outcomes[code] += 1

    with WireServer(fickle) as server:
        client = model(server)
        threads = [threading.Thread(target=worker, args=(name, client)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        client.close()
        texts = Counter(request.json["messages"][-1]["content"] for request in server.requests)
    assert outcomes.total() == 160
    assert max(texts.values()) == 1, "a request was sent again behind our back"
    assert not [code for code in outcomes if code.startswith("free")], "what was sent may have been charged"
    # A connection that ends while the next request is on its way: sent by us, never seen there.
    assert outcomes["ok"] <= len(server.requests) <= outcomes.total()


_GOOD = json.dumps(completion("good")).encode()
_LENGTH = b"Content-Length: %d\r\n\r\n" % len(_GOOD)
_OK = b"HTTP/1.1 200 OK\r\n"


def in_chunks(data: bytes, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    pieces = [data[start : start + 7] for start in range(0, len(data), 7)]
    sizes = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
    return b"Transfer-Encoding: chunked\r\n\r\n" + sizes + b"0\r\n" + trailers + b"\r\n"


FRAMED = {
    "a length": (_OK + _LENGTH + _GOOD, 1),
    "chunks": (_OK + in_chunks(_GOOD), 1),
    "chunks with an extension": (_OK + in_chunks(_GOOD, b';a="b;c"'), 1),
    "chunks with spaces": (_OK + in_chunks(_GOOD, b"  "), 1),
    "chunks with trailers": (_OK + in_chunks(_GOOD, trailers=b"Content-Encoding: gzip\r\n"), 1),
    "chunks and a length": (_OK + b"Content-Length: 3\r\n" + in_chunks(_GOOD), None),
    "early hints": (b"HTTP/1.1 103 Early Hints\r\nContent-Encoding: br\r\n\r\n" + _OK + _LENGTH + _GOOD, 1),
    "two interim responses": (b"HTTP/1.1 102 Processing\r\n\r\n" * 2 + _OK + _LENGTH + _GOOD, 1),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n" + _LENGTH + _GOOD, 2),
    "a connection that ends": (_OK + b"Connection: close\r\n" + _LENGTH + _GOOD, 2),
    "lines without a return": ((_OK + _LENGTH).replace(b"\r\n", b"\n") + _GOOD, 1),
    "no reason": (b"HTTP/1.1 200\r\n" + _LENGTH + _GOOD, 1),
    "an offer to upgrade": (_OK + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + _LENGTH + _GOOD, None),
    "bytes after the end": (_OK + _LENGTH + _GOOD + b"junk", 2),
    "a response after the end": (_OK + _LENGTH + _GOOD + _OK + b"Content-Length: 2\r\n\r\n{}", 2),
}


@pytest.mark.parametrize("framing", FRAMED)
def test_an_answer_is_read_in_any_framing_and_the_connection_kept_where_it_can_be(framing: str) -> None:
    data, connections = FRAMED[framing]
    with WireServer(always(data)) as server:
        client = model(server)
        assert [client.complete(REQUEST, timeout=60).content for _ in range(2)] == ["good"] * 2
        client.close()
        used = {request.connection for request in server.requests}
    assert connections in (None, len(used))


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK\r\n\r\n", _OK + b"\r\n"])
def test_an_answer_without_a_length_ends_with_its_connection(head: bytes) -> None:
    def script(_: WireRequest, conversation: Conversation) -> None:
        conversation.send(head + _GOOD)
        conversation.close()

    with WireServer(script) as server:
        client = model(server)
        assert client.complete(REQUEST, timeout=60).content == "good"
        client.close()


@pytest.mark.parametrize(
    "data",
    [
        b"ICY 200 OK\r\n" + _LENGTH + _GOOD,
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nabc",
        _OK + b"Content-Length: -5\r\n\r\n" + _GOOD,
        _OK + b"Content-Length: 3\r\n" + _LENGTH + _GOOD,
        _OK + b"X: a\0b\r\n" + _LENGTH + _GOOD,
        _OK + b"X: " + b"a" * 200_000 + b"\r\n" + _LENGTH + _GOOD,
        _OK + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\n" + _GOOD,
    ],
)
def test_what_is_no_response_may_have_cost_something(data: bytes) -> None:
    with WireServer(always(data)) as server:
        problem = failure(model(server))
    assert (problem.code in ("reset", "truncated"), problem.indeterminate) == (True, True)
