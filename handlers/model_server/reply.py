"""What the routes hand to the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

encoded = json.JSONEncoder(ensure_ascii=False).encode
"""``json.dumps`` with characters as they are, without a new encoder for every call."""

Ending = Literal["whole", "reset", "stall", "truncated", "hung_up", "no_last_chunk"]
"""``hung_up``: closed before any byte; ``no_last_chunk``: all of the body in chunks, and no end of them."""


@dataclass(frozen=True)
class HttpRequest:
    """One request, whole. ``headers`` has lower-case names."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class ServerReply:
    """An answer and how it is sent: after ``delay`` seconds, with lines of ``headers`` ending in CRLF."""

    status: int
    body: bytes
    headers: str = ""
    delay: float = 0.0
    ending: Ending = "whole"
    on_end: Callable[[bool], None] | None = None
    """Called once: True when all of it was written, False when the connection went before."""
    content_type: str = "application/json"


def json_reply(status: int, value: object, *, headers: str = "", delay: float = 0.0) -> ServerReply:
    return ServerReply(status, encoded(value).encode("utf-8", "replace"), headers, delay)


def error_reply(
    status: int,
    message: str,
    *,
    kind: str = "invalid_request_error",
    code: str | None = None,
    headers: str = "",
) -> ServerReply:
    """An error in the form that OpenAI's API gives it."""
    error = {"message": message, "type": kind, "param": None, "code": code}
    return json_reply(status, {"error": error}, headers=headers)
