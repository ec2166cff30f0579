"""A local server that hears what a webhook is told."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Ear:
    address: str = ""
    heard: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    answering: threading.Event = field(default_factory=threading.Event)

    @property
    def kinds(self) -> list[str]:
        return [heard["event"] for heard in self.heard]


@contextmanager
def listening() -> Iterator[Ear]:
    """As long as the block."""
    ear = Ear()
    ear.answering.set()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            ear.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            ear.answering.wait(30)
            self.send_response(ear.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        ear.address = f"http://127.0.0.1:{server.server_address[1]}/secret-token"
        yield ear
        ear.answering.set()
        server.shutdown()
        thread.join()
