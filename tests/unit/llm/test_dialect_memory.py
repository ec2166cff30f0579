"""What one job finds of an endpoint is known to the others, and to the next run."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from handlers.domain.call import ChatRequest, Message
from handlers.llm.dialects.dialect import Dialect
from handlers.llm.dialects.dialect_memory import DialectMemory, DialectNote, endpoint_key, read_note
from handlers.llm.dialects.request_form import Form
from handlers.llm.error_body import read_error
from tests.builders.fakes import FakeClock

ASKED = Form(True, "max_tokens", 0.0)
REQUEST = ChatRequest(
    messages=(Message(role="system", content="Translate."), Message(role="user", content="题目")),
    max_tokens=12_312,
)


class Notes:
    """``ports.EndpointNotes`` in a dictionary."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.broken = False

    def recall(self, key: str) -> str | None:
        if self.broken:
            raise OSError("no ledger")
        return self.texts.get(key)

    def note(self, key: str, text: str, *, known: str | None) -> bool:
        if self.broken:
            raise OSError("no ledger")
        if self.texts.get(key) != known:
            return False
        self.texts[key] = text
        return True


def memory(notes: Notes, clock: FakeClock | None = None, **settings: Any) -> DialectMemory:
    return DialectMemory(notes, clock or FakeClock(), "key", **settings)


def dialect(notes: Notes, asked: Form = ASKED, **settings: Any) -> Dialect:
    return Dialect("m", asked, {}, memory(notes, **settings))


def refuse(spoken: Dialect, message: str) -> None:
    error = read_error(json.dumps({"error": {"message": message}}).encode())
    assert spoken.adapt(400, spoken.body(REQUEST), error) is not None


@pytest.mark.parametrize(
    ("message", "remembered"),
    [
        ("JSON mode is not supported for this model", Form(False, "max_tokens", 0.0)),
        ("temperature is deprecated for this model", Form(True, "max_tokens", None)),
        ("System role not supported", Form(True, "max_tokens", 0.0, system=False)),
        ("Unrecognized request argument supplied: 'stream'", Form(True, "max_tokens", 0.0, stream=False)),
        ("use 'max_completion_tokens' instead of 'max_tokens'", Form(True, "max_completion_tokens", 0.0)),
        ("max_tokens must be at most 8192", ASKED),  # it may have been that paper's
    ],
)
def test_what_a_refusal_named_is_known_to_later_jobs(message: str, remembered: Form) -> None:
    notes = Notes()
    refuse(dialect(notes), message)
    assert dialect(notes).form == remembered


def test_what_was_found_by_trying_is_known_with_its_cap() -> None:
    notes = Notes()
    dialect(notes).settle("all", Form(False, "max_completion_tokens", None, cap=4_096))
    assert dialect(notes).form == Form(False, "max_completion_tokens", None, cap=4_096)


def test_findings_add_up() -> None:
    notes = Notes()
    first, second = dialect(notes), dialect(notes)
    refuse(first, "JSON mode is not supported for this model")
    refuse(second, "System role not supported")
    assert dialect(notes).form == Form(False, "max_tokens", 0.0, system=False)


def test_other_settings_get_what_applies_to_them() -> None:
    notes = Notes()
    refuse(dialect(notes), "JSON mode is not supported for this model")
    assert dialect(notes, Form(False, "max_tokens", 0.7)).form == Form(False, "max_tokens", 0.7)
    assert dialect(notes, keep_json=True).form == ASKED, "who insists on JSON mode hears of its refusal"


def test_a_remembered_token_field_may_be_refused_in_its_turn() -> None:
    notes = Notes()
    refuse(dialect(notes), "use 'max_completion_tokens' instead of 'max_tokens'")
    later = dialect(notes)
    refuse(later, "unknown field max_completion_tokens")
    assert later.form.tokens_field == "max_tokens"
    assert dialect(notes).form.tokens_field == "max_tokens"


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "{",
        "null",
        "[]",
        '{"at": "soon"}',
        '{"at": NaN}',
        '{"left_out": ["model"]}',
        '{"cap": 0}',
        '{"tokens_field": "max_new_tokens"}',
        '{"unknown": 1}',
        "[" * 4_000,
        '{"left_out": [' + '"system",' * 9_000,
        "\ud800",
    ],
)
def test_a_damaged_note_is_told_and_found_anew(damaged: str, caplog: pytest.LogCaptureFixture) -> None:
    notes = Notes()
    notes.texts["key"] = damaged
    spoken = dialect(notes)
    assert spoken.form == ASKED
    assert "damaged" in caplog.text
    refuse(spoken, "JSON mode is not supported for this model")
    assert not dialect(notes).form.json_mode


