from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.domain.call_errors import ContentFilteredError, FatalError, TooLongError, TransientError
from handlers.domain.paper import Paper
from handlers.domain.result import TaskResult
from handlers.domain.run import RunSpec
from handlers.tasks.translation.gate.gate import GateInput, check
from handlers.tasks.translation.prompt import system_prompt
from handlers.tasks.translation.translate import TranslateTask

WORDS = {
    "温度": "temperature",
    "升高": "rises",
    "压力": "pressure",
    "降低": "falls",
    "含量": "content",
    "为": "is",
    "与": "and",
    "的": "of the",
    "。": ". ",
    "，": ", ",
}
Segments = dict[str, str]


def translated(text: str) -> str:
    return re.sub("[一-龥]+|[。，]", lambda run: f" {_words(run[0])} ", text).strip()


def _words(run: str) -> str:
    return " ".join(
        word.strip() for word in (WORDS.get(part, "") for part in re.findall("|".join(WORDS), run))
    )


class Script:
    """Answers requests with functions, the last of them again and again; keeps what was asked."""

    def __init__(self, *answers: Callable[[Segments], object]) -> None:
        self.answers = list(answers)
        self.requests: list[ChatRequest] = []

    def __call__(self, request: ChatRequest) -> ChatAnswer:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        content = answer(self.asked())
        if isinstance(content, ChatAnswer):
            return content
        return ChatAnswer(content=json.dumps(content, ensure_ascii=False), finish_reason="stop")

    def asked(self, index: int = -1) -> Segments:
        return dict(self.body(index)["segments"])

    def body(self, index: int = -1) -> dict[str, Any]:
        return dict(json.loads(self.requests[index].messages[1].content))

    @property
    def kinds(self) -> list[str]:
        return [request.kind for request in self.requests]


def well(segments: Segments) -> object:
    return {key: translated(text) for key, text in segments.items()}


def without_placeholders(segments: Segments) -> object:
    return {key: re.sub("⟦[0-9]+⟧", "it", translated(text)) for key, text in segments.items()}


def raising(error: Exception) -> Callable[[Segments], object]:
    def answer(segments: Segments) -> object:
        raise error

    return answer


def spec(**settings: Any) -> RunSpec:
    fixed = {"corpus_sha256": "0", "corpus": "c", "prompt_version": "1", "masking_version": "1", "model": "m"}
    return RunSpec.model_validate({**fixed, **settings})


def paper(**fields: Any) -> Paper:
    text = {"title": "温度与压力", "abstract": "温度升高 $x _ { 1 }$ ，压力降低 $y$ 。", "language": "zh"}
    return Paper.model_validate({"id": "p1", **text, **fields})


TOO_LONG = TooLongError("too long", code="exceed_context_size_error")
FILTERED = ContentFilteredError("no", code="content_filter")


def test_a_good_answer_is_done_in_one_call_with_the_formulas_in_place() -> None:
    ask = Script(well)
    result = TranslateTask(spec()).run(paper(keywords=["温度", "", "DNA"]), ask)
    assert (result.status, result.error, ask.kinds) == ("done", None, ["translate"])
    assert result.fields["title"] == "temperature and pressure"
    assert "$x _ { 1 }$" in result.fields["abstract"]
    assert result.fields["keywords"] == ["temperature", "", "DNA"]


def test_segments_without_a_letter_of_the_source_are_not_sent() -> None:
    ask = Script(well)
    TranslateTask(spec()).run(paper(keywords=["DNA", "$\\text{温度}$", "压力"]), ask)
    assert list(ask.asked()) == ["title", "abstract", "keywords/2"]


def test_placeholders_are_numbered_on_through_the_segments() -> None:
    ask = Script(well)
    TranslateTask(spec()).run(paper(title="温度 $T$ 与压力"), ask)
    assert ask.asked() == {"title": "温度 ⟦1⟧ 与压力", "abstract": "温度升高 ⟦2⟧ ，压力降低 ⟦3⟧ 。"}


def test_the_first_request_is_the_one_that_a_run_asks_first() -> None:
    task = TranslateTask(spec(glossary={"温度": "temperature", "网络": "network"}))
    ask = Script(well)
    task.run(paper(), ask)
    assert task.first_request(paper()) == ask.requests[0]
    assert ask.body()["glossary"] == {"温度": "temperature"}


def test_a_repair_asks_only_for_the_segments_that_failed_and_says_why() -> None:
    ask = Script(without_placeholders, well)
    result = TranslateTask(spec()).run(paper(), ask)
    assert (result.status, ask.kinds) == ("done", ["translate", "repair"])
    assert list(ask.asked()) == ["abstract"]
    assert any("⟦1⟧" in problem for problem in ask.body()["problems"])
    assert "it" in ask.body()["previous_answer"]["abstract"]
    assert result.fields["title"] == "temperature and pressure"


