"""Several answers to one record: what is asked, when it is enough, and what they come to."""

from __future__ import annotations

import json
from collections import Counter
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.domain.call import ChatRequest
from handlers.domain.call_errors import ContentFilteredError, TooLongError, UnansweredError
from handlers.llm.dialects.dialect import Dialect
from handlers.llm.dialects.request_form import asked_form
from handlers.tasks.file_task.samples.ballots import ballot_of, is_decided, leader, voting_fields
from handlers.tasks.file_task.samples.sampled_task import SampledFileTask
from handlers.tasks.file_task.task_kinds import task_of_bundle
from tests.builders.task_files import SUBJECT, answering, bundle_in, paper, sampled, spec_of

BALLOTS = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=7)


def task(folder: Path, samples: int) -> SampledFileTask:
    bundle = bundle_in(folder, sampled(samples))
    made = task_of_bundle(bundle, spec_of(bundle, temperature=0.7))
    assert isinstance(made, SampledFileTask)
    return made


def said(*values: str) -> list[str]:
    return [json.dumps({"field": each}) for each in values]


@given(ballots=BALLOTS, left=st.integers(0, 4))
@settings(max_examples=60)
def test_it_is_decided_when_nothing_that_follows_changes_who_leads(
    ballots: list[str | None], left: int
) -> None:
    ends = {leader([*ballots, *rest]) for rest in product(["a", "b", "c", "new", None], repeat=left)}
    assert is_decided(ballots, len(ballots) + left) == (len(ends) == 1)


@given(ballots=BALLOTS)
def test_most_votes_lead_and_of_equal_ones_the_first(ballots: list[str | None]) -> None:
    votes = Counter(each for each in ballots if each)
    most = [each for each in ballots if each and votes[each] == max(votes.values())]
    assert leader(ballots) == (most[0] if most else None)


def test_fields_of_few_values_are_voted_on_also_within_objects_and_none_in_lists() -> None:
    few, text = {"type": "string", "enum": ["a", "b"]}, {"type": "string"}
    inner = {"type": "object", "properties": {"deep": {"type": ["boolean", "null"]}, "text": text}}
    listed = {"type": "array", "items": {"type": "object", "properties": {"x": few}}}
    one = {"type": "string", "enum": ["always"]}
    properties = {
        "a": few,
        "b": inner,
        "c": listed,
        "n": {"type": "integer"},
        "f": {"type": "number"},
        "o": one,
    }
    paths = list(voting_fields({"properties": properties}))
    assert paths == ["a", "b.deep", "n"]
    same = [{"a": "a", "b": {"deep": True}, "n": n, "f": f} for n, f in ((3, 1), (3.0, 2))]
    assert len({ballot_of(each, paths) for each in same}) == 1
    assert ballot_of({}, paths) != ballot_of(same[0], paths)


def test_each_answer_is_asked_for_in_the_same_words_as_one_of_its_own(tmp_path: Path) -> None:
    asked: list[ChatRequest] = []
    made = task(tmp_path, 5)
    result = made.run(
        paper(language="zh"), answering(*said("other", "physics", "other", "other"), asked=asked)
    )
    assert (result.status, result.fields) == ("done", {"field": "other", "answer_agreement": 0.75})
    assert len({each.digest for each in asked}) == 4
    assert len({each.messages for each in asked}) == 1
    assert [each.digest for each in made.requests(paper())][:4] == [each.digest for each in asked]


def test_more_answers_change_what_judges_and_no_request(tmp_path: Path) -> None:
    one, three, five = (bundle_in(tmp_path, sampled(samples)) for samples in (1, 3, 5))
    assert one.asks == three.asks == five.asks
    assert len({one.gate, three.gate, five.gate}) == 3
    names = {task_of_bundle(each, spec_of(each)).fingerprint(paper()) for each in (one, three, five)}
    assert len(names) == 1
    first = task_of_bundle(one, spec_of(one)).first_request(paper())
    assert next(task(tmp_path, 3).requests(paper())).digest == first.digest


def test_of_a_declared_seed_each_answer_has_its_own() -> None:
    dialect = Dialect("m", asked_form(True, "max_tokens", 0.7), {"seed": 40})
    request = ChatRequest(messages=(), max_tokens=5)
    sent = [request, request.model_copy(update={"sample": 2})]
    assert [json.loads(dialect.body(each).content)["seed"] for each in sent] == [40, 42]
    assert sent[0].digest != sent[1].digest


def test_a_refused_answer_is_mended_by_itself_and_has_no_vote_if_that_fails(tmp_path: Path) -> None:
    asked: list[ChatRequest] = []
    answers = said("astrology", "astrology", "other")
    result = task(tmp_path, 3).run(paper(language="zh"), answering(*answers, asked=asked))
    assert [(each.kind, each.sample) for each in asked] == [("ask", 0), ("repair", 0), ("ask", 1)]
    assert (result.status, result.fields["answer_agreement"]) == ("done", 0.5)


def test_few_that_agree_are_a_warning(tmp_path: Path) -> None:
    text = sampled(5).replace('"physics", "other"', '"a", "b", "c", "d", "e"')
    bundle = bundle_in(tmp_path, text)
    result = task_of_bundle(bundle, spec_of(bundle)).run(paper(language="zh"), answering(*said(*"abcda")))
    agreement = next(each for each in result.checks if each.name == "agreement")
    assert (result.fields["field"], agreement.verdict, agreement.detail) == (
        "a", "warn", "2 of 5 answers say so.",
    )  # fmt: skip


@pytest.mark.parametrize(("code", "calls"), [("too_long", 1), ("content_filter", 3)])
def test_what_the_endpoint_refuses_each_time_is_flagged(tmp_path: Path, code: str, calls: int) -> None:
    asked = []

    def refuse(request: ChatRequest) -> None:
        asked.append(request)
        raise (TooLongError if code == "too_long" else ContentFilteredError)("no", code=code)

    result = task(tmp_path, 3).run(paper(language="zh"), refuse)  # it never answers
    assert (result.status, result.error, len(asked)) == ("flagged", code, calls)


def test_an_answer_that_is_not_known_is_no_refusal(tmp_path: Path) -> None:
    answers = iter(said("other"))

    def known(request: ChatRequest) -> object:
        if (content := next(answers, None)) is None:
            raise UnansweredError("never answered", code="too_long")
        return answering(content)(request)

    with pytest.raises(UnansweredError):
        task(tmp_path, 3).run(paper(language="zh"), known)  # as KnownAnswers does


def test_a_task_without_samples_is_as_ever(tmp_path: Path) -> None:
    bundle = bundle_in(tmp_path, SUBJECT)
    assert type(task_of_bundle(bundle, spec_of(bundle))).__name__ == "FileTask"
    assert "answer_agreement" not in bundle.columns