def test_a_ledger_that_cannot_be_reached_fails_no_call(caplog: pytest.LogCaptureFixture) -> None:
    notes = Notes()
    notes.broken = True
    spoken = dialect(notes)
    refuse(spoken, "JSON mode is not supported for this model")
    assert not spoken.form.json_mode
    assert spoken.may_try(spoken.body(REQUEST), math.inf)
    assert "cannot be read" in caplog.text


def test_one_job_tries_and_the_others_take_over_what_it_found() -> None:
    notes, clock = Notes(), FakeClock()
    first, second = (Dialect("m", ASKED, {}, memory(notes, clock)) for _ in range(2))
    sent = second.body(REQUEST)
    assert first.may_try(first.body(REQUEST), clock.monotonic() + 60)
    assert not second.may_try(sent, clock.monotonic() + 5), "time is up before the first has found anything"
    first.settle("response_format", Form(False, "max_tokens", 0.0))
    assert not second.may_try(sent, clock.monotonic() + 60)
    assert not second.form.json_mode
    assert not second.is_current(sent), "what was refused is sent again in the new form"


def test_a_turn_in_vain_spares_the_others_for_a_while_and_a_lost_one_passes_on() -> None:
    notes, clock = Notes(), FakeClock()
    first, second, third = (Dialect("m", ASKED, {}, memory(notes, clock)) for _ in range(3))
    assert first.may_try(first.body(REQUEST), clock.monotonic() + 60)
    first.settle_on_none()
    assert not second.may_try(second.body(REQUEST), clock.monotonic() + 60)
    clock.sleep(61)
    assert second.may_try(second.body(REQUEST), clock.monotonic() + 60)
    began = clock.monotonic()  # and the second job dies
    assert third.may_try(third.body(REQUEST), began + 120)
    assert 59 < clock.monotonic() - began < 61


def test_endpoints_models_and_what_is_merged_in_are_told_apart_and_no_address_is_stored() -> None:
    keys = {
        endpoint_key(endpoint, model, extra, temperature)
        for endpoint in ("https://a/v1?key=secret", "https://b/v1")
        for model in ("m", "n")
        for extra in ({}, {"thinking": {"type": "disabled"}})
        for temperature in (0.0, 0.7, None)
    }
    assert len(keys) == 24
    assert all(len(key) == 64 and key.isalnum() for key in keys)


def test_a_turn_that_something_else_broke_off_is_the_next_ones_at_once() -> None:
    notes, clock = Notes(), FakeClock()
    first, second = (Dialect("m", ASKED, {}, memory(notes, clock)) for _ in range(2))
    assert first.may_try(first.body(REQUEST), clock.monotonic() + 60)
    first.put_off()
    began = clock.monotonic()
    assert second.may_try(second.body(REQUEST), began + 60)
    assert clock.monotonic() == began
    second.settle("temperature", Form(True, "max_tokens", None))
    assert not first.may_try(first.body(REQUEST), began + 60), "it is known by now"


def test_who_has_tried_in_vain_hears_what_another_job_finds_later() -> None:
    notes, clock = Notes(), FakeClock()
    first, second = (Dialect("m", ASKED, {}, memory(notes, clock)) for _ in range(2))
    sent = first.body(REQUEST)
    assert first.may_try(sent, clock.monotonic() + 60)
    first.settle_on_none()
    second.settle("temperature", Form(True, "max_tokens", None))
    assert not first.may_try(sent, clock.monotonic() + 60)
    assert not first.is_current(sent), "it is sent again in the new form"


def test_a_note_that_names_one_thing_twice_takes_one_more() -> None:
    notes = Notes()
    notes.texts["key"] = DialectNote(left_out=("stream",) * 4).model_dump_json()
    refuse(dialect(notes), "JSON mode is not supported for this model")
    assert read_note(notes.texts["key"]).left_out == ("stream", "response_format")


def test_a_ledger_that_takes_no_note_is_not_asked_without_a_pause() -> None:
    class Deaf(Notes):
        asked = 0

        def note(self, key: str, text: str, *, known: str | None) -> bool:
            self.asked += 1
            return False

    notes, clock = Deaf(), FakeClock()
    spoken = Dialect("m", ASKED, {}, memory(notes, clock))
    assert not spoken.may_try(spoken.body(REQUEST), clock.monotonic() + 10)
    assert notes.asked <= 51
