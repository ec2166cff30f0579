"""The server as a process beside this one, which dies when this one does."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from handlers.errors import UsageError
from handlers.model_server.server_settings import ServerSettings

_STOP_SECONDS = 5.0
_STARTER = Path(__file__).parents[2] / "paperfleet.py"


class RunningServer:
    """A model server in a process of its own; a context manager that stops it."""

    def __init__(
        self, process: subprocess.Popen[bytes], base_url: str, certificate: Path | None = None
    ) -> None:
        self._process = process
        self._certificate = certificate
        self.base_url = base_url

    @property
    def pid(self) -> int:
        return self._process.pid

    def stats(self) -> dict[str, Any]:
        """``GET /stats``."""
        return self._call("GET", "/stats", None)

    def control(self, **changes: object) -> dict[str, Any]:
        """``POST /control``: change settings in mid-run; returns all of them. UsageError if refused."""
        return self._call("POST", "/control", json.dumps(changes, default=str).encode())

    def stop(self) -> None:
        """End it and wait; harmless when it is gone already."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _call(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        address = urlsplit(self.base_url)
        connection = self._connection(address.hostname or "", address.port)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise UsageError(str(answer["error"]["message"]))
        return answer

    def _connection(self, host: str, port: int | None) -> HTTPConnection:
        if self._certificate is None:
            return HTTPConnection(host, port, timeout=30)
        context = ssl.create_default_context(cafile=self._certificate)
        return HTTPSConnection(host, port, timeout=30, context=context)

    def __enter__(self) -> RunningServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(settings: ServerSettings) -> RunningServer:
    """Start a server and wait until it listens. UsageError if it cannot (port taken, no dictionary).

    The settings go through a pipe, for arguments show in process listings and one of them is a key; the
    pipe stays open as a lifeline. The session is its own, so that Ctrl-C lets the client drain first.
    """
    process = subprocess.Popen(  # noqa: S603 - no shell: this interpreter and this package's own file
        [sys.executable, "-P", _STARTER, "handlers.model_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    if process.stdin is None or process.stdout is None:
        raise AssertionError("pipes were asked for")
    process.stdin.write(settings.model_dump_json().encode() + b"\n")
    process.stdin.flush()
    line = process.stdout.readline()
    message: dict[str, str] = (
        json.loads(line) if line else {"error": "the model server ended before it listened"}
    )
    server = RunningServer(process, message.get("base_url", ""), settings.tls_certificate)
    if "base_url" not in message:
        server.stop()
        raise UsageError(message["error"])
    return server
