"""A long body, asked about passage by passage: where it is cut, what is asked, what the answers come to."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.domain.call_errors import TooLongError
from handlers.domain.paper import Paper
from handlers.domain.run import RunSpec
from handlers.errors import UsageError
from handlers.ports import WholePaperTask
from handlers.tasks.file_task.by_passage.body_cut import body_stretches
from handlers.tasks.file_task.by_passage.joined_answers import joined_answers
from handlers.tasks.file_task.by_passage.passage_task import PassageFileTask
from handlers.tasks.file_task.load_task import bundle_of
from handlers.tasks.file_task.task_kinds import task_of_bundle
from handlers.tasks.translation.passages import BODY_VERSION
from handlers.tasks.translation.passages.weights import PASSAGE_WEIGHT
from tests.builders.task_files import bundle_in, paper, spec_of

METHODS = """v = 1
name = "methods"
[input]
unit = "passage"
[prompt]
user = "{{ title }} {{? section }}({{ section }}) {{/ section }}{{ passage }}"
[output.fields]
methods = [{ name = "text 1..60", quote = "text 2..200" }]
relevant = "yes/no"
[[check]]
kind = "quotes_source"
field = "methods[].quote"
"""
PROSE = "We train BERT on the corpus and compare it with a baseline of words. " * 40
TABLE = "| cell | value |\n| --- | --- |\n" + "\n".join(f"| cell {row} | value {row} |" for row in range(200))
BODY = "\n\n".join(
    (
        "# Methods",
        PROSE,
        "$$\nx = y\n$$",
        "# Results",
        PROSE,
        TABLE,
        "# References",
        "[1] Smith, J. Heat. 2001.",
    )
)
_PIECES = st.sampled_from(
    ["# Head\n\n", "Words of prose. ", "$$\na\n\nb\n$$\n\n", "```\ncode\n\nmore\n```\n\n", "| a | b |\n",
     "\n\n", "- item\n", "![x](y.png)\n\n", "样品的热导率。", "\\begin{align}\nx\n\\end{align}\n\n",
     "[1] Smith. 2001.\n"]
)  # fmt: skip


def whole(**fields: object) -> Paper:
    return paper(body=BODY, **fields)


def spec(folder: Path, text: str = METHODS) -> RunSpec:
    return spec_of(bundle_in(folder, text), full_text=True, body_version=BODY_VERSION)


def task(folder: Path, text: str = METHODS) -> PassageFileTask:
    made = task_of_bundle(bundle_in(folder, text), spec(folder, text))
    assert isinstance(made, PassageFileTask)
    return made


def answer(*names: str, relevant: bool = True) -> str:
    methods = [{"name": each, "quote": "We train BERT"} for each in names]
    return json.dumps({"methods": methods, "relevant": relevant})


def said(*answers: str, asked: list[ChatRequest] | None = None) -> object:
    """The answer to each passage, the last to all that follow."""
    left = list(answers)

    def ask(request: ChatRequest) -> ChatAnswer:
        if asked is not None:
            asked.append(request)
        return ChatAnswer(content=left.pop(0) if len(left) > 1 else left[0], finish_reason="stop")

    return ask


def test_tables_and_formulas_are_whole_prose_ends_with_a_sentence_and_references_are_left_out() -> None:
    found = list(body_stretches(BODY, "en"))
    texts = [each.text for each in found]
    assert [each.key for each in found] == [f"body/{n}" for n in range(len(found))]
    assert [each.section for each in found] == ["Methods", "Results", "Results"]
    assert any(TABLE in each for each in texts)
    assert sum("$$\nx = y\n$$" in each for each in texts) == 1
    assert not any("Smith" in each for each in texts)
    long = list(body_stretches(PROSE * 5, "en"))
    assert len(long) > 3
    assert all(each.text.rstrip().endswith(".") and each.weight <= PASSAGE_WEIGHT for each in long)


@given(pieces=st.lists(_PIECES, max_size=40), times=st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_what_is_asked_stands_in_the_body_in_its_order(pieces: list[str], times: int) -> None:
    body = "".join(pieces) * times
    at = 0
    for each in body_stretches(body, "en"):
        for part in each.text.split("\n\n"):
            found = body.find(part, at)
            assert found >= 0
            at = found + len(part)


def test_each_passage_is_asked_with_its_section_and_the_answers_are_joined_once_each(tmp_path: Path) -> None:
    asked: list[ChatRequest] = []
    made = task(tmp_path)
    assert isinstance(made, WholePaperTask)
    answers = (answer("BERT", "t5"), answer("bert", "LSTM"), answer(relevant=False))
    result = made.run(whole(), said(*answers, asked=asked))  # it is an Ask
    assert [each.messages[-1].content[:31] for each in asked][:2] == [
        "On $E=mc^2$ (Methods) # Methods", "On $E=mc^2$ (Results) # Results",
    ]  # fmt: skip
    assert (result.status, len(asked)) == ("done", 3)
    assert [each["name"] for each in result.fields["methods"]] == ["BERT", "t5", "LSTM"]
    assert [each["key"] for each in result.fields["passages"]] == ["body/0", "body/1", "body/2"]
    assert [each["relevant"] for each in result.fields["passages"]] == [True, True, False]
    assert set(bundle_in(tmp_path, METHODS).columns) == {"passages", "methods"}
    assert [each.digest for each in made.requests(whole())] == [each.digest for each in asked]


def test_a_passage_that_is_refused_flags_the_record_and_the_others_stay(tmp_path: Path) -> None:
    invented = answer("BERT").replace("We train BERT", "We bake bread")
    result = task(tmp_path).run(whole(), said(answer("t5"), invented, invented, answer()))
    assert (result.status, result.error) == ("flagged", "quotes_source")
    assert [each["key"] for each in result.fields["passages"]] == ["body/0", "body/2"]
    assert [each.detail[:7] for each in result.checks if each.verdict == "fail"] == ["body/1:"]


def test_one_that_is_missing_or_too_long_flags_it_as_well(tmp_path: Path) -> None:
    made = task(tmp_path)
    assert made.result(whole(), {}).error == "failed"

    def refuse(_: ChatRequest) -> ChatAnswer:
        raise TooLongError("no", code="too_long")

    assert made.run(whole(), refuse).error == "too_long"
    short = task(tmp_path, METHODS.replace('unit = "passage"', 'unit = "passage"\nmost_characters = 40'))
    assert short.run(whole(), refuse).error == "too_long"


def test_a_body_of_too_many_passages_is_flagged_before_its_first_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.tasks.file_task.by_passage.passage_task.MOST_PASSAGES", 2)
    made = task(tmp_path)
    assert (list(made.first(whole())), made.result(whole(), {}).error) == ([], "too_long")


def test_a_record_without_a_body_is_skipped_and_its_body_is_what_it_is(tmp_path: Path) -> None:
    made = task(tmp_path)
    assert made.skip_reason(paper()) == "no body"
    assert set(made.reads.fields) == {"title", "body"}
    assert made.digest(whole()) != made.digest(paper(body=BODY + " more"))
    assert made.fingerprint(whole()) != made.fingerprint(paper(body=BODY + " more"))
    record = METHODS.replace('unit = "passage"', 'unit = "passage"\nshape = "record"')
    own = Paper.model_validate({"id": "r", "title": "t", "record": {"title": "t", "body": PROSE}})
    assert len(task(tmp_path, record).first(own)) == 1


def test_of_equal_items_the_first_stays_also_by_the_text_that_is_to_be_unique() -> None:
    properties = {"m": {"type": "array"}, "x": {"type": "string"}}
    one, two = {"name": "BERT", "quote": "a"}, {"name": "bert", "quote": "b"}
    answers = [("body/0", {"m": [one], "x": "a"}), ("body/1", {"m": [two, one], "x": "b"})]
    assert joined_answers(answers, properties)["m"] == [one, two]
    assert joined_answers(answers, properties, [("m", "[]", "name")])["m"] == [one]
    assert joined_answers(answers, properties)["passages"][1] == {"key": "body/1", "m": [two, one], "x": "b"}


@given(lists=st.lists(st.lists(st.sampled_from([1, "a", "A ", {"n": "a"}, {"n": "b"}, None]))))
def test_a_join_adds_nothing(lists: list[list[object]]) -> None:
    answers = [(f"body/{n}", {"m": each}) for n, each in enumerate(lists)]
    joined = joined_answers(answers, {"m": {"type": "array"}}, [("m", "[]", "n")])["m"]
    assert all(any(item is each for each in chain.from_iterable(lists)) for item in joined)
    assert (
        joined_answers([("body/0", {"m": joined})], {"m": {"type": "array"}}, [("m", "[]", "n")])["m"]
        == joined
    )


def test_another_version_of_cutting_is_another_run(tmp_path: Path) -> None:
    bundle = bundle_in(tmp_path, METHODS)
    again = bundle_of(bundle.content, bundle.digest)
    assert (again.asks, again.by_passage) == (bundle.asks, True)
    with pytest.raises(UsageError, match="cuts bodies as another version does"):
        task_of_bundle(bundle, spec_of(bundle, full_text=True, body_version="0"))
