"""The JSON of a reply's body, whatever it came wrapped in.

Gateways put comment lines before it, send an event stream that nobody asked for, glue a stream's end onto a
whole completion, send a line of JSON a chunk, or break a character. A body is hostile: it is read in linear
time, and what is no JSON is None.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

_DECODER = json.JSONDecoder()
_INNER = ("data", "result", "response", "output", "body", "completion")
"""Names under which gateways put the completion of the API behind them."""
_MARKS = ("event:", "id:", "retry:", ":")
"""What begins a line of an event stream that carries no data."""
_DONE = "[DONE]"
_LEAD = re.compile(r"\s*(data:[ \t]*)?")


@dataclass(frozen=True)
class ReplyBody:
    """``data``: the body's JSON, the parts of a stream put together; None if there is none. ``whole`` is
    False for a stream that ended without saying so."""

    data: Any
    whole: bool = True


def read_body(body: bytes) -> ReplyBody:
    """Never raises."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "replace").lstrip("\ufeff")
        return _wrapped(text.replace("\r\n", "\n") if "\r" in text else text)
    if isinstance(data, dict) and data.get("choices") and "delta" not in _first(data):
        return ReplyBody(data)
    return _put_together([data] if not isinstance(data, list) else data, ended=False)


def _wrapped(text: str) -> ReplyBody:
    parts: list[Any] = []
    ended = False
    for part in _values(text):
        if part is _DONE:
            ended = True
        else:
            parts += part if isinstance(part, list) else [part]
    return _put_together(parts, ended=ended) if parts else ReplyBody(None)


def _values(text: str) -> Iterator[Any]:
    """Each JSON value of a text in which comments, blank lines and the fields of an event stream stand
    between them, and ``_DONE``. It ends at the first that is broken."""
    at = 0
    while at < len(text):
        lead = _LEAD.match(text, at)
        start = lead.end() if lead else at
        event = bool(lead and lead.group(1))
        if text.startswith(_DONE, start):
            yield _DONE
            end = start + len(_DONE)
        elif text.startswith(("{", "[", '"'), start):
            try:
                value, end = _DECODER.raw_decode(text, start)
            except (ValueError, RecursionError):
                value, end = _event(text, start) if event else (None, len(text))
                if value is None:
                    return
            yield value
        else:
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
        at = _next(text, end)


def _next(text: str, end: int) -> int:
    """Where to read on: values may stand on one line."""
    while end < len(text) and text[end] in " \t\r\n,":
        end += 1
    return end


def _event(text: str, start: int) -> tuple[Any, int]:
    """The value of an event whose data has several lines; (None, _) if it is broken."""
    end = text.find("\n\n", start)
    end = len(text) if end < 0 else end
    lines = text[start:end].splitlines()
    joined = "\n".join(line.removeprefix("data:") for line in lines if not line.startswith(_MARKS))
    with suppress(ValueError, RecursionError):
        return json.loads(joined), end
    return None, end


def _put_together(parts: list[Any], *, ended: bool) -> ReplyBody:
    """One completion of a stream's parts; a single part stays as it is."""
    objects = [part for part in (_unwrapped(each) for each in parts) if isinstance(part, dict)]
    if not objects:
        return ReplyBody(parts[0] if len(parts) == 1 else None)
    streamed = any("delta" in _first(each) for each in objects)
    if len(objects) == 1 and not streamed:
        return ReplyBody(objects[0])
    whole: dict[str, Any] = {}
    texts: dict[str, list[str]] = {}
    for each in objects:
        _add(whole, texts, each)
    choices = whole.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if isinstance(choice, dict):
        stated = choice.get("message")
        message = dict(stated) if isinstance(stated, dict) else {}
        choice["message"] = message | {name: "".join(pieces) for name, pieces in texts.items()}
        ended = ended or choice.get("finish_reason") is not None
    return ReplyBody(whole, ended or not streamed)


def _add(whole: dict[str, Any], texts: dict[str, list[str]], part: dict[str, Any]) -> None:
    """One more part: what it states goes over what was there, its text goes behind it."""
    choice = _first(part)
    for name, value in part.items():
        if name != "choices" and (value is not None or name not in whole):
            whole[name] = value
    if not choice or choice.get("index", 0) not in (0, None):
        whole.setdefault("choices", part.get("choices"))
        return
    if not _first(whole):
        whole["choices"] = [{}]
    kept: dict[str, Any] = whole["choices"][0]
    kept.update({name: value for name, value in choice.items() if name != "delta" and value is not None})
    delta = choice.get("delta")
    for name, value in delta.items() if isinstance(delta, dict) else ():
        if isinstance(value, list) and name == "content":
            value = "".join(str(each.get("text", "")) for each in value if isinstance(each, dict))
        if isinstance(value, str) and name != "role":
            texts.setdefault(name, []).append(value)


def _unwrapped(data: Any) -> Any:
    """The completion inside of a gateway's own object or text, one level deep; the same if there is none."""
    if isinstance(data, str):
        data = _parsed(data)
    if not isinstance(data, dict) or data.get("choices") or data.get("error"):
        return data
    for name in _INNER:
        inner = _parsed(value) if isinstance(value := data.get(name), str) else value
        if isinstance(inner, dict) and isinstance(inner.get("choices"), list):
            return {key: each for key, each in data.items() if key != name} | inner
    return data


def _parsed(text: str) -> Any:
    if text.lstrip()[:1] not in ("{", "["):
        return text
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return text


def _first(data: Any) -> dict[str, Any]:
    choices = data.get("choices") if isinstance(data, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}
