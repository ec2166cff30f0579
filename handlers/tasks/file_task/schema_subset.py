"""The subset of JSON Schema that an answer may be described in, read of a file.

``type enum const properties required additionalProperties items description pattern`` and bounds of numbers,
texts and lists. No references, no unions, no formats: nothing that a stranger's schema could make dear.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handlers.tasks.file_task.patterns import LONGEST_TEXT, PatternError, compiled_pattern
from handlers.tasks.file_task.short_form import Schema
from handlers.tasks.file_task.task_fault import Path, TaskFault, nearest, shown

MOST_NODES, MOST_VALUES, DEEPEST = 300, 1_000, 8
LONGEST_LIST = 1_000
"""Items of an answer's list where the schema says nothing."""
_LONGEST_VALUE = 2_000
_FAR = 10**15
"""Bounds of numbers are nearer."""
_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
_BY_TYPE: dict[str, dict[str, type]] = {
    "string": {"minLength": int, "maxLength": int, "pattern": str},
    "number": {"minimum": float, "maximum": float, "exclusiveMinimum": float, "exclusiveMaximum": float},
    "integer": {"minimum": float, "maximum": float, "exclusiveMinimum": float, "exclusiveMaximum": float},
    "object": {"properties": dict, "required": list, "additionalProperties": bool},
    "array": {"items": dict, "minItems": int, "maxItems": int},
    "boolean": {},
    "null": {},
}
_ANY = {"type", "enum", "const", "description", "title"}
_REFUSED = {
    "$ref",
    "$defs",
    "definitions",
    "anyOf",
    "allOf",
    "oneOf",
    "not",
    "if",
    "format",
    "patternProperties",
}


@dataclass
class _Count:
    nodes: int = 0
    values: int = 0


def checked_schema(schema: object, path: Path) -> Schema:
    """The schema with its types spelled out, once it is known to be of the subset. TaskFault says what of it
    is not. The whole is an object with properties."""
    whole = _checked(schema, path, 1, _Count())
    if whole["type"] != "object" or not whole["properties"]:
        raise TaskFault(path, "an answer is an object with properties")
    return whole


