"""The error that a reply names: in a refusal's body, or inside of a body that came with status 200."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from handlers.llm.limits.rate_headers import MAX_WAIT, duration
from handlers.llm.reply_body import read_body

_MAX_BODY = 65_536
_MAX_MESSAGE = 4_096
_MAX_WORD = 100
_CODES = ("code", "type", "status", "param", "error_code", "errcode", "err_code", "status_code", "reason")
_MESSAGES = (
    "message",
    "detail",
    "error",
    "msg",
    "raw",
    "status_msg",
    "error_msg",
    "errmsg",
    "error_message",
    "failed_generation",
)
_INSIDE = ("error", "errors", "detail", "details", "innererror", "metadata", "base_resp", "ResponseMetadata")
_FINE = frozenset(
    ("", "0", "200", "ok", "success", "succeeded", "none", "20000", "0000", "completed", "active")
)
_FAILED = frozenset(("error", "failed", "failure", "fail"))
_PAGE = ("<!doctype", "<html", "<head", "<?xml", "<body")
_DEEPEST = 4


@dataclass(frozen=True)
class ErrorBody:
    """The error as the body tells it. ``words`` has its codes, types and statuses, in lower case; the code of
    MiniMax's ``base_resp`` with that name before it, as other providers mean other things by its numbers."""

    words: frozenset[str]
    message: str
    delay: float | None = None
    """Seconds, of Google's ``retryDelay``."""
    status: int = 0
    """Its code, where that is a status of HTTP's."""
    page: bool = False
    """True of a web page, which no API sends."""

    def says(self, phrases: tuple[str, ...]) -> bool:
        text = self.message.lower()
        return any(phrase in text for phrase in phrases)


def read_error(body: bytes, content_type: str = "") -> ErrorBody:
    """The error in any of the shapes that OpenAI-compatible APIs use; plain text is its own message."""
    body = body[:_MAX_BODY]
    data = read_body(body).data
    if isinstance(data, dict | list):
        return error_in(data)
    text = data if isinstance(data, str) else body.decode("utf-8", "replace")
    return _of_text(text, content_type)


def stated_error(data: Any) -> ErrorBody | None:
    """The error inside of a body with status 200; None if it names none. An answer that is whole has none."""
    if isinstance(data, str):
        return _of_text(data, "")
    if not isinstance(data, dict):
        return None
    choices = data.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if isinstance(first, dict) and isinstance(first.get("error"), dict | str) and first["error"]:
        return error_in({"error": first["error"]})
    response = data.get("base_resp")
    if isinstance(response, dict) and _is_failure(response.get("status_code")):
        return error_in({"base_resp": response})
    if data.get("error") or data.get("errors"):
        return error_in(data)
    return error_in(data) if not choices and _tells_of_failure(data) else None


def error_in(data: Any) -> ErrorBody:
    """The error of a body's JSON."""
    words: dict[str, None] = {}
    messages: list[str] = []
    delays: list[float] = []
    for level in _levels(data):
        apart = "base_resp:" if "status_msg" in level else ""
        for name, value in level.items():
            if name in _CODES and isinstance(value, str | int) and not isinstance(value, bool):
                words[apart + _word(value)] = None
            elif name == "error" and isinstance(value, int) and not isinstance(value, bool):
                words[_word(value)] = None
            elif name in _MESSAGES and isinstance(value, str):
                messages.append(value[:_MAX_MESSAGE])
            elif name == "retryDelay" and isinstance(value, str):
                delays.append(duration(value, now=0.0) or 0.0)
    delay = min(MAX_WAIT, max(delays)) if delays else None
    status = next((int(word) for word in words if _is_status(word)), 0)
    return ErrorBody(frozenset(words), " ".join(messages)[:_MAX_MESSAGE], delay, status)


def is_page(text: str, content_type: str = "") -> bool:
    """True of a web page."""
    return text.lstrip("\ufeff \t\r\n")[:20].lower().startswith(_PAGE) or "text/html" in content_type.lower()


def _of_text(text: str, content_type: str) -> ErrorBody:
    return ErrorBody(frozenset(), text[:_MAX_MESSAGE], page=is_page(text, content_type))


def _tells_of_failure(data: dict[str, Any]) -> bool:
    """A body without choices that says of itself that it is an error."""
    if data.get("success") is False or data.get("object") == "error" or data.get("type") == "error":
        return True
    if str(data.get("status", "")).lower()[:_MAX_WORD] in _FAILED:
        return True
    failed = any(
        _is_failure(data.get(name)) for name in ("code", "error_code", "errcode", "err_code", "status")
    )
    texts = any(isinstance(data.get(name), str) and data[name] for name in _MESSAGES)
    return texts and (failed or not (data.get("id") or data.get("usage") or data.get("object")))


def _is_failure(code: object) -> bool:
    """True of a code that does not say that all went well."""
    if isinstance(code, bool) or not isinstance(code, str | int):
        return False
    return _word(code) not in _FINE


def _word(value: str | int) -> str:
    # An integer of thousands of digits has no text.
    short = value if isinstance(value, str) or abs(value) < 10**18 else 10**18
    return str(short)[:_MAX_WORD].strip().lower()


def _is_status(word: str) -> bool:
    return len(word) == 3 and word.isascii() and word.isdecimal() and "400" <= word <= "599"


def _levels(data: object, depth: int = 0) -> Iterator[dict[str, Any]]:
    """The objects in which errors are told: the body, its ``error``, the first few of lists."""
    if depth > _DEEPEST:
        return
    if isinstance(data, list):
        for item in data[:5]:
            yield from _levels(item, depth + 1)
    elif isinstance(data, dict):
        yield data
        for name in _INSIDE:
            yield from _levels(data.get(name), depth + 1)
        if isinstance(data.get("Error"), dict):
            yield from _levels({name.lower(): each for name, each in data["Error"].items()}, depth + 1)
