"""A socket, with TLS or without: a thread that waits for an answer holds no buffer for it meanwhile.

httpcore's own stream sets bytes aside before it waits, and OpenSSL a whole record's as it reads a ticket: 33
KB for each call in flight.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from typing import Any

import httpcore

_LONGEST = 86_400.0
"""Seconds of one wait at most: poll(2) counts milliseconds in 32 bits."""


class Sessions:
    """A TLS session of an origin, which its next connections offer again: that saves a certificate's way and
    check. It never goes to another origin."""

    def __init__(self) -> None:
        self.kept: ssl.SSLSession | None = None


class SocketStream(httpcore.NetworkStream):
    """Used by one thread at a time, and raises as httpcore's does."""

    def __init__(self, sock: socket.socket, sessions: Sessions) -> None:
        self._socket = sock
        self._secured: ssl.SSLSocket | None = None
        self._sessions = sessions
        self._offered: ssl.SSLSession | None = None
        self._is_settled = True
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        wait = _LONGEST if timeout is None else min(timeout, _LONGEST)
        try:
            self._socket.settimeout(0.0)
            data = self._received(max_bytes, wait)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error
        if not self._is_settled and self._secured is not None:
            self._settle(self._secured)
        return data

    def _settle(self, secured: ssl.SSLSocket) -> None:
        """Keep this connection's session, which TLS 1.3 tells with the first bytes, unless one is kept that
        is taken up or that nobody has offered yet: reading one out takes as long as taking one up saves."""
        self._is_settled = True
        if self._sessions.kept is self._offered and not secured.session_reused:
            self._sessions.kept = secured.session

    def _received(self, max_bytes: int, wait: float) -> bytes:
        until = time.monotonic() + wait
        while True:
            if not self._is_readable(wait):
                raise TimeoutError("nothing came")
            try:
                return self._socket.recv(max_bytes)
            except ssl.SSLWantReadError:  # a ticket, or a part of a record
                self._socket.send(b"")  # sends nothing, and lets OpenSSL's buffer go
            except (ssl.SSLWantWriteError, BlockingIOError):
                self._socket.settimeout(max(0.001, until - time.monotonic()))
                return self._socket.recv(max_bytes)
            wait = max(0.0, until - time.monotonic())

    def _is_readable(self, wait: float) -> bool:
        has_read = self._secured is not None and self._secured.pending() > 0
        return has_read or bool(self._poll.poll(wait * 1000))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            self._socket.settimeout(timeout)
            self._socket.sendall(buffer)
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """``get_extra_info`` has the new socket before the handshake begins: it can be cut off meanwhile."""
        self._offered, self._is_settled = self._sessions.kept, False
        try:
            self._socket.settimeout(timeout)
            self._socket = self._secured = ssl_context.wrap_socket(
                self._socket,
                server_hostname=server_hostname,
                session=self._offered,
                do_handshake_on_connect=False,
            )
            self._secured.do_handshake()
        except OSError as error:
            self.close()
            if self._sessions.kept is self._offered:
                self._sessions.kept = None
            kind = httpcore.ConnectTimeout if isinstance(error, TimeoutError) else httpcore.ConnectError
            raise kind(str(error)) from error
        return self

    def get_extra_info(self, info: str) -> Any:
        """``socket``, and ``is_readable``: whether there are bytes, or its end."""
        if info == "is_readable":
            return self._is_readable(0.0)
        return self._socket if info == "socket" else None


def connected(host: str, port: int, wait: float, sessions: Sessions) -> SocketStream:
    """ConnectTimeout after ``wait`` seconds, ConnectError if there is no way."""
    try:
        sock = socket.create_connection((host, port), wait)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except TimeoutError as error:
        raise httpcore.ConnectTimeout(str(error)) from error
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from error
    return SocketStream(sock, sessions)
