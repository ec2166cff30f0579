"""Sockets whose every wait fits into a call's deadline, that can be cut off, and lead through a proxy."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpcore

from handlers.llm.proxies import HttpProxy, tunnel
from handlers.llm.sockets.socket_stream import Sessions, connected
from handlers.ports import Clock

_SLICE = 16_384
"""Bytes that are read or written at a time, a TLS record's at most; most requests and answers are shorter."""


@dataclass(frozen=True)
class Way:
    """How to reach an origin: what to trust of it, and the proxy in between."""

    ssl_context: ssl.SSLContext | None = None
    proxy: HttpProxy | None = None
    proxy_context: ssl.SSLContext | None = None
    """For a proxy that is spoken to over TLS itself."""
    sessions: Sessions = field(default_factory=Sessions, compare=False)
    """Of whichever of both TLS is spoken to here."""


class Wire:
    """Opens one connection's socket, and fits each of its waits into the call's deadline."""

    def __init__(self, clock: Clock, way: Way = Way()) -> None:
        self._clock = clock
        self._way = way
        self._stream: httpcore.NetworkStream | None = None
        self.deadline = 0.0
        self.cut = False
        self.connected = False

    @property
    def left(self) -> float:
        """Seconds to the deadline; 0 once it was cut off."""
        return 0.0 if self.cut else max(0.0, self.deadline - self._clock.monotonic())

    def connect_tcp(self, host: str, port: int, timeout: float) -> httpcore.NetworkStream:
        if not self.left:
            raise httpcore.ConnectTimeout("no time left to connect")
        wait = min(self.left, timeout)
        way, proxy = self._way, self._way.proxy
        to = (host, port) if proxy is None else (proxy.host, proxy.port)
        if proxy is not None and proxy.scheme == "https" and way.ssl_context is not None:
            stream = httpcore.SyncBackend().connect_tcp(*to, wait)  # which can do TLS within TLS
        else:
            stream = connected(*to, wait, way.sessions)
        return self.watch(stream if proxy is None else self._through(stream, proxy, (host, port), wait))

    def _through(
        self, stream: httpcore.NetworkStream, proxy: HttpProxy, to: tuple[str, int], wait: float
    ) -> httpcore.NetworkStream:
        """Through the proxy that ``stream`` leads to: a tunnel for TLS; else the proxy reads the request."""
        self._stream = stream
        if proxy.scheme == "https" and self._way.proxy_context is not None:
            stream = stream.start_tls(self._way.proxy_context, proxy.host, wait)
        if self._way.ssl_context is None:
            return stream
        return tunnel(stream, proxy, *to, timeout=min(self.left, wait) or wait)

    def watch(self, stream: httpcore.NetworkStream) -> httpcore.NetworkStream:
        self._stream = stream
        return TimedStream(stream, self)

    def cut_off(self) -> None:
        """Wake whoever waits on the socket; from any thread."""
        self.cut = True
        if (stream := self._stream) is not None and (wire := stream.get_extra_info("socket")) is not None:
            with suppress(OSError):
                # Not SSLSocket's own method, which pulls the session from under the reading thread.
                socket.socket.shutdown(wire, socket.SHUT_RDWR)


class TimedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, wire: Wire) -> None:
        self._stream = stream
        self._wire = wire
        self._unsent: list[bytes] = []

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._unsent:
            self._flush(timeout)
        left = self._wire.left
        if not left:
            raise httpcore.ReadTimeout("the call's time is up")
        return self._stream.read(min(max_bytes, _SLICE), min(left, timeout or left))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Kept until the request is whole, which an empty write tells, or its answer is to be read:
        head and body go out as one packet and not two."""
        if buffer:
            self._unsent.append(buffer)
        else:
            self._flush(timeout)

    def _flush(self, timeout: float | None) -> None:
        buffer = b"".join(self._unsent)
        self._unsent.clear()
        for start in range(0, len(buffer), _SLICE):
            left = self._wire.left
            if not left:
                raise httpcore.WriteTimeout("the call's time is up")
            self._wire.connected = True  # from here on it may be charged
            self._stream.write(buffer[start : start + _SLICE], min(left, timeout or left))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._wire.left
        if not left:
            raise httpcore.ConnectTimeout("no time left to connect")
        stream = self._stream.start_tls(ssl_context, server_hostname, min(left, timeout or left))
        return self._wire.watch(stream)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