def test_what_fails_twice_is_split_at_the_placeholders_and_put_together_again() -> None:
    ask = Script(without_placeholders, without_placeholders, well)
    result = TranslateTask(spec()).run(paper(), ask)
    assert (result.status, ask.kinds) == ("done", ["translate", "repair", "split"])
    assert not any("⟦" in text for text in ask.asked().values())
    assert result.fields["abstract"] == "temperature rises $x _ { 1 }$, pressure falls $y$."


def test_what_still_fails_is_flagged_with_the_best_answer_kept() -> None:
    ask = Script(without_placeholders, without_placeholders, lambda segments: segments)
    result = TranslateTask(spec()).run(paper(), ask)
    assert (result.status, result.error) == ("flagged", "placeholders")
    assert ask.kinds == ["translate", "repair", "split"]
    assert result.fields["title"] == "temperature and pressure"
    assert any(check.name == "placeholders" and check.verdict == "fail" for check in result.checks)


@pytest.mark.parametrize("answer", ["", "Sorry, I cannot do that.", '{"title": 3}', "[]", "{" * 5000])
def test_an_answer_that_is_no_translation_is_repaired(answer: str) -> None:
    ask = Script(lambda segments: ChatAnswer(content=answer, finish_reason="stop"), well)
    assert TranslateTask(spec()).run(paper(), ask).status == "done"
    assert ask.kinds == ["translate", "repair"]


def test_a_cut_off_answer_is_asked_for_again_with_more_room() -> None:
    cut = ChatAnswer(content='{"title": "temperature and pressure", "abs', finish_reason="length")
    ask = Script(lambda segments: cut, well)
    assert TranslateTask(spec()).run(paper(), ask).status == "done"
    assert ask.requests[1].max_tokens > ask.requests[0].max_tokens


def test_formulas_of_the_models_own_are_refused() -> None:
    def adorned(segments: Segments) -> object:
        return {key: f"{translated(text)} $z$" for key, text in segments.items()}

    ask = Script(adorned)
    result = TranslateTask(spec()).run(paper(), ask)
    assert (result.status, result.error) == ("flagged", "added_markup")
    assert any("dollar signs" in problem for problem in ask.body(1)["problems"])


def test_a_dollar_amount_becomes_a_currency_code_so_that_it_opens_no_formula() -> None:
    ask = Script(
        lambda segments: {key: translated(text).replace("5", "US$5") for key, text in segments.items()}
    )
    result = TranslateTask(spec()).run(paper(abstract="含量为5 ，温度为 $x$"), ask)
    assert result.fields["abstract"].replace("  ", " ") == "content is USD 5 , temperature is $x$"


def test_formulas_that_the_model_pushed_together_are_kept_apart() -> None:
    ask = Script(lambda segments: {**segments, "title": "temperature", "abstract": "temperature⟦1⟧⟦2⟧is"})
    result = TranslateTask(spec()).run(paper(title="温度", abstract="温度 $x$ 与 $y$ 为"), ask)
    assert result.fields["abstract"] == "temperature $x$ $y$ is"


def test_a_text_that_is_too_long_is_sent_in_halves() -> None:
    long = "".join(f"温度为{n}，压力降低{n + 1}。" for n in range(20, 60)) + "温度 $x$ 升高。"

    def short_only(segments: Segments) -> object:
        if sum(map(len, segments.values())) > 200:
            raise TOO_LONG
        return well(segments)

    ask = Script(short_only)
    result = TranslateTask(spec()).run(paper(abstract=long), ask)
    assert (result.status, result.error) == ("done", None)
    assert result.fields["abstract"].count("$x$") == 1
    assert result.fields["abstract"].count("pressure") == 40


def test_a_model_for_which_everything_is_too_long_is_given_up_after_few_calls() -> None:
    ask = Script(raising(TOO_LONG))
    result = TranslateTask(spec()).run(paper(abstract="温度升高，压力降低。" * 60), ask)
    assert (result.status, result.error, result.fields) == ("flagged", "too_long", {})
    assert len(ask.requests) <= 6


def test_a_refusal_of_the_providers_filter_flags_the_paper() -> None:
    result = TranslateTask(spec()).run(paper(), Script(raising(FILTERED)))
    assert (result.status, result.error, result.fields) == ("flagged", "content_filter", {})


