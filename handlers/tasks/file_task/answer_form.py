"""How a prompt says the form of its answer, the shape that strict endpoints take, how long answers are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from handlers.domain.token_estimate import PER_NARROW, expected_tokens
from handlers.tasks.file_task.schema_subset import LONGEST_LIST, kind_of, types_of
from handlers.tasks.file_task.short_form import Schema

FORM_VERSION = "1"
"""Of the words below: other words are other requests."""
_USUAL_ITEMS = 3
_USUAL_SHARE = 0.2
"""Of what a text's bounds leave open that is usually written."""
_PER_CHARACTER = 1.0
"""Tokens of a character at most, whatever its script."""
_FRAME = 4
"""Tokens around a member: quotes, colon, comma."""
_BOUND_NAMES = (
    "minLength", "maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "minItems", "maxItems",
)  # fmt: skip
MOST_TOKENS = 8_192
"""Of an answer, unless the user says otherwise."""


def form_in_words(schema: Schema) -> str:
    """The end of the system prompt: the same bytes for each record of a run."""
    lines = ["Answer with one JSON object and nothing before or after it. Its form:"]
    lines += _object_lines(schema, "")
    return "\n".join(lines)


def _object_lines(schema: Mapping[str, Any], indent: str) -> list[str]:
    lines = [indent + "{"]
    for name, inner in schema["properties"].items():
        optional = "" if name in schema["required"] else ", may be left out"
        lines += _member_lines(json.dumps(name, ensure_ascii=False) + ": ", inner, indent + "  ", optional)
    return [*lines, indent + "}"]


def _member_lines(start: str, schema: Mapping[str, Any], indent: str, optional: str) -> list[str]:
    said = f" ({schema['description']})" if schema.get("description") else ""
    after = (" or null" if "null" in types_of(schema) and kind_of(schema) != "null" else "") + optional + said
    kind = kind_of(schema)
    if kind == "object":
        first, *rest = _object_lines(schema, indent)
        return [indent + start + first.strip(), *rest[:-1], rest[-1] + after]
    if kind == "array" and kind_of(schema["items"]) in ("object", "array"):
        counted = _counted(schema)
        inner = _member_lines("", schema["items"], indent + "  ", "")
        return [f"{indent}{start}[ a list{counted} of", *inner, f"{indent}]{after}"]
    return [f"{indent}{start}{_words(schema)}{after}"]


def _words(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        values = [json.dumps(each, ensure_ascii=False) for each in schema["enum"] if each is not None]
        return values[0] if len(values) == 1 else "one of " + ", ".join(values)
    kind = kind_of(schema)
    if kind == "string":
        sized = _range(schema, ("minLength", "maxLength"), " of", " characters")
        return "a text" + sized + (f" matching {schema['pattern']}" if "pattern" in schema else "")
    if kind in ("number", "integer"):
        noun = "a number" if kind == "number" else "a whole number"
        words = noun + _range(schema, ("minimum", "maximum"), "", "")
        for name, said in (("exclusiveMinimum", " above"), ("exclusiveMaximum", " below")):
            words += f"{said} {schema[name]}" if name in schema else ""
        return words
    if kind == "array":
        return f"a list{_counted(schema)}, each {_words(schema['items'])}"
    return {"boolean": "true or false", "null": "null"}[kind]


def _counted(schema: Mapping[str, Any]) -> str:
    return _range(schema, ("minItems", "maxItems"), " of", " items")


def _range(schema: Mapping[str, Any], names: tuple[str, str], before: str, after: str) -> str:
    low, high = schema.get(names[0]), schema.get(names[1])
    if low is None and high is None:
        return ""
    if low is None or high is None:
        return f"{before} at {'most' if low is None else 'least'} {high if low is None else low}{after}"
    return f"{before} {low} to {high}{after}" if before else f" from {low} to {high}{after}"


def strict_schema(schema: Mapping[str, Any], *, bounds: bool) -> Schema:
    """As strict endpoints take it: all keys are required, and those that may be left out may be null. Without
    ``bounds`` the shape alone, for those that refuse bounds."""
    made: Schema = {"type": schema["type"]}
    if "enum" in schema:
        made["enum"] = schema["enum"]
    if bounds:
        made |= {name: schema[name] for name in _BOUND_NAMES if name in schema}
    if kind_of(schema) == "array":
        made["items"] = strict_schema(schema["items"], bounds=bounds)
    if kind_of(schema) == "object":
        properties = {
            name: strict_schema(inner, bounds=bounds) for name, inner in schema["properties"].items()
        }
        for name in properties.keys() - set(schema["required"]):
            properties[name] = _or_null(properties[name])
        made |= {"properties": properties, "required": list(properties), "additionalProperties": False}
    return made


def _or_null(schema: Schema) -> Schema:
    types = types_of(schema)
    if "null" in types:
        return schema
    made = schema | {"type": [*types, "null"]}
    return made | {"enum": [*schema["enum"], None]} if "enum" in schema else made


def usual_tokens(schema: Mapping[str, Any], source: float) -> float:
    """Tokens that an answer of the schema usually takes. ``source``: those of the record, which a text
    without a bound is taken to be as long as."""
    return _tokens(schema, source, usual=True)


def most_tokens(schema: Mapping[str, Any]) -> float:
    """Tokens that an answer can take; infinite where nothing bounds it."""
    return _tokens(schema, float("inf"), usual=False)


def _tokens(schema: Mapping[str, Any], source: float, *, usual: bool) -> float:
    if "enum" in schema:
        return max(_size(json.dumps(each, ensure_ascii=False)) for each in schema["enum"]) + 1
    kind = kind_of(schema)
    if kind == "string":
        return _text_tokens(schema, source, usual=usual)
    if kind == "array":
        items = schema.get("maxItems", LONGEST_LIST)
        least = schema.get("minItems", 0)
        items = max(least, min(items, _USUAL_ITEMS)) if usual else items
        return _FRAME + float(items) * (_tokens(schema["items"], source / _USUAL_ITEMS, usual=usual) + 2)
    if kind == "object":
        members = schema["properties"].items()
        return 2 + sum(_FRAME + _size(name) + _tokens(inner, source, usual=usual) for name, inner in members)
    return 4.0 if usual else 12.0


def _text_tokens(schema: Mapping[str, Any], source: float, *, usual: bool) -> float:
    longest: int | None = schema.get("maxLength")
    shortest: int = schema.get("minLength", 0)
    if not usual:
        return source if longest is None else longest * _PER_CHARACTER + 4
    if longest is None:
        return max(source, shortest * PER_NARROW)
    characters = shortest + _USUAL_SHARE * (longest - shortest)
    return min(source, characters * PER_NARROW)


def _size(text: str) -> float:
    return expected_tokens(len(text), len(text.encode("utf-8", "surrogatepass")))
