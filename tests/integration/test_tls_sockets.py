"""TLS on real sockets: sessions offered again, handshakes cut off, waits that hold, records in pieces."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from handlers.llm.proxies import proxy_for
from tests.builders.certificates import tls_contexts
from tests.builders.llm_calls import REQUEST, failure, model
from tests.builders.wire import Conversation, WireRequest, WireServer, always, completion, response

CLOSED = response(200, completion("ok"), {"connection": "close"})


def tls_socket(conversation: Conversation) -> ssl.SSLSocket:
    assert isinstance(conversation._socket, ssl.SSLSocket)
    return conversation._socket


def resumed(answer: bytes) -> tuple[list[bool | None], Callable[[WireRequest, Conversation], None]]:
    """Whether each request's connection took up an earlier session; a script that answers and notes it."""
    noted: list[bool | None] = []

    def script(_: WireRequest, conversation: Conversation) -> None:
        noted.append(tls_socket(conversation).session_reused)
        conversation.send(answer)

    return noted, script


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_next_connection_offers_the_session_of_the_last(tmp_path: Path, version: ssl.TLSVersion) -> None:
    server_side, client_side = tls_contexts(tmp_path)
    server_side.minimum_version = server_side.maximum_version = version
    noted, script = resumed(CLOSED)
    with WireServer(script, tls=server_side) as server:
        client = model(server, ssl_context=client_side)
        assert [client.complete(REQUEST, timeout=20).content for _ in range(3)] == ["ok"] * 3
        client.close()
    assert noted == [False, True, True]


def test_a_session_that_nobody_knows_any_more_costs_nothing(tmp_path: Path) -> None:
    server_side, client_side = tls_contexts(tmp_path)
    noted, script = resumed(CLOSED)
    with WireServer(script, tls=server_side) as server:
        client = model(server, ssl_context=client_side)
        client.complete(REQUEST, timeout=20)
        server._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # as after a restart: other keys of tickets
        server._tls.load_cert_chain(tmp_path / "wire.pem")
        assert client.complete(REQUEST, timeout=20).content == "ok"
        client.complete(REQUEST, timeout=20)
        client.close()
    assert noted == [False, False, True]


def test_a_session_is_offered_to_its_own_origin_alone(tmp_path: Path) -> None:
    server_side, client_side = tls_contexts(tmp_path)
    noted, script = resumed(CLOSED)
    with WireServer(script, tls=server_side) as one, WireServer(script, tls=server_side) as other:
        for server in (one, other):
            client = model(server, ssl_context=client_side)
            client.complete(REQUEST, timeout=20)
            client.close()
    assert noted == [False, False]


def test_a_handshake_is_cut_off_from_another_thread_and_was_not_charged() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        with WireServer(always(CLOSED)) as unused:
            client = model(unused, base_url=f"https://127.0.0.1:{listener.getsockname()[1]}")
        call = pool.submit(failure, client, 30.0)
        silent, _ = listener.accept()
        silent.recv(1)  # the handshake has begun
        began = time.monotonic()
        client.abort()
        problem = call.result()
        silent.close()
    assert (problem.code, problem.indeterminate) == ("aborted", False)
    assert time.monotonic() - began < 5


def test_a_record_in_pieces_is_waited_for_no_longer_than_the_call_may_take(tmp_path: Path) -> None:
    server_side, client_side = tls_contexts(tmp_path)
    over = threading.Event()

    def pieces(_: WireRequest, conversation: Conversation) -> None:
        sock = tls_socket(conversation)
        for byte in b"\x17\x03\x03\x40\x00" + bytes(100):
            socket.socket.send(sock, bytes([byte]))  # past TLS: a record that never gets whole
            if over.wait(0.03):
                return

    with WireServer(pieces, tls=server_side) as server:
        began = time.monotonic()
        problem = failure(model(server, ssl_context=client_side), timeout=0.4)
        over.set()
    assert (problem.code, problem.indeterminate) == ("call_timeout", True)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("size", [16_384, 16_385, 300_000])
def test_an_answer_of_many_records_is_read_whole(tmp_path: Path, size: int) -> None:
    server_side, client_side = tls_contexts(tmp_path)
    with WireServer(always(response(200, completion("x" * size))), tls=server_side) as server:
        client = model(server, ssl_context=client_side)
        for _ in range(2):
            assert len(client.complete(REQUEST, timeout=20).content) == size
        client.close()
    assert {each.connection for each in server.requests} == {0}


def test_plain_http_goes_through_a_proxy_that_is_spoken_to_over_tls(tmp_path: Path) -> None:
    server_side, _ = tls_contexts(tmp_path)
    noted, script = resumed(CLOSED)
    with WireServer(script, tls=server_side) as server:
        url = f"https://127.0.0.1:{server.port}"
        proxy = proxy_for("http://api.example", url, {})
        client = model(server, base_url="http://api.example/v1", proxy=proxy, ca_file=tmp_path / "wire.pem")
        assert [client.complete(REQUEST, timeout=20).content for _ in range(2)] == ["ok", "ok"]
        client.close()
    assert server.requests[0].line.startswith("POST http://api.example/v1/chat/completions ")
    assert noted == [False, True]
