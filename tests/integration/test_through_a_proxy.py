"""Calls through an HTTP proxy: in a tunnel for https, in absolute form for http."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from handlers.domain.call_errors import FatalError, TransientError
from handlers.llm.proxies import HttpProxy, proxy_for
from tests.builders.certificates import tls_contexts
from tests.builders.llm_calls import KEY, REQUEST, failure, model
from tests.builders.wire import Conversation, WireRequest, WireServer, always, completion, response

HOST = "api.internal.invalid"


def through(server: WireServer, text: str = "http://user:secret@{host}") -> HttpProxy:
    proxy = proxy_for("https://x", text.format(host=f"127.0.0.1:{server.port}"), {})
    assert proxy is not None
    return proxy


def test_http_is_asked_for_in_absolute_form() -> None:
    with WireServer(always(response(200, completion("ok")))) as server:
        client = model(server, base_url=f"http://{HOST}/v1", proxy=through(server))
        assert [client.complete(REQUEST, timeout=60).content for _ in range(2)] == ["ok"] * 2
        client.close()
    request = server.requests[0]
    assert request.line == f"POST http://{HOST}/v1/chat/completions HTTP/1.1"
    assert request.headers["host"] == HOST
    assert request.headers["proxy-authorization"].startswith("Basic ")
    assert {each.connection for each in server.requests} == {0}


def pipe(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    for each in (source, sink):  # wakes whoever waits on either
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def tunnelling(port: int, heads: list[bytes]) -> socket.socket:
    """A proxy that leads every CONNECT to a port of this machine."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        client, _ = listener.accept()
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            heads.append(client.recv(65_536))
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pipe, args=(server, client))
            back.start()
            pipe(client, server)
            back.join()

    threading.Thread(target=serve, daemon=True).start()
    return listener


def test_https_goes_through_a_tunnel_and_the_proxy_sees_no_key(tmp_path: Path) -> None:
    server_side, client_side = tls_contexts(tmp_path)
    heads: list[bytes] = []
    api = WireServer(always(response(200, completion("ok"))), tls=server_side)
    with api as server, tunnelling(server.port, heads) as listener:
        proxy = proxy_for(f"https://{HOST}", f"http://u:p@127.0.0.1:{listener.getsockname()[1]}", {})
        url = f"https://127.0.0.1:{server.port}/v1"
        client = model(server, base_url=url, proxy=proxy, ssl_context=client_side)
        assert client.complete(REQUEST, timeout=60).content == "ok"
        client.close()
    assert heads[0].startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode())
    assert b"proxy-authorization: basic " in heads[0].lower()
    assert KEY.encode() not in heads[0]
    assert "proxy-authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    ("status", "kind", "code"), [(407, FatalError, "proxy"), (502, TransientError, "connect")]
)
def test_a_proxy_that_refuses_is_told_of_and_nothing_was_charged(
    status: int, kind: type[Exception], code: str
) -> None:
    def refuse(_: WireRequest, conversation: Conversation) -> None:
        conversation.send(response(status, b"<html>user:secret</html>"))

    with WireServer(refuse) as server:
        problem = failure(model(server, base_url=f"https://{HOST}/v1", proxy=through(server)))
    assert (type(problem), problem.code, problem.indeterminate) == (kind, code, False)
    assert f"HTTP {status}" in str(problem)
    assert "secret" not in str(problem)


def test_a_proxy_that_is_silent_is_left_at_the_calls_time() -> None:
    with WireServer(lambda _, conversation: conversation.be_silent()) as server:
        problem = failure(model(server, base_url=f"https://{HOST}/v1", proxy=through(server)), timeout=1)
    assert isinstance(problem, TransientError)
    assert not problem.reached
