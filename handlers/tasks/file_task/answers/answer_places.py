"""Places in an answer, as checks name them: ``*``, ``a.b``, ``list[].quote``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from handlers.tasks.file_task.schema_subset import kind_of
from handlers.tasks.file_task.task_fault import nearest

Steps = tuple[str, ...]
_EVERY = "[]"
_MOST_TEXTS = 2_000
"""Of one answer: more are not looked at, and its lists are bounded anyway."""


def steps_of(field: str, schema: Mapping[str, Any]) -> Steps:
    """The steps to a field. ValueError says which name the schema does not have."""
    if field == "*":
        return ("*",)
    steps: list[str] = []
    for part in field.replace("[]", ".[]").split("."):
        kind = kind_of(schema)
        if part == _EVERY:
            if kind != "array":
                raise ValueError(f"{field!r}: {steps[-1] if steps else 'the answer'} is no list")
            schema = schema["items"]
        elif kind != "object" or part not in schema["properties"]:
            known = schema["properties"] if kind == "object" else ["[]"] if kind == "array" else []
            raise ValueError(f"{field!r}: the answer has no {part[:60]!r}{nearest(part, known)}")
        else:
            schema = schema["properties"][part]
        steps.append(part)
    return tuple(steps)


def texts_at(value: object, steps: Steps) -> list[tuple[str, str]]:
    """(place, text) of every text there, at most 2,000."""
    found: list[tuple[str, str]] = []
    for place, text in _texts(value, steps, ""):
        found.append((place, text))
        if len(found) >= _MOST_TEXTS:
            break
    return found


def _texts(value: object, steps: Steps, place: str) -> Iterator[tuple[str, str]]:
    """Those of a list or an object too where the steps end before its texts."""
    if isinstance(value, str):
        if not steps or steps == ("*",):
            yield place, value
    elif isinstance(value, list):
        if not steps or steps[0] in (_EVERY, "*"):
            rest = steps[1:] if steps and steps[0] == _EVERY else steps
            for number, each in enumerate(value):
                yield from _texts(each, rest, f"{place}[{number}]")
    elif isinstance(value, dict):
        if not steps or steps[0] == "*":
            for name, each in value.items():
                yield from _texts(each, steps, f"{place}.{name}" if place else name)
        elif steps[0] in value:
            name = steps[0]
            yield from _texts(value[name], steps[1:], f"{place}.{name}" if place else name)


def mapped(value: object, change: Callable[[str], str]) -> Any:
    """The value with each of its texts changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [mapped(each, change) for each in value]
    if isinstance(value, dict):
        return {name: mapped(each, change) for name, each in value.items()}
    return value
