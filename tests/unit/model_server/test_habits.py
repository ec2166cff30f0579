"""Each habit of the model server as our own client meets it: read as is meant, or the error that it is."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from handlers.domain.call_errors import ModelCallError
from handlers.model_server import ServerSettings
from handlers.model_server.habits.habit_table import HABITS, listed, shares
from tests.builders.habit_calls import PAPER, HabitCalls

REFUSED = {
    "error_in_200": "throttled",
    "base_resp": "throttled",
    "minute_quota": "throttled",
    "choice_error": "http_502",
    "no_resource": "http_503",
    "page_in_200": "web_page",
    "firewall": "http_403",
    "full_498": "no_capacity",
    "full_429": "no_capacity",
    "json_not_valid": "json_validate_failed",
    "credit_in_200": "insufficient_quota",
    "other_model_words": "model_not_found",
    "thinking_must_be_off": "http_400",
    "stream_alone": "http_400",
}
FLAGGED = {
    "sensitive_text": "content_filter",
    "sensitive": "content_filter",
    "empty": "no_text",
    "starved": "no_text",
}
NO_ANSWER = {"hung_up", "thinks", "thinks_long"}
CHANGED = {"backslash_apostrophe", "bare_quotes", "invalid_byte"}
"""They add to a text, or break a letter of it."""
NOT_STATED = {"usage_absent", "usage_null", "usage_unknown", "usage_zero"}
READ = sorted(HABITS.keys() - REFUSED.keys() - FLAGGED.keys() - NO_ANSWER)
PLAIN = HabitCalls(()).translate()


def test_every_habit_has_a_name_and_one_line_that_says_what_it_is() -> None:
    assert len({habit.description for habit in HABITS.values()}) == len(HABITS)
    for name, habit in HABITS.items():
        assert name.isidentifier()
        assert 10 < len(habit.description) < 90
        assert f"{name} " in listed()


@pytest.mark.parametrize("name", READ)
def test_what_is_plainly_meant_is_read_at_the_first_call_and_booked_as_billed(name: str) -> None:
    calls = HabitCalls((name,))
    result = calls.translate()
    assert (result.status, result.error) == ("done", None)
    assert name in CHANGED or result.fields == PLAIN.fields
    assert name in NOT_STATED or calls.booked == calls.bill.nano_usd
    assert calls.bill.stats()["charged"] == 1
    assert calls.calls == 1 or HABITS[name].endpoint
    before = calls.calls
    calls.translate(PAPER.model_copy(update={"title": "另一个题目"}))
    assert calls.calls == before + 1, "what an endpoint refuses is remembered"


@pytest.mark.parametrize("name", REFUSED)
def test_an_error_in_disguise_is_the_error_that_it_names_and_costs_nothing(name: str) -> None:
    calls = HabitCalls((name,))
    with pytest.raises(ModelCallError) as caught:
        calls.translate()
    assert caught.value.code == REFUSED[name]
    assert (calls.bill.nano_usd, caught.value.indeterminate) == (0, False)


@pytest.mark.parametrize("name", FLAGGED)
def test_an_answer_that_is_none_is_not_taken_for_one_and_booked_as_billed(name: str) -> None:
    calls = HabitCalls((name,))
    result = calls.translate()
    assert (result.status, result.error) == ("flagged", FLAGGED[name])
    assert calls.booked == calls.bill.nano_usd


@pytest.mark.parametrize(("name", "least", "most"), [("thinks", 300, 1000), ("thinks_long", 2000, 3000)])
def test_thinking_is_billed_and_taken_out_of_the_answers_limit(name: str, least: int, most: int) -> None:
    calls = HabitCalls((name,))
    answer = calls.ask(calls.request(max_tokens=4000))
    assert answer.usage is not None
    assert least <= answer.usage.reasoning_tokens <= most
    cut = calls.ask(calls.request(max_tokens=200))
    assert (cut.content, cut.finish_reason) == ("", "length")
    assert cut.usage is not None
    assert cut.usage.completion_tokens == 200
    assert calls.booked == calls.bill.nano_usd


def test_a_connection_that_ends_without_a_byte_is_billed() -> None:
    calls = HabitCalls(("hung_up",))
    with pytest.raises(ModelCallError):
        calls.translate()
    assert calls.bill.nano_usd > 0


def test_a_share_is_of_the_calls_and_habits_meet() -> None:
    calls = HabitCalls(("empty=0.3", "fence"))
    texts = [calls.ask(calls.request(text=f"研究{number}")).content for number in range(200)]
    assert 40 < texts.count("") < 80
    assert sum(text.startswith("```json") for text in texts) == 200 - texts.count("")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("fense", "the nearest is fence"),
        ("event-streams=0.1", "the nearest is event_stream"),
        ("x" * 10_000, "the nearest is"),
        ("fence=2", "number from 0 to 1"),
        ("fence=", "number from 0 to 1"),
        ("fence=nan", "number from 0 to 1"),
    ],
)
def test_an_unknown_habit_is_told_with_the_nearest(wanted: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        ServerSettings(habit=(wanted,))
    assert len(caught.value.errors()[0]["msg"]) < 300


def test_the_last_word_on_a_habit_counts_and_dashes_are_read() -> None:
    assert shares(["fence=0.5", "event-stream", "fence=0.25"]) == {"event_stream": 1.0, "fence": 0.25}


HOSTILE = [
    {"messages": [{"role": "user", "content": "[" * 5_000}], "response_format": ["json_object"]},
    {"messages": [{"role": [], "content": "\ud800"}], "temperature": {}, "stop": None, "max_tokens": 1},
    {"messages": [{"role": "user", "content": '{"segments": {"": "\u27e61\u27e7", "x": []}}'}]},
    {"messages": [{"role": "user", "content": '{"segments": {"a": "} }' + " " * 5_000 + '"}}'}]},
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_no_request_is_too_odd_for_any_habit(body: dict[str, object]) -> None:
    for name in (
        *HABITS,
        *(f"{a} {b}" for a, b in (("in_data", "event_stream"), ("empty", "content_parts"))),
    ):
        reply = HabitCalls(tuple(name.split())).raw(json.dumps(body).encode())
        assert 200 <= reply.status < 500
    every = tuple(name for name, habit in HABITS.items() if habit.moment != "request")
    assert HabitCalls(every).raw(json.dumps(body).encode()).status == 200
