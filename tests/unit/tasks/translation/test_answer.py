"""Raw answers, as models write them and as an attacker would."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.tasks.translation.raw_answer import MAX_CHARACTERS, parse
from tests.builders.growth import assert_linear, repeated

KEYS = ("title", "abstract", "keywords/0")
SOURCES = {"title": "题目", "abstract": "它说。\n⟦1⟧成立。", "keywords/0": "自旋"}
FIELDS = {"title": "A title", "abstract": 'It says "so".\n⟦1⟧ holds.', "keywords/0": "spin"}
GOOD = json.dumps(FIELDS)


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        "\ufeff" + GOOD,
        f"```json\n{GOOD}\n```",
        f"Sure! Here is {{the}} translation:\n\n{GOOD}\n\nI hope this helps {{you}}.",
        f"<think>Is {{}} JSON? Yes.</think>\n{GOOD}",
        GOOD[:-1] + ",\n}",
        GOOD.replace("\\n", "\n"),
        GOOD.replace('\\"', '"'),
        json.dumps({"translation": FIELDS}),
        json.dumps({"title": FIELDS["title"], "abstract": FIELDS["abstract"], "keywords": ["spin"]}),
    ],
    ids=["plain", "BOM", "fence", "chatter", "think", "comma", "newline", "quotes", "wrapped", "list"],
)
def test_an_answer_with_one_plain_meaning_is_read(content: str) -> None:
    answer = parse(content, SOURCES)
    assert answer.fields == FIELDS
    assert answer.problem == ""


def test_a_single_backslash_of_latex_is_kept() -> None:
    content = r'{"title": "\alpha and \beta", "abstract": "\frac{1}{2} of \sigma", "keywords/0": "a\\b"}'
    answer = parse(content, dict.fromkeys(KEYS, r"\alpha \beta \frac{1}{2} \sigma a\b"))
    assert answer.fields == {
        "title": r"\alpha and \beta",
        "abstract": r"\frac{1}{2} of \sigma",
        "keywords/0": r"a\b",
    }


def test_escapes_that_json_knows_are_read_as_such() -> None:
    assert parse(r'{"title": "a\tb\u00e9\n\"c\""}', {"title": "\t\n"}).fields == {"title": 'a\tbé\n"c"'}


def test_a_missing_key_is_named_and_the_others_are_kept() -> None:
    answer = parse('{"title": "T", "abstract": 5}', SOURCES)
    assert answer.fields == {"title": "T"}
    assert answer.missing == {"abstract", "keywords/0"}
    assert '"abstract" is not a text' in answer.problem
    assert '"keywords/0" is missing' in answer.problem


def test_keys_that_were_not_asked_for_are_told_and_do_no_harm() -> None:
    answer = parse(json.dumps({**FIELDS, "__class__": "x", "../../etc": "y"}), SOURCES)
    assert answer.fields == FIELDS
    assert answer.extra == ("__class__", "../../etc")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "not a JSON object"),
        ("[1, 2]", "not a JSON object"),
        ('"title"', "not a JSON object"),
        ('{"title": "a", "title": "b"}', "more than once"),
        ("{title: a}", "not a valid JSON object"),
        ('{"title": "a" "abstract" "b"}', "not a valid JSON object"),
        ("x" * (MAX_CHARACTERS + 1), "far longer"),
    ],
)
def test_what_has_no_plain_meaning_is_refused_with_a_reason(content: str, problem: str) -> None:
    answer = parse(content, SOURCES)
    assert answer.fields is None
    assert problem in answer.problem


def test_a_text_that_would_fake_a_key_is_not_read() -> None:
    content = '{"title": "a "quoted" one", "abstract": "b","title": "c", "keywords/0": "d"}'
    assert parse(content, SOURCES).fields is None


@pytest.mark.parametrize("cut", range(1, len(GOOD) - 1, 7))
def test_an_answer_that_breaks_off_is_called_truncated(cut: int) -> None:
    answer = parse(GOOD[:cut], SOURCES)
    assert answer.fields is None
    assert answer.truncated


def test_half_a_surrogate_pair_is_no_text() -> None:
    answer = parse('{"title": "\\ud83d", "abstract": "\\ud83d\\ude00", "keywords/0": "k"}', SOURCES)
    assert answer.missing == {"title"}
    assert answer.fields is not None and answer.fields["abstract"] == "😀"


def test_control_characters_are_taken_out() -> None:
    assert parse('{"title": "a\\u0000b\\u001bc"}', {"title": ""}).fields == {"title": "abc"}


@given(st.dictionaries(st.sampled_from(KEYS), st.text(st.characters(categories=("L", "N", "P", "Zs")))))
@example({"title": "\\\\/"})
def test_any_texts_survive_the_way_through_json(fields: dict[str, str]) -> None:
    answer = parse(f"```\n{json.dumps(fields)}\n```", fields)
    assert answer.fields == {key: text.strip() for key, text in fields.items()}


@given(st.text(st.sampled_from('{}[]",:\\ntu1a`⟦⟧</>'), max_size=80))
def test_no_content_raises(content: str) -> None:
    answer = parse(content, SOURCES)
    assert answer.fields is None or set(answer.fields) | answer.missing == set(KEYS)


@pytest.mark.parametrize(
    "unit", ["{", "[", '{"a":', '{"title":', '"', '\\"', "\\", ",", '"title":"', "<think>", "1", " ", "```"]
)
@pytest.mark.parametrize("start", ["", '{"title":"', '{"title":'])
def test_a_flood_of_hostile_repeats_is_answered_in_linear_time(start: str, unit: str) -> None:
    assert_linear(lambda size: start + repeated(unit)(size), lambda text: parse(text, SOURCES))
