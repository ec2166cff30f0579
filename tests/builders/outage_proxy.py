"""A TCP proxy in front of a server, behind which the server can be away in all the ways that there are."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

Mode = Literal["through", "refused", "reset", "silent", "late"]
"""Late: what is sent in the outage arrives after it, and nothing comes back before; silent: it never does."""


class OutageProxy:
    """Listens on loopback; ``mode`` may change at any time, and cuts what is open when it does."""

    def __init__(self, upstream_port: int) -> None:
        self._upstream = upstream_port
        self._mode: Mode = "through"
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._delivers = threading.Event()
        self._delivers.set()
        self._listener = self._listen(0)
        self.port = int(self._listener.getsockname()[1])

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def set(self, mode: Mode) -> None:
        before, self._mode = self._mode, mode
        if mode == "late":
            self._delivers.clear()
        else:
            self._delivers.set()
        if mode == "refused":
            self._close_listener()
        elif before == "refused":
            self._listener = self._listen(self.port)
        if mode != "through":
            self._cut()

    def close(self) -> None:
        self._delivers.set()
        self._close_listener()
        self._cut()

    def _close_listener(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _cut(self) -> None:
        with self._lock:
            sockets, self._open = list(self._open), set()
        for each in sockets:
            with suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if self._mode == "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", self._upstream)) as server:
            with self._lock:
                self._open |= {client, server}
            back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
            back.start()
            self._pump(client, server)
            back.join()
            with self._lock:
                self._open -= {client, server}

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        """Until either end is closed. A stream in which something was lost carries nothing any more."""
        is_whole = True
        with suppress(OSError):
            while data := source.recv(65_536):
                is_whole = is_whole and self._mode != "silent"
                self._delivers.wait()
                if is_whole:
                    target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def outage_proxy(upstream_port: int) -> Iterator[OutageProxy]:
    proxy = OutageProxy(upstream_port)
    try:
        yield proxy
    finally:
        proxy.close()
