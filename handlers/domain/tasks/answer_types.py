"""Types of an answer's fields, in JSON Schema's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]
VECTOR = "vector"
"""A type beside JSON Schema's: numbers in base64 of float32, little-endian."""
_KINDS: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}


def kinds_of(schema: Schema) -> set[str]:
    """``string``, ``integer``, ``array`` ... that a value may be; null, which every value may be, left out.
    Where no type is said, those of the values that are allowed."""
    stated = schema.get("type")
    if stated is None:
        return {_KINDS.get(type(value), "any") for value in choices_of(schema)}
    return {kind for kind in ([stated] if isinstance(stated, str) else stated) if kind != "null"}


def choices_of(schema: Schema) -> list[Any]:
    """Values that are allowed, where they are counted; null left out."""
    values = schema["enum"] if "enum" in schema else [schema["const"]] if "const" in schema else []
    return [value for value in values if value is not None]
