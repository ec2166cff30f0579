"""A passage does not give up as early as an abstract may: repair, halves, single texts, pieces."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.domain.call_errors import ContentFilteredError, FatalError, TooLongError, TransientError
from handlers.domain.paper import Paper
from handlers.domain.result import PassageResult
from handlers.tasks.translation.translate import TranslateTask
from tests.builders.bodies import glossed
from tests.builders.whole_papers import whole_spec

Answer = Callable[[str, str, int], str]
"""From a key, its text and the number of the call to a translation."""
SENTENCES = [f"第{n}个断面的水温 $T_{n}$ 随季节变化。" for n in range(8)]


class Model:
    """Answers each text by a function; keeps what was asked."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        self.kinds: list[str] = []

    def __call__(self, request: ChatRequest) -> ChatAnswer:
        message = json.loads(request.messages[1].content)
        self.asked.append(message)
        self.kinds.append(request.kind)
        texts = {key: self.answer(key, text, len(self.asked)) for key, text in message["segments"].items()}
        return ChatAnswer(content=json.dumps(texts, ensure_ascii=False), finish_reason="stop")

    @property
    def keys(self) -> list[list[str]]:
        return [list(message["segments"]) for message in self.asked]


def passage(model: Model, *texts: str) -> PassageResult:
    """Of a body of these paragraphs, which fit one passage."""
    paper = Paper(id="p", title="水温", abstract="水温。", body="\n\n".join(texts), language="zh")
    (work,) = TranslateTask(whole_spec()).rest(paper, {})
    return work.run(model)


def without_mark(text: str) -> str:
    return re.sub("⟦[0-9]+⟧", "", glossed(text))


def test_what_a_repair_does_not_mend_is_asked_afresh_in_halves_down_to_one_text() -> None:
    model = Model(
        lambda key, text, call: glossed(text) if key != "body/5" or call > 3 else without_mark(text)
    )
    result = passage(model, *SENTENCES)
    assert result.status == "done" and result.flagged == ()
    assert model.kinds == ["translate", "repair", "split", "split"]
    assert model.keys[1:] == [["body/5"]] * 3


def test_halves_tell_the_good_from_the_bad() -> None:
    def answer(key: str, text: str, call: int) -> str:
        return without_mark(text) if call < 3 or (key == "body/6" and call < 6) else glossed(text)

    model = Model(answer)
    result = passage(model, *SENTENCES)
    assert result.status == "done"
    assert [len(keys) for keys in model.keys] == [8, 8, 3, 5, 1, 1]
    assert model.kinds == ["translate", "repair"] + ["split"] * 4


def test_the_same_text_alone_again_says_which_attempt_it_is() -> None:
    model = Model(lambda _key, text, call: without_mark(text) if call < 4 else glossed(text))
    assert passage(model, SENTENCES[0]).status == "done"
    assert [message.get("attempt") for message in model.asked] == [None, None, 2, 3]
    assert len({json.dumps(message) for message in model.asked}) == 4


def test_what_never_passes_costs_a_bounded_number_of_calls_and_flags_its_segments_alone() -> None:
    model = Model(lambda key, text, _: "⟦9⟧" if key.startswith("body/3") else glossed(text))
    result = passage(model, *SENTENCES)
    assert (result.status, result.error, result.flagged) == ("flagged", "placeholders", ("body/3",))
    assert result.texts.keys() == {f"body/{n}" for n in range(8) if n != 3}
    assert model.kinds == ["translate", "repair"] + ["split"] * 3  # it repeats itself; pieces come last
    various = Model(lambda key, text, call: f"⟦{call}9⟧" if key.startswith("body/3") else glossed(text))
    assert passage(various, *SENTENCES).status == "flagged" and 5 < len(various.asked) <= 7
    worst = Model(lambda _key, _text, _call: "")
    assert len(passage(worst, *SENTENCES).flagged) == 8
    assert len(worst.asked) < 40


def test_pieces_without_placeholders_come_last() -> None:
    model = Model(lambda _key, text, _: without_mark(text))
    assert passage(model, SENTENCES[0]).status == "done"
    assert model.keys[-1] == ["body/0/0", "body/0/1"]


def test_a_filter_costs_the_text_that_it_refuses_and_no_other() -> None:
    class Filtered(Model):
        def __call__(self, request: ChatRequest) -> ChatAnswer:
            answer = super().__call__(request)
            if "第6个" in request.messages[1].content:
                raise ContentFilteredError("refused", code="content_filter")
            return answer

    result = passage(Filtered(lambda _key, text, _: glossed(text)), *SENTENCES)
    assert (result.status, result.error, result.flagged) == ("flagged", "content_filter", ("body/6",))
    assert len(result.texts) == 7


def test_a_window_too_small_for_a_passage_is_asked_less_at_a_time() -> None:
    class Narrow(Model):
        def __call__(self, request: ChatRequest) -> ChatAnswer:
            if len(json.loads(request.messages[1].content)["segments"]) > 3:
                raise TooLongError("too long", code="too_long")
            return super().__call__(request)

    assert passage(Narrow(lambda _key, text, _: glossed(text)), *SENTENCES).status == "done"


@pytest.mark.parametrize("error", [FatalError("key", code="401"), TransientError("away", code="http_503")])
def test_other_errors_are_not_the_task_s_business(error: Exception) -> None:
    def answer(_key: str, _text: str, _call: int) -> str:
        raise error

    with pytest.raises(type(error)):
        passage(Model(answer), *SENTENCES)


def test_a_refused_structure_is_never_put_in_the_body_not_even_as_a_draft() -> None:
    model = Model(lambda key, text, _: f"# {glossed(text)}" if key.startswith("body/2") else glossed(text))
    result = passage(model, *SENTENCES)
    assert (result.status, result.error, result.flagged) == ("flagged", "structure", ("body/2",))
    assert "body/2" not in result.texts


def test_a_term_that_is_called_otherwise_warns() -> None:
    paper = Paper(id="p", title="水温", abstract="水温。", body="断面的水温升高。", language="zh")
    (work,) = TranslateTask(whole_spec()).rest(paper, {"水温": "water temperatures"})
    found = work.run(Model(lambda *_: "The section gets warmer."))
    (check,) = [check for check in found.checks if check.name == "terms"]
    assert (found.status, check.verdict) == ("done", "warn")
    named = work.run(Model(lambda *_: "The Water Temperature rises."))
    assert [check.verdict for check in named.checks if check.name == "terms"] == ["pass"]
