"""HTTP/1.1 of one connection: a request is written, its response read by httptools (llhttp, of Node.js)."""

from __future__ import annotations

import ssl
import time
from contextlib import suppress

import httpcore
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from handlers.llm.sockets.timed_socket import Wire

_KEEP_ALIVE = 55.0
"""Seconds that a connection may idle: below the 60 s after which AWS's load balancers drop it."""
_SLICE = 16_384
_LENIENT = {
    "lenient_chunked_length": True,
    "lenient_optional_cr_before_lf": True,
    "lenient_spaces_after_chunk_size": True,
}
"""What servers do and every client bears. It is dangerous between proxies that share a connection's bytes."""
_HEAD = 100 * 1024
"""Bytes of a head, interim responses among it."""


class Response:
    """What has been read of one. ``status`` is 0 until its head is whole; header names are in lower case."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.chunks: list[bytes] = []
        self.size = 0
        self.is_whole = False
        self.has_more = False
        """Whether bytes came after its end: nobody knows whose they are."""
        self._keeps = False
        self._parser = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(**_LENIENT)

    def feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            if not self.is_whole:
                raise httpcore.RemoteProtocolError(str(error)) from None
            self.has_more = True

    def end(self) -> None:
        """The connection has ended. RemoteProtocolError unless the body goes on until then."""
        bounded = "content-length" in self.headers or "transfer-encoding" in self.headers
        if not self.status or bounded:
            raise httpcore.RemoteProtocolError("the server disconnected")
        self.is_whole = self.has_more = True

    def release(self) -> None:
        """Let the parser go, which holds this too: what two things hold for each other is freed late."""
        del self._parser

    @property
    def keeps_connection(self) -> bool:
        return self.is_whole and self._keeps and not self.has_more

    def on_message_begin(self) -> None:
        self.has_more = self.has_more or self.is_whole

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status:  # after the body come trailers
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200 and not self.is_whole:
            self.status = status
        elif status < 200:
            self.headers.clear()

    def on_body(self, chunk: bytes) -> None:
        if not self.is_whole:
            self.chunks.append(chunk)
            self.size += len(chunk)

    def on_message_complete(self) -> None:
        if self.status >= 200 and not self.is_whole:
            self.is_whole = True
            self._keeps = self._parser.should_keep_alive()


class HttpExchange:
    """A connection to ``origin``, opened by its first request."""

    def __init__(self, origin: httpcore.Origin, ssl_context: ssl.SSLContext | None, wire: Wire) -> None:
        self._origin = origin
        self._ssl_context = ssl_context
        self._wire = wire
        self._stream: httpcore.NetworkStream | None = None
        self._idle_since = 0.0
        self.is_available = True

    @property
    def has_expired(self) -> bool:
        """Whether it has idled for too long, or its other end has closed it."""
        late = time.monotonic() - self._idle_since > _KEEP_ALIVE
        return self._stream is not None and (late or bool(self._stream.get_extra_info("is_readable")))

    def ask(self, request: bytes, response: Response, *, connect: float, wait: float, most: int) -> None:
        """Write ``request`` and read its ``response``, to more than ``most`` bytes of body at most."""
        self.is_available = False
        try:
            stream = self._stream = self._stream or self._opened(connect)
            with suppress(httpcore.WriteError):  # who refuses a request may say why before it has read it all
                stream.write(request, wait)
                stream.write(b"", wait)
            self._read(stream, response, wait, most)
        finally:
            response.release()
        self.is_available = response.keeps_connection
        self._idle_since = time.monotonic()

    def _read(self, stream: httpcore.NetworkStream, response: Response, wait: float, most: int) -> None:
        head = 0
        while not response.is_whole and response.size <= most:
            data = stream.read(_SLICE, wait)
            if data:
                response.feed(data)
            elif self._wire.cut:
                raise httpcore.ReadError("cut off")
            else:
                response.end()
            head += 0 if response.status else len(data)
            if head > _HEAD:
                raise httpcore.RemoteProtocolError("the head of the response has no end")

    def close(self) -> None:
        self.is_available = False
        if self._stream is not None:
            self._stream.close()

    def _opened(self, connect: float) -> httpcore.NetworkStream:
        host = self._origin.host.decode("ascii")
        stream = self._wire.connect_tcp(host, self._origin.port, connect)
        if self._ssl_context is None:
            return stream
        self._ssl_context.set_alpn_protocols(["http/1.1"])
        return stream.start_tls(self._ssl_context, host, connect)
