"""Prompts with ``{{ field }}`` in them: no language, one pass, and what a value holds is never read.

``{{ a }}``, ``{{ a.b }}``, ``{{ a | json }}``, ``{{ a | lines }}``, ``{{ a | first 4000 }}``, and
``{{? a }} ... {{/ a }}``, which is shown where ``a`` is not empty. ``{{ '{{' }}`` writes the braces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from handlers.domain.tasks.reads import is_filled, texts_of

_TAG = re.compile(r"""\{\{(\s*(?:'\}\}'|"\}\}")\s*|.{0,300}?)\}\}""")
_OPENING = re.compile(r"\{\{|\{%")
_LITERAL = re.compile(r"""['"](\{\{|\}\}|\{%|%\})['"]""")
_PATH = re.compile(r"\w[^{}|\"'\n\r\t]{0,199}")
_FIRST = re.compile(r"first\s+([0-9]{1,7})")
_DEEPEST = 8
_MOST_TAGS = 1_000
FILTERS = ("json", "lines", "first N")
THERE_IS = (
    "there is {{ field }}, {{ field | first 4000 }}, {{ field | json }}, {{ field | lines }}"
    " and {{? field }} ... {{/ field }}"
)

Lookup = Callable[[str], object]
"""A path such as ``a.b`` → the record's value; None if it has none."""


class TemplateError(Exception):
    """What is wrong with a template; ``line`` counts from 1 in its text."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line


@dataclass(frozen=True, slots=True)
class FieldSlot:
    """A place that a value is put into. ``first``: characters of it at most; ``form``: json or lines."""

    path: str
    form: str = ""
    first: int | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Shown where the value at ``path`` is not empty."""

    path: str
    parts: tuple[Part, ...]


Part = str | FieldSlot | Section


@dataclass(frozen=True)
class Template:
    """A prompt, compiled."""

    parts: tuple[Part, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """What it reads of a record, in the order of the text."""
        return tuple(dict.fromkeys(path for path, _ in _paths(self.parts, within=False)))

    @property
    def needed(self) -> tuple[str, ...]:
        """What of it stands outside of sections."""
        return tuple(dict.fromkeys(path for path, inner in _paths(self.parts, within=False) if not inner))

    @cached_property
    def _cut(self) -> Mapping[str, FieldSlot]:
        """Fields of which no more than the first characters are shown anywhere, with the longest place."""
        slots = sorted(
            _slots(self.parts), key=lambda each: float("inf") if each.first is None else each.first
        )
        return {
            path: each for path, each in {slot.path: slot for slot in slots}.items() if each.first is not None
        }

    def shown(self, path: str, value: object) -> str:
        """What the text shows of a value, as a check compares it."""
        cut = self._cut.get(path)
        return as_text(value) if cut is None else as_text(value, cut.form)[: cut.first]

    def render(self, lookup: Lookup) -> str:
        """The text with its values, each appended as it is."""
        pieces: list[str] = []
        _render(self.parts, lookup, pieces)
        return "".join(pieces)


def _paths(parts: tuple[Part, ...], *, within: bool) -> Iterator[tuple[str, bool]]:
    for part in parts:
        if isinstance(part, FieldSlot):
            yield part.path, within
        elif isinstance(part, Section):
            yield part.path, True
            yield from _paths(part.parts, within=True)


def _slots(parts: tuple[Part, ...]) -> Iterator[FieldSlot]:
    for part in parts:
        if isinstance(part, FieldSlot):
            yield part
        elif isinstance(part, Section):
            yield from _slots(part.parts)


def _render(parts: tuple[Part, ...], lookup: Lookup, pieces: list[str]) -> None:
    for part in parts:
        if isinstance(part, str):
            pieces.append(part)
        elif isinstance(part, FieldSlot):
            text = as_text(lookup(part.path), part.form)
            pieces.append(text if part.first is None else text[: part.first])
        elif is_filled(lookup(part.path)):
            _render(part.parts, lookup, pieces)


def as_text(value: object, form: str = "") -> str:
    """A value as a prompt says it: lists joined by ``; ``, objects as JSON, nothing for None."""
    if isinstance(value, str) and form != "json":
        return value
    if value is None and form != "json":
        return ""
    if isinstance(value, bool) and form != "json":
        return "yes" if value else "no"
    if isinstance(value, list | tuple) and form != "json":
        return ("\n" if form == "lines" else "; ").join(
            each if isinstance(each, str) else _as_json(each) for each in value if each is not None
        )
    return _as_json(value)


def _as_json(value: object) -> str:
    """What is nested too deep for JSON is told by its words."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (RecursionError, ValueError):
        return "; ".join(texts_of(value))


def compiled(text: str) -> Template:
    """TemplateError if it is none."""
    stack: list[tuple[str, int, list[Part]]] = [("", 0, [])]
    at = tags = 0
    while (opening := _OPENING.search(text, at)) is not None:
        start = opening.start()
        line = text.count("\n", 0, start) + 1
        if opening[0] == "{%":
            raise TemplateError(line, f"`{{%` is no part of a template: {THERE_IS}")
        match = _TAG.match(text, start)
        tags += 1
        if match is None or tags > _MOST_TAGS:
            why = (
                "`{{` has no `}}` near it; write {{ '{{' }} for the braces"
                if match is None
                else "too many tags"
            )
            raise TemplateError(line, why)
        _append(stack[-1][2], text[at:start])
        _take(match[1].strip(), line, stack)
        at = match.end()
    if len(stack) > 1:
        raise TemplateError(stack[-1][1], f"{{{{? {stack[-1][0]} }}}} has no {{{{/ {stack[-1][0]} }}}}")
    _append(stack[0][2], text[at:])
    return Template(tuple(stack[0][2]))


def _append(parts: list[Part], text: str) -> None:
    if text:
        parts.append(text)


def _take(inner: str, line: int, stack: list[tuple[str, int, list[Part]]]) -> None:
    """One tag's inside."""
    if literal := _LITERAL.fullmatch(inner):
        stack[-1][2].append(literal[1])
    elif inner.startswith("?"):
        if len(stack) > _DEEPEST:
            raise TemplateError(line, f"sections in sections go {_DEEPEST} deep at most")
        stack.append((_path(inner[1:], line), line, []))
    elif inner.startswith("/"):
        path = _path(inner[1:], line)
        if stack[-1][0] != path or len(stack) == 1:
            opened = f"{{{{? {stack[-1][0]} }}}} is open" if len(stack) > 1 else "nothing is open"
            raise TemplateError(line, f"{{{{/ {path} }}}} closes nothing: {opened}")
        name, _, parts = stack.pop()
        stack[-1][2].append(Section(name, tuple(parts)))
    else:
        stack[-1][2].append(_slot(inner, line))


def _slot(inner: str, line: int) -> FieldSlot:
    name, *filters = [each.strip() for each in inner.split("|")]
    slot = FieldSlot(_path(name, line))
    for each in filters:
        if first := _FIRST.fullmatch(each):
            slot = FieldSlot(slot.path, slot.form, int(first[1]))
        elif each in ("json", "lines"):
            slot = FieldSlot(slot.path, each, slot.first)
        else:
            raise TemplateError(line, f"unknown filter {each[:40]!r}; there is {', '.join(FILTERS)}")
    return slot


def _path(text: str, line: int) -> str:
    path = text.strip()
    if not _PATH.fullmatch(path) or not all(part.strip() for part in path.split(".")):
        raise TemplateError(line, f"{path[:40]!r} is no field's name: {THERE_IS}")
    return path
