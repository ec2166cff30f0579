from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from httpcore import ConnectError, NetworkStream, WriteTimeout
from pydantic import SecretStr

from handlers.domain.call_errors import (
    ContentFilteredError,
    FatalError,
    ModelCallError,
    ThrottledError,
    TransientError,
)
from handlers.llm.client import HttpChatModel
from handlers.llm.client_settings import ClientSettings
from handlers.llm.connection import _failure
from handlers.llm.sockets.timed_socket import TimedStream, Wire
from tests.builders.certificates import tls_contexts
from tests.builders.fakes import FakeClock
from tests.builders.growth import assert_linear
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


def test_a_connection_that_breaks_before_any_answer_may_have_cost_something() -> None:
    def hang_up(_: WireRequest, conversation: Conversation) -> None:
        conversation.close()

    with WireServer(hang_up) as server:
        problem = failure(model(server))
    assert isinstance(problem, TransientError)
    assert (problem.code, problem.indeterminate, problem.reached) == ("reset", True, True)
    assert len(server.requests) == 1, "one attempt is one request"


def test_a_reset_may_have_cost_something() -> None:
    with WireServer(lambda _, conversation: conversation.reset()) as server:
        problem = failure(model(server))
    assert (problem.code, problem.indeterminate) == ("reset", True)


def test_a_refused_connection_cost_nothing() -> None:
    with socket.socket() as silent:  # holds its port and does not listen
        silent.bind(("127.0.0.1", 0))
        settings = ClientSettings(base_url=f"http://127.0.0.1:{silent.getsockname()[1]}", model="m")
        problem = failure(HttpChatModel(settings, SecretStr(KEY), RealClock()))
    assert isinstance(problem, TransientError)
    assert (problem.code, problem.indeterminate, problem.reached) == ("connect", False, False)
    assert str(problem).startswith("could not connect to http://127.0.0.1:")
    assert str(problem).endswith("/chat/completions (connect): connection refused")


def test_a_name_that_does_not_resolve_is_told_as_that() -> None:
    error = ConnectError("[Errno -2]")
    error.__cause__ = socket.gaierror(-2, "Name or service not known")
    problem = _failure(error, Wire(FakeClock()), None, "http://nobody/v1")
    why = "the name does not resolve (Name or service not known)"
    assert str(problem) == f"could not connect to http://nobody/v1 (connect): {why}"


@pytest.mark.parametrize("head", [b"", response(200, b"x" * 500)[:-500]], ids=["headers", "body"])
def test_a_slow_drip_is_cut_off_at_the_calls_time(head: bytes) -> None:
    def drip(_: WireRequest, conversation: Conversation) -> None:
        conversation.send(head)
        conversation.drip(response(200, b"x" * 500), 0.1)

    with WireServer(drip) as server:
        before = time.monotonic()
        problem = failure(model(server), timeout=1)
    assert 0.9 < time.monotonic() - before < 30, "the whole drip takes a minute"
    assert (problem.code, problem.indeterminate) == ("call_timeout", True)


def test_endless_interim_responses_are_cut_off_at_the_calls_time() -> None:
    def interim(_: WireRequest, conversation: Conversation) -> None:
        conversation.drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 0.001)

    with WireServer(interim) as server:
        assert failure(model(server), timeout=1).code == "call_timeout"


def test_silence_is_a_read_timeout() -> None:
    with WireServer(lambda _, conversation: conversation.be_silent()) as server:
        problem = failure(model(server, read_timeout=0.1))
    assert (problem.code, problem.indeterminate) == ("read_timeout", True)


def test_an_answer_that_breaks_off_may_have_cost_something() -> None:
    def cut(_: WireRequest, conversation: Conversation) -> None:
        conversation.send(response(200, completion("a" * 1000))[:-400])
        conversation.close()

    with WireServer(cut) as server:
        problem = failure(model(server))
    assert (problem.code, problem.indeterminate) == ("truncated", True)


def test_a_refusal_stands_even_if_its_text_breaks_off() -> None:
    def cut(_: WireRequest, conversation: Conversation) -> None:
        conversation.send(response(429, error("slow down"), {"retry-after": "2"})[:-5])
        conversation.close()

    with WireServer(cut) as server:
        problem = failure(model(server))
    assert isinstance(problem, ThrottledError)
    assert problem.retry_after == 2.0


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_an_answer_over_the_bound_is_not_read_to_its_end(packed: bool) -> None:
    body = json.dumps(completion("a" * 3_000_000)).encode()
    headers = {"content-encoding": "gzip"} if packed else {}
    data = response(200, gzip.compress(body) if packed else body, headers)
    with WireServer(always(data)) as server:
        problem = failure(model(server, max_answer_bytes=100_000))
    assert (problem.code, problem.indeterminate) == ("answer_too_large", True)


