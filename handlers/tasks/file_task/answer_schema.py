"""What an answer must be, compiled: a schema of the subset as pydantic-core's validator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import SchemaValidator, ValidationError, core_schema

from handlers.tasks.file_task.patterns import LONGEST_TEXT
from handlers.tasks.file_task.schema_subset import LONGEST_LIST, kind_of, types_of
from handlers.tasks.file_task.short_form import Schema

_MOST_FAULTS = 8
_SMALL = 50_000
"""Characters of an answer all of whose faults are told; of a longer one the first of each list."""
_CORE = {
    "minLength": "min_length", "maxLength": "max_length", "minItems": "min_length", "maxItems": "max_length",
    "minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt",
}  # fmt: skip


@dataclass(frozen=True)
class AnswerSchema:
    """A schema of the subset, compiled."""

    schema: Schema
    _quick: SchemaValidator = field(repr=False)
    _whole: SchemaValidator = field(repr=False)

    @classmethod
    def of(cls, schema: Schema) -> AnswerSchema:
        """TaskFault if it is too large for the compiler."""
        return cls(schema, *(SchemaValidator(_core(schema, quick=quick)) for quick in (True, False)))

    def is_valid(self, value: object) -> bool:
        """Whether the answer is of the schema."""
        return self._quick.isinstance_python(value)

    def faults(self, value: object, size: int) -> tuple[str, ...]:
        """A sentence for each of the first faults. ``size``: characters that the answer had."""
        try:
            (self._whole if size <= _SMALL else self._quick).validate_python(value)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            return tuple(f"{_place(each['loc'])}: {_said(each['msg'])}" for each in found[:_MOST_FAULTS])
        return ()


def _place(loc: tuple[int | str, ...]) -> str:
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part[:100]}" if text else part[:100]
    return text or "the answer"


def _said(message: str) -> str:
    text = message.replace("Input should", "it should").replace("Field required", "it is missing")
    return text.replace("Extra inputs are not permitted", "it was not asked for")[:300]


def _core(schema: Mapping[str, Any], *, quick: bool) -> core_schema.CoreSchema:
    kind = kind_of(schema)
    made = _literal(schema) if "enum" in schema else _MAKERS[kind](schema, quick)
    is_nullable = "null" in types_of(schema) and kind != "null"
    return core_schema.nullable_schema(made) if is_nullable else made


def _literal(schema: Mapping[str, Any]) -> core_schema.CoreSchema:
    """Of values of one type, null aside. Numbers by their bounds: ``True`` is no 1."""
    values, kind = [each for each in schema["enum"] if each is not None], kind_of(schema)
    if kind in ("string", "boolean"):
        return core_schema.literal_schema(values)
    make = core_schema.int_schema if kind == "integer" else core_schema.float_schema
    return core_schema.union_schema([make(ge=each, le=each, strict=True) for each in values])


def _limits(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {core: schema[name] for name, core in _CORE.items() if name in schema}


def _string(schema: Mapping[str, Any], _quick: bool) -> core_schema.CoreSchema:
    limits = _limits(schema)
    if "pattern" in schema:
        longest = min(LONGEST_TEXT, limits.get("max_length", LONGEST_TEXT))
        limits |= {"pattern": schema["pattern"], "regex_engine": "rust-regex", "max_length": longest}
    return core_schema.str_schema(strict=True, **limits)


def _number(schema: Mapping[str, Any], _quick: bool) -> core_schema.CoreSchema:
    return core_schema.float_schema(strict=True, allow_inf_nan=False, **_limits(schema))


def _integer(schema: Mapping[str, Any], _quick: bool) -> core_schema.CoreSchema:
    bounds: dict[str, Any] = {name: _whole(name, value) for name, value in _limits(schema).items()}
    return core_schema.int_schema(strict=True, **bounds)


def _whole(name: str, bound: float) -> int:
    """A bound of whole numbers that keeps the same ones out."""
    if bound == int(bound):
        return int(bound)
    return int(bound // 1) if name in ("le", "gt") else int(bound // 1) + 1


def _array(schema: Mapping[str, Any], quick: bool) -> core_schema.CoreSchema:
    limits = {"max_length": LONGEST_LIST} | _limits(schema)
    return core_schema.list_schema(
        _core(schema["items"], quick=quick), strict=True, fail_fast=quick, **limits
    )


def _typed(schema: Mapping[str, Any], quick: bool) -> core_schema.CoreSchema:
    fields = {
        name: core_schema.typed_dict_field(_core(inner, quick=quick), required=name in schema["required"])
        for name, inner in schema["properties"].items()
    }
    return core_schema.typed_dict_schema(fields, extra_behavior="forbid", strict=True)


_MAKERS: Mapping[str, Callable[[Mapping[str, Any], bool], core_schema.CoreSchema]] = {
    "string": _string,
    "number": _number,
    "integer": _integer,
    "boolean": lambda _schema, _quick: core_schema.bool_schema(strict=True),
    "null": lambda _schema, _quick: core_schema.none_schema(),
    "array": _array,
    "object": _typed,
}
