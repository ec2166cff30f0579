"""A list that is written as a text: JSON, Python's or PostgreSQL's, or words between separators.

Every scan is one pass: a hostile text costs its length.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

_QUOTED = re.compile(
    r"[uUbB]?(?:\"((?:[^\"\\]|\\.|\"\")*+)\"|'((?:[^'\\]|\\.)*+)')\s*+(?:[,;，；、]\s*+|$|(?=[\"']))",
    re.DOTALL,
)
_BARE = re.compile(r"([^,;，；、\"']++)(?:[,;，；、]\s*+|$)")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\n", "b": "", "f": "\n", "/": "/"}
_MOST_OBJECTS = 10_000
"""Characters that Python's own parser is given."""
_BRACKETS = {"[": "]", "(": ")", "{": "}"}


def quoted_items(text: str) -> list[str] | None:
    """The items of a list in which at least one is between quotes, in brackets or without, such as
    ``["a", "b"]``, ``['a' 'b']``, ``{a,"b, c"}`` and ``"2,4-D", water``; None if it is none."""
    text = text.strip()
    inner = text
    if text[:4] == "set(" and text.endswith(")"):
        inner = text[4:-1].strip()
    if inner and _BRACKETS.get(inner[0]) == inner[-1:] and len(inner) > 1:
        inner = inner[1:-1].strip()
    if "\\u" in inner and (items := _as_json(text)) is not None:
        return items
    return _items(inner)


def objects_in(text: str) -> list[Any] | None:
    """A list of objects as text, JSON's or Python's; None if it is none, or long."""
    if text[:2] != "[{" or len(text) > _MOST_OBJECTS:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if "\\" in text:  # which Python may warn of
            return None
        try:
            value = ast.literal_eval(text)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            return None
    return value if isinstance(value, list) and all(isinstance(each, dict) for each in value) else None


def in_brackets(text: str) -> str:
    """What is between the brackets of a list that has no quotes, ``[a, b]`` or ``{a,b}``; else the text."""
    if len(text) < 2 or text[0] not in "[{" or _BRACKETS[text[0]] != text[-1]:
        return text
    inner = text[1:-1]
    return text if any(bracket in inner for bracket in text[0] + text[-1]) else inner.strip()


def _as_json(text: str) -> list[str] | None:
    """JSON's escapes come in pairs for characters beyond 16 bits."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    known = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return value if known else None


def _items(text: str) -> list[str] | None:
    items: list[str] = []
    at, quoted = 0, False
    while at < len(text):
        if found := _QUOTED.match(text, at):
            double, single = found[1], found[2]
            items.append(_plain((double if single is None else single).replace('""', '"')))
            quoted = True
        elif found := _BARE.match(text, at):
            items.append(found[1].strip())
        else:
            return None
        at = found.end()
    return items if quoted else None


def _plain(text: str) -> str:
    return _ESCAPE.sub(_character, text) if "\\" in text else text


def _character(found: re.Match[str]) -> str:
    sign = found[1]
    if len(sign) > 1:
        return chr(int(sign[1:], 16))
    return _ESCAPED.get(sign, sign)