def types_of(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Its type's names, ``null`` among them where it may be null."""
    types = schema["type"]
    return (types,) if isinstance(types, str) else tuple(types)


def kind_of(schema: Mapping[str, Any]) -> str:
    """The type that is not null."""
    return next((each for each in types_of(schema) if each != "null"), "null")


def _checked(schema: object, path: Path, depth: int, count: _Count) -> Schema:
    if not isinstance(schema, dict):
        raise TaskFault(path, "a schema is a table")
    if refused := next((name for name in schema if name in _REFUSED), None):
        raise TaskFault((*path, refused), "not taken: no references, unions or formats")
    count.nodes += 1
    if depth > DEEPEST or count.nodes > MOST_NODES:
        raise TaskFault(path, f"a schema goes {DEEPEST} deep and has {MOST_NODES} parts at most")
    types = _types(schema, path)
    kinds = [each for each in types if each != "null"]
    allowed = _ANY | {name for kind in kinds for name in _BY_TYPE[kind]}
    for name in schema:
        if name not in allowed:
            raise TaskFault((*path, name), "unknown" + nearest(str(name), allowed))
    made: Schema = {"type": types[0] if len(types) == 1 else list(types)}
    if "description" in schema:
        made["description"] = _text(schema["description"], (*path, "description"))
    made |= _values(schema, types, path, count)
    for kind in kinds:
        made |= _bounds(schema, kind, path)
    if "object" in kinds:
        made |= _object(schema, path, depth, count)
    if "array" in kinds:
        made["items"] = _checked(schema.get("items"), (*path, "items"), depth + 1, count)
    return made


def _types(schema: Schema, path: Path) -> tuple[str, ...]:
    given = schema.get("type")
    if given is None and "const" in schema:
        given = _type_of(schema["const"])
    if given is None and isinstance(schema.get("enum"), list):
        given = list(dict.fromkeys(map(_type_of, schema["enum"])))
        if "number" in given and "integer" in given:
            given.remove("integer")
    types = [given] if isinstance(given, str) else given
    if not isinstance(types, list) or not types:
        raise TaskFault(path, "a type is wanted")
    for each in types:
        if each not in _TYPES:
            raise TaskFault((*path, "type"), f"unknown type {str(each)[:40]!r}{nearest(str(each), _TYPES)}")
    if len([each for each in types if each != "null"]) > 1 or len(set(types)) < len(types):
        raise TaskFault((*path, "type"), "one type, or one and null")
    return tuple(types)


def _type_of(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = {str: "string", int: "integer", float: "number", type(None): "null"}
    return names.get(type(value), "")


def _is_endless(value: object) -> bool:
    """Infinite or no number, which JSON has not."""
    return isinstance(value, float) and not math.isfinite(value)


def _text(value: object, path: Path) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_VALUE:
        raise TaskFault(path, f"a text of up to {_LONGEST_VALUE:,} characters is wanted")
    return value


def _values(schema: Schema, types: tuple[str, ...], path: Path, count: _Count) -> Schema:
    """``enum`` and ``const``, as an enum."""
    if "enum" not in schema and "const" not in schema:
        return {}
    name = "enum" if "enum" in schema else "const"
    values = schema["enum"] if name == "enum" else [schema["const"]]
    if not isinstance(values, list) or not values:
        raise TaskFault((*path, name), "a list of values is wanted")
    count.values += len(values)
    if count.values > MOST_VALUES:
        raise TaskFault((*path, name), f"a schema has {MOST_VALUES:,} values at most")
    for each in values:
        kind = _type_of(each)
        fits = kind in types or (kind == "integer" and "number" in types)
        if not fits or (isinstance(each, str) and len(each) > _LONGEST_VALUE) or _is_endless(each):
            raise TaskFault(
                (*path, name), f"{shown(str(each))!r} is no {' or '.join(types)} that can be a value"
            )
    if len({json.dumps(each) for each in values}) < len(values):
        raise TaskFault((*path, name), "a value stands twice")
    return {"enum": list(values)}


def _bounds(schema: Schema, kind: str, path: Path) -> Schema:
    made: Schema = {}
    for name, wanted in _BY_TYPE[kind].items():
        if name not in schema or wanted in (dict, list, bool):
            continue
        value = schema[name]
        if wanted is str:
            made[name] = _pattern(value, (*path, name))
            continue
        numeric = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
        if not numeric or (wanted is int and (not isinstance(value, int) or value < 0)):
            raise TaskFault(
                (*path, name), "a number is wanted" if wanted is float else "0 or a whole number above"
            )
        made[name] = value
    for low, high in (("minLength", "maxLength"), ("minimum", "maximum"), ("minItems", "maxItems")):
        if low in made and high in made and made[low] > made[high]:
            raise TaskFault(path, f"{made[low]} is more than {made[high]}: nothing can be between them")
    if _leaves_nothing(made, kind):
        raise TaskFault(path, "nothing can be within these bounds: every answer would be refused")
    return made


def _leaves_nothing(bounds: Schema, kind: str) -> bool:
    if kind == "string":
        return "pattern" in bounds and int(bounds.get("minLength", 0)) > LONGEST_TEXT
    if kind == "array":
        return "maxItems" not in bounds and int(bounds.get("minItems", 0)) > LONGEST_LIST
    low, above = bounds.get("minimum", -_FAR), bounds.get("exclusiveMinimum", -_FAR)
    high, below = bounds.get("maximum", _FAR), bounds.get("exclusiveMaximum", _FAR)
    if kind == "integer":
        least, most = max(math.ceil(low), math.floor(above) + 1), min(math.floor(high), math.ceil(below) - 1)
        return bool(least > most)
    return bool(low > high or above >= min(high, below) or below <= max(low, above))


def _pattern(value: object, path: Path) -> str:
    if not isinstance(value, str):
        raise TaskFault(path, "a text is wanted")
    try:
        compiled_pattern(value)
    except PatternError as error:
        raise TaskFault(path, str(error)) from None
    return value


def _object(schema: Schema, path: Path, depth: int, count: _Count) -> Schema:
    properties = schema.get("properties", {})
    if not isinstance(properties, dict) or schema.get("additionalProperties", False) is not False:
        raise TaskFault(path, "properties are named, and there are no others: additionalProperties is false")
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(each, str) for each in required):
        raise TaskFault((*path, "required"), "a list of names is wanted")
    for each in required:
        if each not in properties:
            raise TaskFault((*path, "required"), f"unknown {shown(each)!r}{nearest(each, properties)}")
    made: dict[str, Schema] = {}
    for name, inner in properties.items():
        if not name or len(name) > 100 or not name.isprintable():
            raise TaskFault((*path, "properties"), f"{shown(name)!r} is no name")
        made[name] = _checked(inner, (*path, "properties", name), depth + 1, count)
    return {"properties": made, "required": list(dict.fromkeys(required)), "additionalProperties": False}
