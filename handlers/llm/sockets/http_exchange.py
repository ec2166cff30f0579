"""HTTP/1.1 of one connection: a request is written, its response read by httptools (llhttp, of Node.js)."""

from __future__ import annotations

import re
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
_SILENT = 100 * 1024
"""Bytes that bring no byte of the body: a head with interim responses, extensions of chunks, trailers."""
_HEAD_END = re.compile(rb"\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_LENGTH = re.compile(rb"\r?\ncontent-length:[ \t]*([0-9]+)(?:[ \t]*,[ \t]*\1)*[ \t]*(?=\r?\n)", re.IGNORECASE)


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
        self._held: bytearray | None = bytearray()
        """Of the first head what has been read, until it is whole."""
        self._parser = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(**_LENIENT)

    def feed(self, data: bytes) -> None:
        if self._held is not None:
            data = self._first_head(self._held, data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            if not self.is_whole:
                raise httpcore.RemoteProtocolError(str(error)) from None
            self.has_more = True

    def _first_head(self, held: bytearray, data: bytes) -> bytes:
        """What can be parsed: nothing of a head that is not whole."""
        start = max(0, len(held) - 2)
        held += data if held else data.lstrip(b"\r\n")  # which a parser bears before a head
        end = _HEAD_END.search(held, start)
        if end is None and held.startswith(b"HTTP/"[: len(held)]):
            return b""
        self._held = None
        whole = bytes(held)
        return whole if end is None else plain_head(whole[: end.end()]) + whole[end.end() :]

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
        if self.status and not self.is_whole:
            self.chunks.append(chunk)
            self.size += len(chunk)

    def on_message_complete(self) -> None:
        if self.status >= 200 and not self.is_whole:
            self.is_whole = True
            doubtful = "content-length" in self.headers and "transfer-encoding" in self.headers
            self._keeps = self._parser.should_keep_alive() and not doubtful


def plain_head(head: bytes) -> bytes:
    """A head without folded lines, and with one Content-Length where the same is said more than once: what a
    client reads so (RFC 9112 5.2, RFC 9110 8.6), and the parser refuses."""
    if b"\n " in head or b"\n\t" in head:
        head = _FOLD.sub(b" ", head)
    later = head.lower().partition(b"\ncontent-length:")[2]
    if b"\ncontent-length:" not in later and b"," not in later.partition(b"\n")[0]:
        return head
    first = _LENGTH.search(head)
    if first is None or {each[1] for each in _LENGTH.finditer(head)} != {first[1]}:
        return head
    rest = _LENGTH.sub(b"", head[first.end() :])
    return b"%b\r\nContent-Length: %b%b" % (head[: first.start()], first[1], rest)


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
        silent = 0
        while not response.is_whole and response.size <= most:
            data, size = stream.read(_SLICE, wait), response.size
            if data:
                response.feed(data)
            elif self._wire.cut:
                raise httpcore.ReadError("cut off")
            else:
                response.end()
            silent = 0 if response.size > size else silent + len(data)
            if silent > _SILENT:
                raise httpcore.RemoteProtocolError("the response goes on without a body")

    def close(self) -> None:
        self.is_available = False
        if self._stream is not None:
            self._stream.close()

    def _opened(self, connect: float) -> httpcore.NetworkStream:
        host = self._origin.host.decode("ascii")
        stream = self._wire.connect_tcp(host, self._origin.port, connect)
        if self._ssl_context is None:
            return stream
        return stream.start_tls(self._ssl_context, host, connect)