def test_a_filter_in_the_repair_keeps_the_first_answer() -> None:
    result = TranslateTask(spec()).run(paper(), Script(without_placeholders, raising(FILTERED)))
    assert (result.status, result.error) == ("flagged", "content_filter")
    assert result.fields["title"] == "temperature and pressure"


def said(content: str, finish_reason: str = "stop") -> Callable[[Segments], object]:
    return lambda _: ChatAnswer(content=content, finish_reason=finish_reason)


def failed(result: TaskResult) -> list[str]:
    return [check.name for check in result.checks if check.verdict == "fail"]


@pytest.mark.parametrize(
    ("answers", "checks", "faults"),
    [
        ([without_placeholders, said("no")], ["placeholders", "mathematics"], ["json"]),
        ([without_placeholders, said("I'm sorry, I can't help.")], ["placeholders", "mathematics"], ["json"]),
        ([without_placeholders, raising(FILTERED)], ["placeholders", "mathematics"], ["content_filter"]),
        ([lambda _: {"title": "temperature"}, said("no")], ["placeholders", "length"], ["json"]),
        ([said('{"title": "temper', "length")], ["no_text"], ["json", "finish"]),
        ([said("<think>")], ["no_text"], ["json", "finish"]),
        ([raising(FILTERED)], ["no_text"], ["content_filter"]),
        ([raising(TOO_LONG)], ["no_text"], ["too_long"]),
    ],
)  # fmt: skip
def test_the_checks_of_a_flagged_paper_are_of_the_texts_that_are_kept(
    answers: list[Callable[[Segments], object]], checks: list[str], faults: list[str]
) -> None:
    """What its calls did wrong is told beside them."""
    result = TranslateTask(spec()).run(paper(), Script(*answers))
    assert (result.status, failed(result)) == ("flagged", checks)
    assert {fault.name for fault in result.faults} >= set(faults)
    assert result.error in (*checks, "content_filter", "too_long")


def source_left(segments: Segments) -> object:
    return dict(segments)


def half_of_it(segments: Segments) -> object:
    return {key: translated(text) for key, text in list(segments.items())[:1]}


ANSWERS = (
    well, without_placeholders, source_left, half_of_it, said("no"), said("{", "length"),
    said("I'm sorry, I can't help with translating this text."), raising(FILTERED), raising(TOO_LONG),
)  # fmt: skip


@given(st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=6))
def test_whatever_was_answered_the_checks_are_those_of_the_stored_text(
    answers: list[Callable[[Segments], object]],
) -> None:
    given_paper = paper(keywords=["温度", "压力"])
    result = TranslateTask(spec()).run(given_paper, Script(*answers))
    assert (result.status == "flagged") == bool(failed(result)) == bool(result.error)
    assert ([check.name for check in result.checks] == ["no_text"]) == (result.fields == {})
    if result.fields:
        fields = result.fields
        texts = {"title": fields["title"], "abstract": fields["abstract"]}
        texts |= {f"keywords/{number}": word for number, word in enumerate(fields["keywords"])}
        sources = {"title": given_paper.title, "abstract": given_paper.abstract}
        sources |= {f"keywords/{number}": word for number, word in enumerate(given_paper.keywords)}
        for number, span in enumerate(("$x _ { 1 }$", "$y$"), start=1):
            texts["abstract"] = texts["abstract"].replace(span, f"⟦{number}⟧")
            sources["abstract"] = sources["abstract"].replace(span, f"⟦{number}⟧")
        seen = check(GateInput(sources, "zh", "en", system_prompt("en")), json.dumps(texts), "stop")
        assert list(seen.failed) == [name for name in failed(result) if name != "mathematics"]


def test_a_kept_text_that_passes_is_done_whatever_its_calls_did() -> None:
    whole = json.dumps(well({"title": "温度与压力", "abstract": "温度升高 ⟦1⟧ ，压力降低 ⟦2⟧ 。"}))
    result = TranslateTask(spec()).run(paper(), Script(said(whole, "length"), said("no")))
    assert (result.status, result.error, failed(result), result.faults) == ("done", None, [], ())


EXCHANGED = {"abstract": "The content is 25.0% and the pressure 12.5%."}
RIGHT = {"abstract": "The content is 12.5% and the pressure 25.0%."}


