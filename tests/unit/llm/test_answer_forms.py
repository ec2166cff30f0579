"""The form of an answer on the wire: JSON Schema, its shape, JSON mode, nothing; one step at a refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handlers.domain.call import AnswerForm, ChatRequest, Message
from handlers.llm.dialects.dialect import Dialect
from handlers.llm.dialects.request_form import asked_form
from handlers.llm.error_body import read_error

FORM = AnswerForm(name="own", bounds={"type": "object", "minLength": 1}, shape={"type": "object"})
JSON_MODE = {"type": "json_object"}


def request(form: AnswerForm | None = FORM) -> ChatRequest:
    return ChatRequest(messages=(Message(role="user", content="hello"),), max_tokens=9, form=form)


def dialect(*, json_mode: bool = True) -> Dialect:
    return Dialect("m", asked_form(json_mode, "max_tokens", 0.0), {})


def sent(model: Dialect, form: AnswerForm | None = FORM) -> Any:
    return json.loads(model.body(request(form)).content).get("response_format")


def refused(model: Dialect, message: str, status: int = 400) -> str | None:
    error = read_error(json.dumps({"error": {"message": message}}).encode())
    return model.adapt(status, model.body(request()), error)


def schema(of: dict[str, Any] | None) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "own", "strict": True, "schema": of}}


def test_the_form_is_given_up_step_by_step() -> None:
    model = dialect()
    steps = [sent(model)]
    codes = []
    for _ in range(3):
        codes.append(refused(model, "response_format is not supported by this model"))
        steps.append(sent(model))
    assert steps == [schema(FORM.bounds), schema(FORM.shape), JSON_MODE, None]
    assert codes == ["json_schema_unsupported"] * 2 + ["json_mode_unsupported"]


@pytest.mark.parametrize(
    "message",
    [
        "Invalid schema for response_format 'own': In context=(), 'minLength' is not permitted.",
        "json_schema is not supported",
        "This model does not support structured outputs",
        "'maxItems' is not supported",
        "additionalProperties should not be set",
        "schema at properties.reason: unsupported keyword",
    ],
)
@pytest.mark.parametrize("status", [400, 422])
def test_a_refusal_of_a_schema_in_any_words_is_one_step(message: str, status: int) -> None:
    model = dialect()
    assert refused(model, message, status) == "json_schema_unsupported"
    assert sent(model) == schema(FORM.shape)


@pytest.mark.parametrize("message", ["invalid api key", "the prompt is too long", "temperature is not taken"])
def test_other_refusals_leave_the_form(message: str) -> None:
    model = dialect()
    refused(model, message)
    assert sent(model) == schema(FORM.bounds)


def test_calls_in_flight_take_one_step_together() -> None:
    model = dialect()
    bodies = [model.body(request()) for _ in range(5)]
    error = read_error(b'{"error": {"message": "json_schema is not supported"}}')
    for body in bodies:
        model.adapt(400, body, error)
    assert sent(model) == schema(FORM.shape)


def test_a_translation_and_a_text_are_asked_as_ever() -> None:
    assert sent(dialect(), None) == JSON_MODE
    assert sent(dialect(), AnswerForm(plain=True)) is None
    assert sent(dialect(json_mode=False)) is None


def test_an_endpoint_without_json_mode_may_take_a_schema() -> None:
    model = Dialect("m", asked_form(True, "max_tokens", 0.0).without("response_format"), {})
    assert sent(model) == schema(FORM.bounds)
    assert sent(model, None) is None


def test_forms_are_tried_without_the_schema_first_where_nothing_is_named() -> None:
    model = dialect()
    tried = {
        name: json.loads(model.body(request(), form).content).get("response_format")
        for name, form in model.variants(model.body(request()))
    }
    assert (tried["json_schema"], tried["response_format"]) == (JSON_MODE, None)
    assert tried["all that can be left out"] is None


def test_the_form_is_no_part_of_what_is_asked() -> None:
    assert request().digest == request(None).digest == request(AnswerForm(plain=True)).digest


def test_a_guess_takes_the_place_of_the_last_message() -> None:
    guessed = request().model_copy(update={"answer_guess": 77.0})
    assert guessed.expected_tokens[0] == request().expected_tokens[0]
    assert guessed.model_copy(update={"messages": ()}).expected_tokens == (0.0, 77.0)
