"""A real HTTP server on loopback whose every byte is written by the test."""

from __future__ import annotations

import json
import random
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any


class RealClock:
    """Time as it is: what goes over a wire takes some."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def random(self) -> float:
        return random.random()


@dataclass(frozen=True)
class WireRequest:
    """``number`` counts all requests from 0, ``connection`` the connections."""

    number: int
    connection: int
    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        data = json.loads(self.body)
        assert isinstance(data, dict)
        return data


class Conversation:
    """What a script may do with the connection that a request came in on."""

    def __init__(self, sock: socket.socket, over: threading.Event) -> None:
        self._socket = sock
        self._over = over

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def drip(self, data: bytes, pause: float) -> None:
        """Byte for byte, until the client goes away or the server is closed."""
        for position in range(len(data)):
            self.send(data[position : position + 1])
            if self._over.wait(pause):
                return

    def be_silent(self) -> None:
        """Say nothing until the server is closed."""
        self._over.wait(30)

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def reset(self) -> None:
        """End it with a TCP reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(self._socket.detach())


Script = Callable[[WireRequest, Conversation], None]


class WireServer:
    """Plays ``script`` for each request; ``requests`` has all of them, ``ended`` counts clients' ends."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[WireRequest] = []
        self.arrived = threading.Semaphore(0)
        self.ended = threading.Semaphore(0)
        self._script = script
        self._tls = tls
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> WireServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock, len(self._threads)))
            self._sockets.append(sock)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, connection: int) -> None:
        try:
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with sock, sock.makefile("rb") as reader:
                while (request := self._read(reader, connection)) is not None:
                    self.arrived.release()
                    self._script(request, Conversation(sock, self._over))
        except (OSError, ValueError):
            pass
        finally:
            sock.close()
            self.ended.release()

    def _read(self, reader: Any, connection: int) -> WireRequest | None:
        line = reader.readline().decode("latin-1").strip()
        if not line:
            return None
        headers: dict[str, str] = {}
        while text := reader.readline().decode("latin-1").strip():
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        body = reader.read(int(headers.get("content-length", "0")))
        with self._lock:
            request = WireRequest(len(self.requests), connection, line, headers, body)
            self.requests.append(request)
        return request


def response(status: int, body: bytes | dict[str, Any], headers: dict[str, str] | None = None) -> bytes:
    """A whole HTTP/1.1 response."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"content-type": "application/json", "content-length": str(len(data)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode("latin-1") + data


def completion(content: object = "你好", **changes: Any) -> dict[str, Any]:
    """The body of a chat completion."""
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "wire-1",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }
    return {**body, **changes}


def error(message: str, **fields: Any) -> dict[str, Any]:
    """An error as OpenAI words it."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, **fields}}


def always(data: bytes) -> Script:
    """Answer every request with the same bytes."""
    return lambda _request, conversation: conversation.send(data)


def in_turn(*replies: bytes) -> Script:
    """Answer the first request with the first reply ..., all later ones with the last."""
    return lambda request, conversation: conversation.send(replies[min(request.number, len(replies) - 1)])
