"""Types of an answer's fields as people write them: ``text 5..300``, ``number 0..1``, a list of values."""

from __future__ import annotations

import re
from typing import Any

from handlers.tasks.file_task.task_fault import Path, TaskFault, nearest

MOST_ITEMS = 50
"""Of a list of tables."""
_KINDS = ("text", "number", "integer", "yes/no", "list of")
_RANGE = re.compile(
    r"(text|number|integer)(?:\s+(-?[0-9]{1,15}(?:\.[0-9]{1,9})?)?\s*\.\.\s*(-?[0-9]{1,15}(?:\.[0-9]{1,9})?)?)?"
)
_BOUNDS = {
    "text": ("minLength", "maxLength"),
    "number": ("minimum", "maximum"),
    "integer": ("minimum", "maximum"),
}
_DEEPEST = 8

Schema = dict[str, Any]


def schema_of_fields(fields: dict[str, Any], path: Path, depth: int = 0) -> Schema:
    """``[output.fields]`` → the JSON Schema of an object that has all of them, in their order. A name with a
    question mark may be null."""
    if not fields:
        raise TaskFault(path, "no field is named")
    properties: dict[str, Schema] = {}
    for key, value in fields.items():
        name, may_be_null = key.removesuffix("?"), key.endswith("?")
        if name in properties:
            raise TaskFault((*path, key), f"{name} stands twice")
        schema = schema_of_type(value, (*path, key), depth + 1)
        properties[name] = nullable(schema) if may_be_null else schema
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def schema_of_type(value: object, path: Path, depth: int = 0) -> Schema:
    """One type. TaskFault if it is none."""
    if depth > _DEEPEST:
        raise TaskFault(path, f"types go {_DEEPEST} deep at most")
    if isinstance(value, str):
        return _named(value.strip(), path, depth)
    if isinstance(value, dict):
        return schema_of_fields(value, path, depth)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        items = schema_of_fields(value[0], (*path, 0), depth + 1)
        return {"type": "array", "items": items, "maxItems": MOST_ITEMS}
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        if len(set(value)) < len(value):
            raise TaskFault(path, "a value stands twice")
        return {"type": "string", "enum": list(value)}
    raise TaskFault(
        path, "a type is text such as `text 5..300`, a list of texts, a table, or a list of one table"
    )


def nullable(schema: Schema) -> Schema:
    """The schema, or null."""
    changed = {**schema, "type": [schema["type"], "null"]}
    return changed | {"enum": [*schema["enum"], None]} if "enum" in schema else changed


def _named(text: str, path: Path, depth: int) -> Schema:
    if text == "yes/no":
        return {"type": "boolean"}
    if text.startswith("list of "):
        return {"type": "array", "items": schema_of_type(text[8:], path, depth + 1)}
    match = _RANGE.fullmatch(text)
    if match is None:
        raise TaskFault(path, f"unknown type {text[:60]!r}{nearest(text, _KINDS)}")
    kind = match[1]
    schema: Schema = {"type": "string" if kind == "text" else kind}
    for name, bound in zip(_BOUNDS[kind], (match[2], match[3]), strict=True):
        if bound is not None:
            if kind != "number" and "." in bound:
                raise TaskFault(path, f"{bound} is no whole number")
            schema[name] = float(bound) if "." in bound else int(bound)
    return schema