def test_a_web_page_is_no_answer() -> None:
    with WireServer(always(response(200, b"<html>Welcome to nginx</html>"))) as server:
        problem = failure(model(server))
    assert isinstance(problem, TransientError)
    assert (problem.code, problem.indeterminate) == ("web_page", False)
    assert str(problem).startswith("HTTP 200 with a body that is no chat completion")


def test_an_answer_cut_off_by_the_content_filter_may_have_cost_something() -> None:
    body = completion("a")
    body["choices"][0]["finish_reason"] = "content_filter"
    with WireServer(always(response(200, body))) as server:
        problem = failure(model(server))
    assert isinstance(problem, ContentFilteredError)
    assert problem.indeterminate


def abort_while_waiting(server: WireServer, client: HttpChatModel) -> list[ModelCallError]:
    """Abort three silent calls; returns their errors and how the call after them went."""
    problems: list[ModelCallError] = []

    def call() -> None:
        try:
            client.complete(REQUEST, timeout=60)
        except ModelCallError as problem:
            problems.append(problem)

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert server.arrived.acquire(timeout=60)
    client.abort()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    assert client.complete(REQUEST, timeout=60).content == "after"
    client.close()
    return problems


def silent_thrice(request: WireRequest, conversation: Conversation) -> None:
    if request.number < 3:
        conversation.be_silent()
    else:
        conversation.send(response(200, completion("after")))


def test_an_abort_ends_the_calls_in_flight_and_no_later_one() -> None:
    with WireServer(silent_thrice) as server:
        problems = abort_while_waiting(server, model(server))
    assert [(problem.code, problem.indeterminate) for problem in problems] == [("aborted", True)] * 3


def test_a_connection_cut_as_its_call_ended_is_not_given_to_the_next() -> None:
    with WireServer(always(response(200, completion("good")))) as server:
        client = model(server)
        client.complete(REQUEST, timeout=60)
        (idle,) = client._connections._idle
        idle.wire.cut = True  # as by an abort that found it busy, with its socket not yet shut
        assert client.complete(REQUEST, timeout=60).content == "good"
        client.close()


def test_a_call_cut_off_before_its_first_byte_cannot_have_been_charged() -> None:
    wire = Wire(FakeClock())
    stream = TimedStream(NetworkStream(), wire)
    wire.deadline = 5_000_000_000.0
    wire.cut_off()
    stream.write(b"POST / HTTP/1.1")
    with pytest.raises(WriteTimeout) as caught:
        stream.write(b"")
    assert not _failure(caught.value, wire, None).indeterminate


def test_tls_calls_work_and_can_be_aborted(tmp_path: Path) -> None:
    server_side, client_side = tls_contexts(tmp_path)
    with WireServer(silent_thrice, tls=server_side) as server:
        problems = abort_while_waiting(server, model(server, ssl_context=client_side))
    assert [problem.code for problem in problems] == ["aborted"] * 3


def test_a_certificate_that_is_not_trusted_ends_the_call_before_the_key_is_sent(tmp_path: Path) -> None:
    server_side, _ = tls_contexts(tmp_path)
    with WireServer(always(response(200, completion())), tls=server_side) as server:
        problem = failure(model(server))
    assert isinstance(problem, FatalError)
    assert (problem.code, problem.indeterminate) == ("certificate", False)
    assert "CERTIFICATE_VERIFY_FAILED" in str(problem)
    assert not server.requests


@pytest.mark.parametrize("unit", [b"[", b"{", b'{"a":', b"<", b"$", b"\\begin{", b'"\\ud800', b"1"])
@pytest.mark.parametrize("status", [200, 400, 429])
def test_a_flood_of_anything_is_refused_in_linear_time(unit: bytes, status: int) -> None:
    def refused(client: HttpChatModel) -> None:
        assert len(str(failure(client))) < 400

    with ExitStack() as servers:

        def answering(size: int) -> HttpChatModel:
            body = unit * (size // len(unit))
            return model(servers.enter_context(WireServer(always(response(status, body)))))

        assert_linear(answering, refused)
