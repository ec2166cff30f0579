"""Heads that a client reads and the parser refuses; responses that go on without a body."""

from __future__ import annotations

from collections.abc import Iterator

import httpcore
import pytest

from handlers.bootstrap.state import SystemClock
from handlers.llm.sockets.http_exchange import HttpExchange, Response
from handlers.llm.sockets.timed_socket import Wire

HEAD = b"HTTP/1.1 200 OK\r\n"
ORIGIN = httpcore.URL("http://127.0.0.1").origin


class Scripted(httpcore.NetworkStream):
    """A connection whose other end says these bytes."""

    def __init__(self, said: Iterator[bytes]) -> None:
        self._said = said

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return next(self._said, b"")

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Nobody reads it."""


def read(said: Iterator[bytes]) -> Response:
    wire = Wire(SystemClock())
    exchange, response = HttpExchange(ORIGIN, None, wire), Response()
    scripted = Scripted(said)
    wire.connect_tcp = lambda *_, **__: scripted  # no network
    exchange.ask(b"", response, connect=1, wait=1, most=1_000)
    return response


def by_byte(text: bytes) -> Iterator[bytes]:
    return (text[at : at + 1] for at in range(len(text)))


READ = {
    "same length twice": b"Content-Length: 2\r\ncontent-length:  2 \r\n\r\nok",
    "same length in a list": b"Content-Length: 2, 2\r\n\r\nok",
    "same length, bare line feeds": b"Content-Length: 2\nContent-Length: 2\n\nok",
    "folded": b"X-Note: a\r\n b\r\n\tc\r\nContent-Length: 2\r\n\r\nok",
    "folded, empty": b"X-Note: a\r\n \r\nContent-Length: 2\r\n\r\nok",
}
REFUSED = {
    "two lengths": b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "two lengths in a list": b"Content-Length: 2, 3\r\n\r\nok",
    "length as a number and not": b"Content-Length: 2\r\nContent-Length: 2\r\nContent-Length: +2\r\n\r\nok",
    "length written otherwise": b"Content-Length: 2\r\nContent-Length: 02\r\n\r\nok",
}


@pytest.mark.parametrize("head", READ.values(), ids=READ)
def test_what_means_one_thing_is_read(head: bytes) -> None:
    for said in (iter([HEAD + head]), by_byte(HEAD + head), by_byte(b"\r\n\r\n" + HEAD + head)):
        response = read(said)
        assert (b"".join(response.chunks), response.keeps_connection) == (b"ok", True)


@pytest.mark.parametrize("head", REFUSED.values(), ids=REFUSED)
def test_what_means_two_things_is_refused(head: bytes) -> None:
    for said in (iter([HEAD + head]), by_byte(HEAD + head)):
        with pytest.raises(httpcore.RemoteProtocolError):
            read(said)


def test_a_body_that_has_a_fold_and_lengths_stays() -> None:
    body = b"\r\n a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"
    response = read(iter([HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body]))
    assert b"".join(response.chunks) == body


def test_a_length_beside_chunks_ends_the_connection() -> None:
    head = b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    response = read(iter([HEAD + head]))
    assert (b"".join(response.chunks), response.keeps_connection) == (b"ok", False)


def test_an_unknown_interim_status_brings_no_body() -> None:
    interim = b"HTTP/1.1 099 X\r\nContent-Length: 4\r\n\r\nevil"
    response = read(iter([interim + HEAD + b"Content-Length: 2\r\n\r\nok"]))
    assert b"".join(response.chunks) == b"ok"


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"
ENDLESS = {
    "header": HEAD + b"X: ",
    "extension": CHUNKED + b"2;",
    "size": CHUNKED + b"0",
    "trailer's name": CHUNKED + b"0\r\n",
    "trailer's value": CHUNKED + b"0\r\nX: ",
}


@pytest.mark.parametrize("start", ENDLESS.values(), ids=ENDLESS)
def test_what_brings_no_body_ends(start: bytes) -> None:
    """A trailer's parts are put together piece by piece: without a bound, time in the square of them."""
    pieces = iter([start, *[b"0" * 16_384] * 8, b"unread"])
    with pytest.raises(httpcore.RemoteProtocolError, match="without a body"):
        read(pieces)
    assert b"unread" in list(pieces)
