"""HTTP/1.1 exchanges with one origin: deadlines, bounds, and sockets that can be cut off.

This is one level below ``httpx.Client``, on the transport that httpx itself uses: a call costs half
the CPU there, and a whole-call deadline and ``abort`` need the sockets.
"""

from __future__ import annotations

import socket
import ssl
import threading
import zlib
from collections import deque
from contextlib import nullcontext, suppress
from dataclasses import dataclass

import httpcore

from handlers.domain.call_errors import FatalError, ModelCallError, TransientError
from handlers.llm.sockets.http_exchange import HttpExchange, Response
from handlers.llm.sockets.timed_socket import Way, Wire
from handlers.ports import Clock, Cut


@dataclass(frozen=True)
class Bounds:
    """Seconds and bytes of one exchange."""

    connect: float
    read: float
    answer_bytes: int


@dataclass(frozen=True)
class HttpReply:
    """A response, read to its end. Header names are in lower case; ``body`` is not encoded any more."""

    status: int
    headers: dict[str, str]
    body: bytes
    broken: ModelCallError | None = None
    """How the connection broke before it said that the body is whole, which the body alone can show then."""


@dataclass(frozen=True)
class _Connection:
    wire: Wire
    http: HttpExchange

    @property
    def is_usable(self) -> bool:
        return not self.wire.cut and self.http.is_available and not self.http.has_expired


class Connections:
    """Keep-alive connections to one origin: as many as there are calls at a time, the last used first."""

    def __init__(self, url: httpcore.URL, bounds: Bounds, clock: Clock, way: Way) -> None:
        self._url = url
        self._way = way
        through_proxy = way.proxy is not None and way.ssl_context is None
        target = bytes(url) if through_proxy else url.target
        to_proxy = way.proxy.headers if way.proxy is not None and through_proxy else []
        self._line = b"POST " + target + b" HTTP/1.1\r\n"
        self._to_proxy = to_proxy
        self._bounds = bounds
        self._clock = clock
        self._idle: deque[_Connection] = deque()
        self._busy: set[_Connection] = set()
        self._lock = threading.Lock()
        self._closed = False

    def post(
        self,
        headers: list[tuple[bytes, bytes]],
        content: bytes,
        *,
        timeout: float,
        cut: Cut | None = None,
    ) -> HttpReply:
        """One attempt, ``timeout`` seconds for all of it; TransientError if no whole reply came."""
        connection = self._checkout()
        wire = connection.wire
        wire.deadline = self._clock.monotonic() + timeout
        wire.connected = False
        response, bounds = Response(), self._bounds
        broken: ModelCallError | None = None
        try:
            asked = self._request(headers, content)
            with nullcontext() if cut is None else cut.reaches(wire.cut_off):
                connection.http.ask(
                    asked, response, connect=bounds.connect, wait=bounds.read, most=bounds.answer_bytes
                )
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            # The text may hold the request's headers: only its class goes on.
            broken = _failure(error, wire, response.status or None, self.address)
        finally:
            self._checkin(connection)
        return self._reply(response, broken)

    def _reply(self, response: Response, broken: ModelCallError | None) -> HttpReply:
        """A refusal stands even if its text was cut off."""
        status, bound = response.status, self._bounds.answer_bytes
        if broken is not None and (not status or (status < 400 and not response.chunks)):
            raise broken from None
        if response.size > bound and status < 400:
            raise _too_large(status)
        body = b"".join(response.chunks)
        body = _decoded(body, response.headers.get("content-encoding", ""), bound, status)
        return HttpReply(status, response.headers, body, broken if status < 400 else None)

    def abort(self) -> None:
        """Cut off the calls in flight; later ones are not touched: a connection that is given back
        meanwhile is either cut or free, never cut under its next call."""
        with self._lock:
            for connection in self._busy:
                connection.wire.cut_off()

    def close(self) -> None:
        """Close what idles now, and what is busy when its call ends."""
        self._closed = True
        while self._idle:
            with suppress(IndexError):
                self._idle.pop().http.close()

    def _request(self, headers: list[tuple[bytes, bytes]], content: bytes) -> bytes:
        length = (b"Content-Length", b"%d" % len(content))
        named = [b"%b: %b\r\n" % each for each in (*headers, *self._to_proxy, length)]
        return b"".join((self._line, *named, b"\r\n", content))

    def _checkout(self) -> _Connection:
        connection = None
        while connection is None:
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._fresh()
                break
            if not connection.is_usable:
                connection.http.close()
                connection = None
        with self._lock:
            self._busy.add(connection)
        return connection

    def _checkin(self, connection: _Connection) -> None:
        with self._lock:
            self._busy.discard(connection)
            cut = connection.wire.cut
        if self._closed or cut or not connection.http.is_available:
            connection.http.close()
        else:
            self._idle.append(connection)

    @property
    def address(self) -> str:
        """That calls go to, for people."""
        proxy = f" by {self._way.proxy.address}" if self._way.proxy is not None else ""
        return bytes(self._url).decode("ascii")[:200] + proxy

    def _fresh(self) -> _Connection:
        wire = Wire(self._clock, self._way)
        http = HttpExchange(self._url.origin, self._way.ssl_context, wire)
        return _Connection(wire, http)


def _failure(error: Exception, wire: Wire, status: int | None, where: str = "") -> ModelCallError:
    """Before the request was written nothing can have been charged."""
    if wire.connected:
        return _broken(error, wire, status)
    if isinstance(error.__cause__, ssl.SSLCertVerificationError):
        told = f"the API's certificate cannot be verified: {error}"[:300]
        return FatalError(f"{told}; --ca-file names one of one's own to trust", code="certificate")
    code = "aborted" if wire.cut else "connect"
    code = "connect_timeout" if isinstance(error, httpcore.TimeoutException) and not wire.cut else code
    text = f"could not connect to {where} ({code}){_why(error)}"
    return TransientError(text, code=code, reached=False)


def _broken(error: Exception, wire: Wire, status: int | None) -> TransientError:
    """Of a call that had its connection: nobody knows whether it was charged."""
    if wire.cut:
        code, text = "aborted", "the call was cut off"
    elif not wire.left:
        code, text = "call_timeout", "no whole answer within the call's time"
    elif isinstance(error, httpcore.TimeoutException):
        code, text = "read_timeout", "the API fell silent"
    elif status is not None:
        code, text = "truncated", "the answer broke off"
    else:
        code, text = "reset", "the connection broke before an answer"
    return TransientError(f"{text} ({code})", code=code, indeterminate=True)


def _why(error: Exception) -> str:
    """Why no connection came about, as far as it is known."""
    if isinstance(error.__cause__, socket.gaierror):
        return f": the name does not resolve ({error.__cause__.strerror})"
    if isinstance(error.__cause__, ConnectionRefusedError):
        return ": connection refused"
    return f": {error}"[:120] if isinstance(error, httpcore.ConnectError) else ""


def _too_large(status: int) -> TransientError:
    message = f"HTTP {status} with an answer over the size bound"
    return TransientError(message, code="answer_too_large", indeterminate=True)


def _decoded(body: bytes, encoding: str, bound: int, status: int) -> bytes:
    """The body without its content encoding, unpacked to ``bound`` bytes at most."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or not body:
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return body if status >= 400 else b""
    unpack = zlib.decompressobj(wbits=47 if encoding != "deflate" else zlib.MAX_WBITS)
    try:
        plain = unpack.decompress(body, bound + 1)
    except zlib.error:
        return b""
    if len(plain) > bound and status < 400:
        raise _too_large(status)
    return plain[:bound]
