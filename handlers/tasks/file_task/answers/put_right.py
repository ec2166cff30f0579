"""What is put right in an answer for nothing, because it can mean but one thing.

It is walked along the schema, never along the answer, and only where the answer as it came fails.
Percentages, lists out of texts and synonyms are never put right. What is right already stays as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from itertools import islice
from typing import Any

from handlers.tasks.file_task.schema_subset import kind_of, types_of

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,18})?(?:[eE][+-]?[0-9]{1,3})?")
_WRAPPING = " \t\r\n\"'“”‘’「」`*.。"
_YES, _NO = ("yes", "true", "是"), ("no", "false", "否")
_MOST_KEYS = 2_000
"""Of an object: later ones are left out without a look."""
_SHORT = 400
"""Characters of a text that may stand for a value."""


def put_right(schema: Mapping[str, Any], value: object, dropped: list[str]) -> object:
    """The value as the schema wants it, as far as it can mean nothing else. ``dropped`` takes the names of
    keys that were not asked for and are left out."""
    if value is None and "null" in types_of(schema):
        return value
    if "enum" in schema:
        return _member(schema, value)
    kind = kind_of(schema)
    if kind == "object" and isinstance(value, dict):
        return _object(schema, value, dropped)
    if kind == "array" and isinstance(value, list):
        return [put_right(schema["items"], each, dropped) for each in value[: _most(schema)]] + value[
            _most(schema) :
        ]
    if kind in ("number", "integer"):
        return _number(kind, value)
    if kind == "boolean":
        return _boolean(value)
    if kind == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def _most(schema: Mapping[str, Any]) -> int:
    """Items beyond these fail anyway."""
    return int(schema.get("maxItems", 1_000)) + 1


def _object(schema: Mapping[str, Any], value: dict[str, Any], dropped: list[str]) -> dict[str, Any]:
    properties, required = schema["properties"], schema["required"]
    given = {name: value[name] for name in properties if name in value}
    if len(given) < len(value):
        _others(properties, value, given, dropped)
    made: dict[str, Any] = {}
    for name, inner in properties.items():
        if name not in given:
            if name in required and "null" in types_of(inner):
                made[name] = None
        elif given[name] is None and name not in required and "null" not in types_of(inner):
            continue  # strict endpoints have null for what may be left out
        else:
            made[name] = put_right(inner, given[name], dropped)
    return made


def _others(
    properties: Mapping[str, Any], value: dict[str, Any], given: dict[str, Any], dropped: list[str]
) -> None:
    """Keys in another case are the ones asked for, where that is one; the rest is left out."""
    by_case: dict[str, list[str]] = {}
    for name in properties:
        by_case.setdefault(_folded(name), []).append(name)
    for key in islice(value, _MOST_KEYS):
        if key in properties:
            continue
        meant = by_case.get(_folded(key[:_SHORT]), [])
        if len(meant) == 1 and meant[0] not in given:
            given[meant[0]] = value[key]
        elif len(dropped) < 8:
            dropped.append(key[:80])


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip(_WRAPPING).casefold()


def _member(schema: Mapping[str, Any], value: object) -> object:
    """By width, case, quotes and full stop, if one value fits."""
    kind = kind_of(schema)
    if kind in ("number", "integer"):
        return _number(kind, value)
    if kind == "boolean":
        return _boolean(value)
    if not isinstance(value, str) or value in schema["enum"]:
        return str(value) if _is_number(value) and str(value) in schema["enum"] else value
    wanted = _folded(value[:_SHORT])
    fits = [each for each in schema["enum"] if isinstance(each, str) and _folded(each) == wanted]
    return fits[0] if len(fits) == 1 else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(kind: str, value: object) -> object:
    if isinstance(value, str) and _NUMBER.fullmatch(text := value.strip()):
        number = float(text)
        if kind == "integer":
            return int(text) if text.lstrip("+-").isdigit() else int(number) if number.is_integer() else value
        return int(text) if text.lstrip("+-").isdigit() else number
    if kind == "integer" and isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value


def _boolean(value: object) -> object:
    if isinstance(value, str):
        word = _folded(value[:_SHORT])
        return True if word in _YES else False if word in _NO else value
    return value
