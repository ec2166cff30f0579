"""The subset of JSON Schema: what is taken, and that it means what jsonschema says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from handlers.tasks.file_task.answer_form import form_in_words, most_tokens, strict_schema, usual_tokens
from handlers.tasks.file_task.answer_schema import AnswerSchema
from handlers.tasks.file_task.answers.put_right import put_right
from handlers.tasks.file_task.schema_subset import checked_schema
from handlers.tasks.file_task.short_form import schema_of_fields
from handlers.tasks.file_task.task_fault import TaskFault

TEXTS = st.sampled_from(["", "a", "b", "ab", "yes", "0.8", "3", "abc\n", "图"])
NAMES = st.sampled_from(["a", "b", "c"])


def leaves() -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.builds(lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more},
                  st.integers(0, 2), st.integers(0, 3)),
        st.builds(lambda low: {"type": "number", "minimum": low, "exclusiveMaximum": low + 2},
                  st.integers(-1, 2)),
        st.builds(lambda low: {"type": "integer", "minimum": low, "maximum": low + 2}, st.integers(-1, 2)),
        st.just({"type": "boolean"}),
        st.just({"type": ["boolean", "null"]}),
        st.just({"type": "null"}),
        st.just({"enum": ["a", "b", None]}),
        st.just({"enum": [1, 2]}),
        st.just({"enum": [1.5, 2]}),
        st.just({"const": "a"}),
        st.just({"type": "string", "pattern": "^a+b?"}),
    )  # fmt: skip


def nested(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    objects = st.dictionaries(NAMES, inner, min_size=1, max_size=3).flatmap(
        lambda properties: st.sets(st.sampled_from(sorted(properties))).map(
            lambda required: {"type": "object", "properties": properties, "required": sorted(required),
                              "additionalProperties": False}
        )
    )  # fmt: skip
    return objects | st.builds(lambda items: {"type": "array", "items": items, "maxItems": 2}, inner)


SCHEMAS = st.recursive(leaves(), nested, max_leaves=5).map(
    lambda inner: {"type": "object", "properties": {"a": inner}, "required": ["a"],
                   "additionalProperties": False}
)  # fmt: skip
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 4), st.sampled_from([0.5, 1.5, 2.0]), TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
).map(lambda inner: {"a": inner})


@settings(max_examples=25, deadline=None)
@given(SCHEMAS, VALUES)
def test_a_value_is_valid_as_jsonschema_says(schema: dict[str, Any], value: Any) -> None:
    compiled = AnswerSchema.of(checked_schema(schema, ()))
    wanted = Draft202012Validator(schema).is_valid(value)
    if not (wanted and has_whole_float(value)):
        assert compiled.is_valid(value) == wanted
    assert bool(compiled.faults(value, 10)) != compiled.is_valid(value)


def has_whole_float(value: Any) -> bool:
    """``2.0`` is an integer in JSON Schema, and is put right here."""
    if isinstance(value, dict):
        return any(map(has_whole_float, value.values()))
    if isinstance(value, list):
        return any(map(has_whole_float, value))
    return isinstance(value, float) and value.is_integer()


@settings(max_examples=25, deadline=None)
@given(SCHEMAS, VALUES)
def test_putting_right_is_done_once_and_leaves_what_is_valid(schema: dict[str, Any], value: Any) -> None:
    compiled = AnswerSchema.of(checked_schema(schema, ()))
    once = put_right(compiled.schema, value, [])
    assert put_right(compiled.schema, once, []) == once
    if compiled.is_valid(value):
        assert compiled.is_valid(once)


@settings(max_examples=10, deadline=None)
@given(SCHEMAS)
def test_what_is_said_of_a_schema_is_whole(schema: dict[str, Any]) -> None:
    checked = checked_schema(schema, ())
    assert form_in_words(checked).count("{") == form_in_words(checked).count("}")
    for bounds in (True, False):
        Draft202012Validator.check_schema(strict_schema(checked, bounds=bounds))
    assert 0 < usual_tokens(checked, 100) <= most_tokens(checked) + 200


OF_SHORT_FORMS = [
    ("text", {"type": "string"}),
    ("text 5..300", {"type": "string", "minLength": 5, "maxLength": 300}),
    ("text ..9", {"type": "string", "maxLength": 9}),
    ("text 9..", {"type": "string", "minLength": 9}),
    ("number 0..1", {"type": "number", "minimum": 0, "maximum": 1}),
    ("number -0.5..0.5", {"type": "number", "minimum": -0.5, "maximum": 0.5}),
    ("integer 1..5", {"type": "integer", "minimum": 1, "maximum": 5}),
    ("yes/no", {"type": "boolean"}),
    ("list of integer 1..5", {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 5}}),
    (["a", "b"], {"type": "string", "enum": ["a", "b"]}),
]


@pytest.mark.parametrize(("short", "long"), OF_SHORT_FORMS)
def test_a_short_form_is_a_schema(short: Any, long: dict[str, Any]) -> None:
    schema = schema_of_fields({"x": short, "y?": short}, ())
    assert schema["properties"]["x"] == long
    assert schema["properties"]["y"]["type"] == [long["type"], "null"]
    assert schema["required"] == ["x", "y"]


def deep(times: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(times):
        schema = {"type": "array", "items": schema}
    return schema


HOSTILE = [
    {"$ref": "#"},
    {"type": "string", "format": "email"},
    {"anyOf": [{"type": "string"}]},
    {"type": ["string", "number"]},
    {"type": "string", "enum": list("ab") * 2},
    {"type": "string", "enum": [str(n) for n in range(1_001)]},
    {"type": "string", "enum": []},
    {"type": "string", "enum": [1]},
    {"type": "string", "enum": ["x" * 3_000]},
    {"type": "string", "minLength": -1},
    {"type": "string", "minLength": 3, "maxLength": 2},
    {"type": "string", "minLength": True},
    {"type": "string", "minLength": 10**30},
    {"type": "number", "minimum": float("nan")},
    {"type": "number", "minimum": "0"},
    {"type": "string", "pattern": "(a"},
    {"type": "string", "pattern": "(?=a)"},
    {"type": "string", "pattern": "(a{99}){99}"},
    {"type": "object", "properties": {"": {"type": "string"}}},
    {"type": "object", "properties": {"a\n": {"type": "string"}}},
    {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": True},
    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]},
    {"type": "array"},
    {"type": "array", "items": [{"type": "string"}]},
    deep(9),
    {"type": "object", "properties": {str(n): {"type": "string"} for n in range(301)}},
    {"type": "text"},
    {},
    [],
    None,
]


@pytest.mark.parametrize("schema", HOSTILE, ids=lambda each: str(each)[:40])
def test_what_is_not_of_the_subset_is_refused(schema: Any) -> None:
    with pytest.raises(TaskFault):
        checked_schema({"type": "object", "properties": {"a": schema}, "required": ["a"]}, ())
