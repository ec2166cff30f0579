"""Answers of every shape: read, put right, refused, and in no time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.tasks.file_task.answers.answer_judge import judge
from handlers.tasks.file_task.answers.quotes import QuotedSource
from handlers.tasks.file_task.task_bundle import TaskBundle
from tests.builders.growth import assert_linear, repeated
from tests.builders.hostile_answers import BOMBS, GOOD, MASKED, READ, RECORD, REFUSED, SAID
from tests.builders.task_files import FOUR, SUBJECT, bundle_in


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TaskBundle]:
    folder: Path = tmp_path_factory.mktemp("tasks")
    return {name: bundle_in(folder, text) for name, text in FOUR.items()}


@pytest.fixture
def subject(bundles: dict[str, TaskBundle]) -> TaskBundle:
    return bundles["subject"]


@pytest.mark.parametrize("content", READ)
def test_what_can_mean_one_thing_is_read(subject: TaskBundle, content: str) -> None:
    judged = judge(subject, content, "stop", RECORD)
    assert judged.passes, judged.checks
    assert judged.fields == GOOD


def test_there_are_forty_that_are_refused_or_made_to_hurt() -> None:
    assert len(REFUSED) + len(BOMBS) >= 40


@pytest.mark.parametrize(("content", "failed"), REFUSED)
def test_what_cannot_is_refused(subject: TaskBundle, content: str, failed: str | None) -> None:
    judged = judge(subject, content, "stop", RECORD)
    if failed is not None:
        assert not judged.passes
        assert judged.error == failed
        assert judged.fields is None
        assert judged.problems


def test_an_answer_that_was_cut_off_is_refused(subject: TaskBundle) -> None:
    assert judge(subject, SAID, "length", RECORD).error == "finish"


def test_the_one_field_that_was_asked_for_needs_no_json(tmp_path: Path) -> None:
    text = SUBJECT.replace('confidence = "number 0..1"\nreason = "text 5..300"\n', "")
    bundle = bundle_in(tmp_path, text)
    assert judge(bundle, " Physics.\n", "stop", RECORD).fields == {"field": "physics"}
    assert judge(bundle, "Astrology", "stop", RECORD).fields is None


def methods(*quotes: str) -> str:
    return json.dumps({"methods": [{"name": "a", "quote": each} for each in quotes], "datasets": []})


@pytest.mark.parametrize(
    "quote", ["We test 3 methods", "“BERT”", '"BERT" and others', "others - on MNIST", "ＭＮＩＳＴ."]
)
def test_a_quotation_stands_in_the_record(bundles: dict[str, TaskBundle], quote: str) -> None:
    assert judge(bundles["methods"], methods(quote), "stop", RECORD).passes


SHORT = [
    ("A model of R", "e", False),
    ("A model of R", "a", False),
    ("A model of R", "R", False),
    ("R", "R", True),
    ("We use ALBERT and T5.", "BERT", False),
    ("We use ALBERT and BERT.", "BERT", True),
    ("We use T5 here", "T5", True),
    ("Neural networks learn", "Neural network", False),
    ("Neural net- works learn", "net-works learn", True),
    ("Results of 300 tests", "30", False),
    ("采用BERT模型进行实验", "BERT模型", True),
    ("采用BERT模型进行实验", "型", False),
    ("モデルを使う", "モデル", True),
    ("모델을 사용한다", "모델", True),
    ("Die Größe", "Die Gro", False),
    ("Die Größe", "Größe", True),
    ("ALBERT " * 400 + "BERT", "BERT", False),  # nobody looks for ever
]


@pytest.mark.parametrize(("source", "quote", "stands"), SHORT)
def test_a_quotation_is_of_whole_words_and_of_more_than_a_letter(
    source: str, quote: str, stands: bool
) -> None:
    assert QuotedSource([source, "another text"]).holds(quote) is stands


OTHER = json.dumps(GOOD | {"field": "other"})


@pytest.mark.parametrize(
    ("content", "passes"),
    [
        (f"{SAID}\n{SAID}", True),
        (f"{SAID} and so {json.dumps(GOOD, indent=1, sort_keys=True)}", True),
        (f"{SAID}\n{OTHER}", False),
        (f"{OTHER} no: {SAID}", False),
        (f"```json\n{SAID}\n```\n```json\n{OTHER}\n```", False),
        (f"<think>{OTHER}</think>{SAID}", True),
        (json.dumps({"result": GOOD}) + OTHER, False),
        (SAID + json.dumps(GOOD | {"confidence": "0.7", "more": 1}), True),  # one is of the form as it came
        (json.dumps(GOOD | {"field": "Physics."}) + json.dumps(GOOD | {"field": "Other."}), False),
        (json.dumps(GOOD | {"field": "Physics."}) + json.dumps(GOOD | {"field": "PHYSICS"}), True),
    ],
)
def test_of_two_answers_that_differ_none_is_taken(subject: TaskBundle, content: str, passes: bool) -> None:
    judged = judge(subject, content, "stop", RECORD)
    assert judged.passes is passes
    assert judged.fields == (GOOD if passes else None)
    assert passes or "objects that differ" in judged.problems[0]


@pytest.mark.parametrize("quote", ["We test 4 methods", "On BERT We test", "MNIST-2", "采用BERT模型", "  ."])
def test_a_quotation_that_is_made_up_is_refused(bundles: dict[str, TaskBundle], quote: str) -> None:
    judged = judge(bundles["methods"], methods("BERT", quote), "stop", RECORD)
    assert judged.error == "quotes_source"
    assert "methods[1].quote" in judged.problems[0]


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ("A short summary of the work on methods.", None),
        ("word " * 61, "repetition"),
        (" ".join(f"word{n}" for n in range(61)), "length"),
        ("本文研究三种方法并在数据集上进行测试。", "language"),
        ("", "json"),
        ("```\nA short summary of the work.\n```", None),
        ('{"summary": "A short summary of the work."}', None),
    ],
)
def test_a_text_is_read_as_it_stands(bundles: dict[str, TaskBundle], text: str, failed: str | None) -> None:
    assert judge(bundles["summary"], text, "stop", RECORD).error == failed


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ("The energy ⟦1⟧ of 3 cells is ⟦2⟧!", None),
        ("The energy [1] of 3 cells is [2]!", None),
        ("The energy of 3 cells is ⟦2⟧.", "mathematics"),
        ("The energy ⟦1⟧ ⟦1⟧ of 3 cells is ⟦2⟧.", "mathematics"),
        ("The energy ⟦1⟧ ⟦3⟧ of 3 cells is ⟦2⟧.", "placeholders"),
        ("The energy ⟦1⟧ of 4 cells is ⟦2⟧.", "same_numbers"),
        ("The energy ⟦1⟧ of cells is ⟦2⟧.", "same_numbers"),
    ],
)
def test_formulas_and_numbers_come_back(
    bundles: dict[str, TaskBundle], text: str, failed: str | None
) -> None:
    said = json.dumps({"text": text, "changed": "yes"})
    judged = judge(bundles["polish"], said, "stop", MASKED)
    assert judged.error == failed
    assert failed or judged.fields is not None


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_an_answer_made_to_hurt_is_flagged(bundles: dict[str, TaskBundle], content: str) -> None:
    for bundle in (bundles["methods"], bundles["summary"]):
        judged = judge(bundle, content, "stop", MASKED)
        assert not judged.passes or bundle.text_field


GROWING: dict[str, Callable[[int], str]] = {
    "nested lists": lambda size: '{"methods": ' + "[" * (size // 2) + "]" * (size // 2) + "}",
    "never closed": repeated("["),
    "nested objects": lambda size: '{"a":' * (size // 6) + "1" + "}" * (size // 6),
    "digits": lambda size: '{"methods": ' + "1" * size + "}",
    "braces": repeated("{"),
    "quotes": repeated('"'),
    "backslashes": lambda size: '{"methods": "' + "\\" * size,
    "items": lambda size: json.dumps(
        {"methods": [{"name": "a", "quote": "b"}] * (size // 30), "datasets": []}
    ),
    "wrong items": lambda size: json.dumps({"methods": [1] * (size // 3), "datasets": []}),
    "keys": lambda size: json.dumps({f"k{n}": n for n in range(size // 14)}),
    "thoughts": repeated("<think>"),
    "fences": repeated("```json\n"),
    "one word": repeated("a"),
    "spaces": repeated(" "),
    "commas": lambda size: '{"methods": [' + "," * size,
    "surrogates": lambda size: '{"methods": "' + "\ud800" * size + '"}',
    "nulls": repeated("\x00"),
    "placeholders": repeated("⟦1⟧"),
}
"""Answers of about so many bytes."""


@pytest.mark.parametrize("bomb", GROWING.values(), ids=GROWING)
def test_an_answer_made_to_hurt_is_judged_in_linear_time(
    bundles: dict[str, TaskBundle], bomb: Callable[[int], str]
) -> None:
    for bundle in (bundles["methods"], bundles["summary"]):
        assert_linear(
            bomb, lambda content, bundle=bundle: judge(bundle, content, "stop", MASKED), size=60_000
        )


PIECES = [
    "{",
    "}",
    "[",
    "]",
    '"',
    ":",
    ",",
    "field",
    "confidence",
    "reason",
    "physics",
    "0.5",
    "null",
    "\\",
    "<think>",
    "</think>",
    "```",
    "⟦1⟧",
    "图",
    " ",
    "\n",
    "methods",
    "quote",
    "text",
    "1e5",
    "-",
]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_any_answer_ends_in_done_or_flagged(bundles: dict[str, TaskBundle], content: str) -> None:
    for bundle in bundles.values():
        judged = judge(bundle, content, "stop", RECORD)
        assert judged.passes == (judged.error is None)
