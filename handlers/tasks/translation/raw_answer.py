"""From a model's raw answer to the texts asked for: strict JSON, mended where only one reading is possible.

The answer is hostile: every step is linear in its length, and nothing here raises for any input.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

MAX_CHARACTERS = 4_000_000
"""Longer answers are not read at all."""

_CANDIDATES = 8
_NUMBER = object()
_STRING_END = re.compile(r'"\s*,?\s*}?\s*(?:`{3,})?\s*\Z')
_STRING_OR_COMMA = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|,(?=\s*+[}\]])', re.DOTALL)
_BACKSLASH = re.compile(r'\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt]|)')
_BARE_QUOTE = re.compile(r'\\.|"', re.DOTALL)
_LATEX_ESCAPE = re.compile(r"[\b\f](?=[A-Za-z])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True)
class ParsedAnswer:
    """What could be read. ``fields`` is None when there is no JSON object; otherwise it has the keys
    asked for that came as texts. ``problem`` is a sentence, "" when every key asked for is there."""

    fields: dict[str, str] | None
    problem: str = ""
    missing: frozenset[str] = frozenset()
    extra: tuple[str, ...] = ()
    truncated: bool = False
    """It ends in the middle of the object."""
    mended: bool = False


class _RepeatedKeyError(ValueError):
    """An object names a key twice: which one is meant cannot be known."""


@dataclass
class _Reading:
    value: dict[str, Any] | None = None
    problem: str = ""
    mended: bool = field(default=False)


def parse(content: str, keys: Collection[str]) -> ParsedAnswer:
    """Read the texts of ``keys`` out of a raw answer. Never raises."""
    if len(content) > MAX_CHARACTERS:
        return ParsedAnswer(None, "The answer is far longer than the text.", frozenset(keys))
    text = _without_thoughts(content.lstrip("\ufeff \t\r\n").rstrip())
    reading = _read(text, keys)
    if reading.value is None:
        truncated = "{" in text and not text.endswith(("}", "```"))
        return ParsedAnswer(None, reading.problem, frozenset(keys), truncated=truncated)
    return _texts(_unwrapped(reading.value, keys), keys, mended=reading.mended)


def _without_thoughts(text: str) -> str:
    """Only a leading block is one: a paper may write about ``<think>``."""
    if not text.startswith("<think>"):
        return text
    return text.partition("</think>")[2].lstrip("\ufeff \t\r\n")


def _read(text: str, keys: Collection[str]) -> _Reading:
    start = text.find("{")
    if start < 0:
        return _Reading(problem="The answer is not a JSON object.")
    try:
        value = _first_object(text, start, keys)
        if value is not None:
            return _Reading(value, mended=start > 0 or not text.endswith("}"))
        value = _first_object(_repaired(text[start:]), 0, keys) or _by_known_keys(text, keys)
    except _RepeatedKeyError as error:
        return _Reading(problem=f"The JSON object has the key {str(error)[:80]!r} more than once.")
    if value is None:
        return _Reading(problem="The answer is not a valid JSON object.")
    return _Reading(value, mended=True)


def _first_object(text: str, start: int, keys: Collection[str]) -> dict[str, Any] | None:
    """The first object that has a key asked for; else the first one; None if none can be read."""
    spare = None
    for _ in range(_CANDIDATES):
        value, end = _decoded(text, start)
        if value is not None and _has_keys(value, keys):
            return value
        spare = spare or value
        start = text.find("{", max(end, start + 1))
        if start < 0:
            break
    return spare


def _decoded(text: str, start: int) -> tuple[dict[str, Any] | None, int]:
    try:
        value, end = _DECODER.raw_decode(text, start)
    except _RepeatedKeyError:
        raise
    except (ValueError, RecursionError):
        return None, start
    return (value if isinstance(value, dict) else None), end


def _has_keys(value: dict[str, Any], keys: Collection[str]) -> bool:
    return any(key in _unwrapped(value, keys) for key in keys)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _RepeatedKeyError(key)
            seen.add(key)
    return value


def _number(_: str) -> object:
    """Numbers are no texts, and reading a million digits as one would take for ever."""
    return _NUMBER


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_number, parse_float=_number, parse_constant=_number, strict=False
)


def _repaired(text: str) -> str:
    """Backslashes that start no JSON escape doubled, trailing commas dropped."""
    return _STRING_OR_COMMA.sub(lambda match: "" if match[0] == "," else match[0], _doubled(text))


def _by_known_keys(text: str, keys: Collection[str]) -> dict[str, Any] | None:
    """Texts with bare quotes inside: the keys are known, so the texts lie between them. Only if each
    key stands there exactly once and the object is closed."""
    names = "|".join(re.escape(json.dumps(key, ensure_ascii=False)[1:-1]) for key in keys)
    marks = list(re.finditer(rf'"({names})"\s*+:\s*+"', text)) if names else []
    if len(marks) != len(keys) or len({mark[1] for mark in marks}) != len(keys):
        return None
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    value: dict[str, Any] = {}
    for mark, end in zip(marks, ends, strict=True):
        string = _between(text[mark.end() : end], last=end == len(text))
        if string is None:
            return None
        value[json.loads(f'"{mark[1]}"')] = string
    return value


def _between(raw: str, *, last: bool) -> str | None:
    tail = raw[-64:]
    ending = _STRING_END.search(tail) if not last or "}" in tail else None
    if ending is None:
        return None
    body = raw[: len(raw) - len(tail) + ending.start()]
    quoted = _BARE_QUOTE.sub(lambda mark: '\\"' if mark[0] == '"' else mark[0], body)
    try:
        value = json.loads(f'"{_doubled(quoted)}"', strict=False)
    except ValueError:
        return None
    return str(value)


def _doubled(text: str) -> str:
    """Backslashes that start no JSON escape doubled."""
    return _BACKSLASH.sub(lambda match: match[0] if len(match[0]) > 1 else "\\\\", text)


def _unwrapped(value: dict[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """``{"translation": {...}}`` and ``{"keywords": [...]}`` are read as what they plainly mean."""
    if len(value) == 1 and not any(key in value for key in keys):
        (inner,) = value.values()
        value = inner if isinstance(inner, dict) else value
    listed = value.get("keywords")
    wanted = [key for key in keys if key.startswith("keywords/")]
    if isinstance(listed, list) and len(listed) == len(wanted) and "keywords" not in keys:
        rest = {key: item for key, item in value.items() if key != "keywords"}
        return {**dict(zip(wanted, listed, strict=True)), **rest}
    return value


def _texts(value: dict[str, Any], keys: Collection[str], *, mended: bool) -> ParsedAnswer:
    fields: dict[str, str] = {}
    problems: list[str] = []
    for key in keys:
        item = value.get(key)
        if isinstance(item, str) and item.isprintable():
            fields[key] = item.strip()
        elif not isinstance(item, str):
            problems.append(f'The key "{key}" is {"not a text" if key in value else "missing"}.')
        elif _SURROGATE.search(item):
            problems.append(f'The text of "{key}" has half a surrogate pair.')
        else:
            fields[key] = _clean(item)
    extra = tuple(str(key)[:80] for key in value if key not in keys)
    missing = frozenset(key for key in keys if key not in fields)
    return ParsedAnswer(fields, " ".join(problems[:8]), missing, extra[:8], mended=mended)


def _clean(text: str) -> str:
    r"""``\beta`` and ``\frac`` written with one backslash are valid JSON, of another meaning."""
    latex = _LATEX_ESCAPE.sub(lambda match: "\\b" if match[0] == "\b" else "\\f", text)
    return _CONTROL.sub("", latex).strip()
