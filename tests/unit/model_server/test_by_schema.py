"""The built-in server's answers of a form: of the schema, by the request alone, in the record's words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from handlers.model_server.chat_body import ChatBody, read_request
from handlers.model_server.schemas.by_schema import KnownSchemas, answer_by, record_of, shortened

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "field": {"enum": ["a", "b"]},
        "share": {"type": "number", "minimum": 0, "maximum": 1},
        "points": {"type": "integer", "exclusiveMinimum": 0, "maximum": 5},
        "why": {"type": ["string", "null"], "minLength": 5, "maxLength": 30},
        "is": {"type": "boolean"},
        "found": {
            "type": "array",
            "items": {"type": "object", "properties": {"quote": {"type": "string", "maxLength": 20}}},
        },
    },
}


def body(*messages: tuple[str, str], schema: dict[str, Any] | None = SCHEMA) -> ChatBody:
    asked: dict[str, Any] = {"messages": [{"role": role, "content": text} for role, text in messages]}
    if schema is not None:
        asked["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
    read = read_request(json.dumps(asked).encode())
    assert read is not None
    return read


@pytest.mark.parametrize(
    "text", ["The energy of cells is tested on mice.", "图像识别的方法研究与应用", "", "x"]
)
def test_an_answer_is_of_the_schema_and_the_same_again(text: str) -> None:
    for number in range(20):
        made = answer_by(SCHEMA, body(("user", text)), bytes([number]))
        assert made == answer_by(SCHEMA, body(("user", text)), bytes([number]))
        if text:
            Draft202012Validator(SCHEMA).validate(made)
        assert all(each["quote"] in text for each in made["found"])


def test_a_request_without_a_schema_has_its_system_prompts() -> None:
    known = KnownSchemas()
    assert known.of(body(("system", "s"), ("user", "u"), schema=None)) is None
    assert known.of(body(("system", "s"), ("user", "u"))) == SCHEMA
    assert known.of(body(("system", "s"), ("user", "v"), schema=None)) == SCHEMA
    assert known.of(body(("system", "t"), ("user", "v"), schema=None)) is None


def test_a_repair_is_about_the_record() -> None:
    told = "This answer is refused:\n- it has 70 words, at most 4 words are wanted"
    asked = body(
        ("user", "example"), ("assistant", "{}"), ("user", "record"), ("assistant", "no"), ("user", told)
    )
    assert record_of(asked) == "record"
    assert shortened("one two three four five", told) == "one two"
    assert shortened("one two three four five", "record") == "one two three four five"
