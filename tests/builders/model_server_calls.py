"""Calls to a model server by nothing but the standard library's HTTP client."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from handlers.model_server import RunningServer, ServerSettings
from handlers.model_server.server_settings import FIXED

SEGMENTS = {"title": "水稻的研究", "abstract": "本文研究了⟦0⟧的三种方法，准确率提高12.5%，其中⟦1⟧为常数。"}
DEFAULTS = ServerSettings(mode="canned").model_dump(mode="json")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def content(self) -> str:
        text: str = self.body["choices"][0]["message"]["content"]
        return text


def call(server: RunningServer, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
    address = urlsplit(server.base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, json.loads(response.read()))
    finally:
        connection.close()


def chat(server: RunningServer, user: str = "", *, key: str = "", **extra: object) -> Answer:
    user = user or json.dumps({"target_language": "en", "segments": SEGMENTS}, ensure_ascii=False)
    messages = [{"role": "system", "content": "Translate."}, {"role": "user", "content": user}]
    body = json.dumps({"model": "m", "messages": messages} | extra).encode()
    return call(server, "POST", "/v1/chat/completions", body, Authorization=f"Bearer {key}")


def reset(server: RunningServer) -> RunningServer:
    """Back at the defaults, so that one server does for many tests."""
    server.control(**{name: value for name, value in DEFAULTS.items() if name not in FIXED})
    return server


def grown(server: RunningServer, before: dict[str, Any], name: str) -> int:
    after: int = server.stats()[name]
    return after - int(before[name])


def raw(server: RunningServer, *pieces: bytes) -> bytes:
    """Send pieces, then read until the server closes."""
    address = urlsplit(server.base_url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=60) as sock:
        for piece in pieces:
            sock.sendall(piece)
        answer = b""
        while data := received(sock):
            answer += data
    return answer


def received(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65536)
    except ConnectionResetError:
        return b""


def eventually(condition: object, seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if callable(condition) and condition():
            return True
        time.sleep(0.01)
    return False


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