@pytest.mark.parametrize(
    ("second", "kept"),
    [
        (lambda _: RIGHT, RIGHT),
        (lambda _: EXCHANGED, EXCHANGED),
        (lambda _: {"abstract": "The content is high."}, EXCHANGED),
        (lambda _: "no", EXCHANGED),
        (raising(ContentFilteredError("filtered", code="filter")), EXCHANGED),
        (raising(TransientError("gone", code="gone")), EXCHANGED),
    ],
)
def test_a_doubt_is_asked_about_once_and_costs_no_paper(
    second: Callable[[Segments], object], kept: Segments
) -> None:
    ask = Script(lambda _: EXCHANGED, second)
    result = TranslateTask(spec()).run(
        Paper(id="p", abstract="含量为12.5%，压力为25.0%。", language="zh"), ask
    )
    assert (result.status, ask.kinds) == ("done", ["translate", "repair"])
    assert result.fields["abstract"] == kept["abstract"]
    numbers = next(check for check in result.checks if check.name == "numbers")
    assert numbers.verdict == ("pass" if kept is RIGHT else "warn")


def test_an_error_that_is_not_the_tasks_business_passes_through() -> None:
    with pytest.raises(FatalError):
        TranslateTask(spec()).run(paper(), Script(raising(FatalError("no credit", code="http_402"))))


def test_a_body_is_sent_in_several_requests_and_judged_as_a_whole() -> None:
    body = "温度升高，压力降低 $x$ 。\n\n" * 700
    ask = Script(well)
    result = TranslateTask(spec(full_text=True)).run(paper(body=body), ask)
    assert result.status == "done"
    assert len(ask.requests) > 1
    assert result.fields["body"].count("$x$") == 700


def test_the_same_answers_lead_to_the_same_requests_and_result() -> None:
    first, second = (Script(without_placeholders, without_placeholders, well) for _ in range(2))
    task = TranslateTask(spec())
    assert task.run(paper(), first) == task.run(paper(), second)
    assert first.requests == second.requests


@given(
    st.lists(
        st.sampled_from(["$a$", "[3]", "温度", "升高", "，", "<sup>", "$", " ", "\\alpha", "。"]), min_size=1
    )
)
def test_every_masked_span_of_an_accepted_paper_stands_as_often_as_in_the_source(parts: list[str]) -> None:
    abstract = "".join(parts)
    result = TranslateTask(spec()).run(paper(abstract=abstract), Script(well))
    if result.status == "done":
        for mark in ("$a$", "[3]", "<sup>", "\\alpha", "$"):
            assert result.fields["abstract"].count(mark) == abstract.count(mark)


@given(st.text(max_size=200) | st.dictionaries(st.text(max_size=9), st.text(max_size=60)).map(json.dumps))
def test_no_answer_whatever_breaks_the_task(content: str) -> None:
    ask = Script(lambda segments: ChatAnswer(content=content, finish_reason=None))
    result = TranslateTask(spec()).run(paper(), ask)
    assert result.status == "flagged"
    assert result.error
    assert len(ask.requests) <= 3


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, None),
        ({"language": "en", "title": "Soil", "abstract": ""}, "already in en"),
        ({"language": "en-GB"}, "already in en"),
        ({"language": None}, None),
        ({"language": None, "title": "Soil", "abstract": "carbon"}, "already in en"),
        ({"title": "Soil $\\text{温度}$", "abstract": ""}, "no text in zh"),
        ({"title": " ", "abstract": "", "keywords": ["温度"]}, "no title and no abstract"),
        ({"license": "CC-BY-4.0"}, None),
        ({"license": "CC BY-NC-SA 4.0"}, None),
        ({"license": "CC-BY-ND-4.0"}, "licence CC-BY-ND-4.0 forbids derivatives"),
        ({"license": "cc by-nc-nd"}, "licence cc by-nc-nd forbids derivatives"),
        ({"license": "Attribution-NoDerivs"}, "licence Attribution-NoDerivs forbids derivatives"),
    ],
)
def test_papers_that_need_no_call_are_skipped_with_the_reason(
    fields: dict[str, Any], reason: str | None
) -> None:
    assert TranslateTask(spec()).skip_reason(paper(**fields)) == reason


def test_a_licence_is_read_from_its_url_and_the_policy_can_be_switched_off() -> None:
    bound = paper(license="https://creativecommons.org/licenses/by-nc-nd/4.0/")
    assert "forbids derivatives" in (TranslateTask(spec()).skip_reason(bound) or "")
    assert TranslateTask(spec(skip_no_derivatives=False)).skip_reason(bound) is None


def test_spans_that_stand_once_more_by_chance_over_the_edges_of_others_flag_nothing() -> None:
    joined = "温度为 $a \\$ ，压力为 $b$ 、 $c$ 。"
    apart = "温度为 $b$ 、 $c$ 。"
    result = TranslateTask(spec()).run(paper(title="温度" + apart, abstract=apart + joined), Script(well))
    assert (result.status, result.error) == ("done", None)
