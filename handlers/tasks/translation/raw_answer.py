"""From a model's raw answer to the texts asked for: strict JSON, mended where only one reading is possible.

The answer is hostile: every step is linear in its length, and nothing here raises for any input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from handlers.rare_pattern import rare_pattern
from handlers.tasks.translation.reading.as_meant import DamagedTextError, as_meant
from handlers.tasks.translation.reading.json_objects import (
    RepeatedKeyError,
    all_decoded,
    decoded,
    repaired,
    string_at,
)
from handlers.tasks.translation.reading.known_keys import by_known_keys, by_names, has_members
from handlers.tasks.translation.reading.shapes import Shape, Shapes
from handlers.tasks.translation.reading.thoughts import Spoken, spoken

MAX_CHARACTERS = 4_000_000
"""Longer answers are not read at all."""

_SPACE = "\ufeff \t\r\n"
_RETHINKS = rare_pattern(
    r"\b(?:wait|hmm+|actually|reconsider|double-check|on second thought|let me(?! know)|let's|"
    r"i (?:should|need to|must|will now)|revised?)\b|等等|不对|让我|再检查|重新",
    re.IGNORECASE,
)
_LONGEST_REMARK = 20_000
_WORD = re.compile(r"\w")
_DEEPEST = 2
_FIRST_BRACE = re.compile(r"\[\s*+\{|\{")
_FENCES = re.compile(r"\A`{3,}\w{0,10}\s*|\s*`{3,}\Z")
_JSON_INSIDE = re.compile(r"\s*(?:`{3,}\w{0,10}\s*)?[\[{]")
_NO_OBJECT = "The answer is not a JSON object."
_INVALID = "The answer is not a valid JSON object."
_DRAFT = "The answer goes on after its JSON object as if that were a draft."


@dataclass(frozen=True)
class ParsedAnswer:
    """What could be read. ``fields`` is None when there is no JSON object; otherwise it has the keys
    asked for that came as texts. ``problem`` is a sentence, "" when every key asked for is there."""

    fields: dict[str, str] | None
    problem: str = ""
    missing: frozenset[str] = frozenset()
    extra: tuple[str, ...] = ()
    truncated: bool = False
    """It ends in the middle of the object, or of thoughts."""
    mended: bool = False


class _UnreadError(Exception):
    """Why nothing is taken from an answer."""

    def __init__(self, problem: str, *, truncated: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.truncated = truncated


def parse(content: str, sources: Mapping[str, str]) -> ParsedAnswer:
    """Read the translations of masked source texts by key out of a raw answer. Never raises."""
    if len(content) > MAX_CHARACTERS:
        return ParsedAnswer(None, "The answer is far longer than the text.", frozenset(sources))
    text = content.strip(_SPACE)
    try:
        plain = _plain(text, sources)
        if plain is not None:
            return _texts(plain, sources, [key[:80] for key in plain if key not in sources], mended=False)
        shape = _read(spoken(text), sources)
    except RepeatedKeyError as error:
        problem = f"The JSON object has the key {str(error)[:80]!r} more than once."
        return ParsedAnswer(None, problem, frozenset(sources))
    except _UnreadError as error:
        return ParsedAnswer(None, error.problem, frozenset(sources), truncated=error.truncated)
    named = {**dict.fromkeys(shape.unread), **shape.texts}
    return _texts(named, sources, shape.extra, mended=True)


def _plain(text: str, sources: Mapping[str, str]) -> dict[str, Any] | None:
    """The object, if the answer is nothing else and has all keys as they were asked for."""
    found = decoded(text) if text.startswith("{") else None
    if found is None or found.end != len(text) or not isinstance(found.value, dict):
        return None
    value = found.value
    return value if all(isinstance(value.get(key), str) for key in sources) else None


def _read(said: Spoken, sources: Mapping[str, str], depth: int = 0) -> Shape:
    """The last complete reading of what is said; else the parts that could be read."""
    if said.unfinished:
        raise _UnreadError("The answer ends in the middle of thoughts.", truncated=True)
    partial = Shape()
    for variant in _variants(said.text):
        shape, tail = _last(variant, sources)
        if shape.complete(sources):
            return _final(shape, tail, said, sources)
        partial = partial if partial.found else shape
    known = by_known_keys(said.text, sources) or by_names(said.text, sources)
    if known is not None:
        return Shape(known)
    if partial.found:
        return partial
    inner = _inside(said.text) if depth < _DEEPEST else None
    if inner is None:
        raise _unreadable(said.text)
    return _read(spoken(inner), sources, depth + 1)


def _variants(text: str) -> Iterator[str]:
    start = _FIRST_BRACE.search(text)
    if start is not None:
        yield text
        yield repaired(text[start.start() :])


def _last(text: str, sources: Mapping[str, str]) -> tuple[Shape, str]:
    """The last object with all texts and what stands after it, else the parts side by side."""
    shapes = Shapes(sources)
    last: tuple[Shape, int] | None = None
    parts: list[Shape] = []
    for found in all_decoded(text):
        shape = shapes.read(found.value)
        if shape.complete(sources):
            last = shape, found.end
        elif shape.found:
            parts.append(shape)
    return (last[0], text[last[1] :]) if last is not None else (shapes.union(parts), "")


def _final(shape: Shape, tail: str, said: Spoken, sources: Mapping[str, str]) -> Shape:
    """The shape, unless what stands after it is another answer or takes it back."""
    if has_members(tail, sources):
        later = _read(Spoken(tail), sources, _DEEPEST)
        if not later.complete(sources):
            raise _UnreadError(_DRAFT)
        return later
    remark = tail[:_LONGEST_REMARK]
    if _RETHINKS.search(remark) or (said.headed and _WORD.search(remark)):
        raise _UnreadError(_DRAFT)
    return shape


def _inside(text: str) -> str | None:
    """The answer as a string: JSON's own, one without its quotes, or a member's text."""
    bare = _FENCES.sub("", text)
    if bare.startswith('"'):
        return string_at(bare)
    if bare.startswith("{\\"):
        return string_at(f'"{bare}"')
    for found in all_decoded(text):
        members = found.value.values() if isinstance(found.value, dict) else ()
        for item in members:
            if isinstance(item, str) and _JSON_INSIDE.match(item):
                return item
    return None


def _unreadable(text: str) -> _UnreadError:
    if "{" not in text:
        return _UnreadError(_NO_OBJECT)
    return _UnreadError(_INVALID, truncated=not text.endswith(("}", "```")))


def _texts(
    named: Mapping[str, Any], sources: Mapping[str, str], extra: Sequence[str], *, mended: bool
) -> ParsedAnswer:
    fields: dict[str, str] = {}
    problems: list[str] = []
    for key, source in sources.items():
        item = named.get(key)
        if not isinstance(item, str):
            problems.append(f'The key "{key}" is {"not a text" if key in named else "missing"}.')
            continue
        try:
            fields[key] = as_meant(item, source)
        except DamagedTextError as error:
            problems.append(f'The text of "{key}" is damaged: {error}.')
    missing = frozenset(key for key in sources if key not in fields)
    return ParsedAnswer(fields, " ".join(problems[:8]), missing, tuple(extra[:8]), mended=mended)
