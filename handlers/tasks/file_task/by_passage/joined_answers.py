"""The answers to a record's passages, put together: nothing is added, and nothing stands twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from handlers.domain.value import canonical_json
from handlers.tasks.file_task.schema_subset import kind_of

PASSAGES, KEY = "passages", "key"
Schema = Mapping[str, Any]


def joined_columns(properties: Mapping[str, Schema]) -> dict[str, Schema]:
    """Of a record that is asked about by passages: the answer to each, and the lists of all of them."""
    inner = {KEY: {"type": "string"}, **properties}
    each: Schema = {"type": "object", "properties": inner, "required": [KEY, *properties]}
    return {PASSAGES: {"type": "array", "items": each}, **_lists(properties)}


def joined_answers(
    answers: Sequence[tuple[str, Mapping[str, Any]]],
    properties: Mapping[str, Schema],
    unique: Iterable[tuple[str, ...]] = (),
) -> dict[str, Any]:
    """``answers``: (key, fields) of the passages in reading order. ``unique``: steps to texts of lists that
    may not stand twice, of which the first stays."""
    by_list: dict[str, list[tuple[str, ...]]] = {}
    for steps in unique:
        if len(steps) > 1 and steps[1] == "[]":
            by_list.setdefault(steps[0], []).append(steps[2:])
    made: dict[str, Any] = {PASSAGES: [{KEY: key, **fields} for key, fields in answers]}
    for name in _lists(properties):
        items = (item for _, fields in answers for item in fields.get(name) or ())
        made[name] = _once_each(items, by_list.get(name, ()))
    return made


def _lists(properties: Mapping[str, Schema]) -> dict[str, Schema]:
    return {name: each for name, each in properties.items() if kind_of(each) == "array"}


def _once_each(items: Iterable[Any], unique: Sequence[tuple[str, ...]]) -> list[Any]:
    seen: set[tuple[int, str]] = set()
    kept: list[Any] = []
    for item in items:
        marks = {(0, _folded(item)), *((1 + place, _at(item, steps)) for place, steps in enumerate(unique))}
        if not marks & seen:
            kept.append(item)
        seen |= marks
    return kept


def _at(item: Any, steps: tuple[str, ...]) -> str:
    """What may not stand twice of an item; of a list within it, or nothing, the whole of it."""
    value = item
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return _folded(item if value is None else value)


def _folded(value: Any) -> str:
    return " ".join(canonical_json(value).casefold().split())
