"""Papers of a model that thinks: asked again with more room, once, and told where that is no help."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handlers.domain.call import ChatAnswer, ChatRequest, Message, Usage
from handlers.domain.call_errors import RejectedError
from handlers.pipeline.calls.paper_calls import PaperCalls
from tests.builders.bench import GOOD, PRICE, REQUEST, Bench


class Thinker:
    """A model that thinks for so many tokens before each answer of twenty, and bills all of them."""

    def __init__(self, *lengths: int, own_limit: int = 10**9) -> None:
        self._lengths = list(lengths)
        self._own_limit = own_limit
        self.sent: list[int] = []

    def complete(self, request: ChatRequest, *, timeout: float) -> ChatAnswer:
        self.sent.append(request.max_tokens)
        thinking = self._lengths.pop(0) if len(self._lengths) > 1 else self._lengths[0]
        most = min(request.max_tokens, self._own_limit)
        whole = thinking + 20 <= most
        usage = Usage(
            prompt_tokens=10,
            completion_tokens=thinking + 20 if whole else most,
            reasoning_tokens=thinking if whole else most,
        )
        content, finish = ("answer" * 10, "stop") if whole else ("", "length")
        return ChatAnswer(content=content, finish_reason=finish, usage=usage)

    def abort(self) -> None: ...

    def close(self) -> None: ...


def request(text: str) -> ChatRequest:
    return ChatRequest(messages=(Message(role="user", content=text),), max_tokens=50)


def bench(folder: Path, model: Thinker, **settings: Any) -> Bench:
    made = Bench(folder)
    made.context.model = model
    made.context.record = replace(
        made.context.record, spec=made.context.record.spec.model_copy(update=settings)
    )
    return made


def test_a_model_that_thinks_is_asked_again_with_room_and_the_next_papers_at_once(tmp_path: Path) -> None:
    model = Thinker(2_500)
    made = bench(tmp_path, model)
    calls = PaperCalls(made.context)
    assert calls.ask(REQUEST).content
    assert model.sent == [50, 2_098, 4_146]
    assert [call.code for call in calls.records] == ["cut_while_thinking"] * 2 + [None]
    assert sum(call.cost for call in calls.records) == sum(
        call.usage.cost(PRICE) for call in calls.records if call.usage
    )
    for n in range(30):
        PaperCalls(made.context).ask(request(f"text {n}"))
    assert len(model.sent) == 33
    assert made.context.stats().room >= 2_500


def test_what_is_reserved_has_the_room_in_it(tmp_path: Path) -> None:
    made = bench(tmp_path, Thinker(2_500))
    reserved: list[int] = []
    reserve = made.context.budget.reserve

    def note(amount: Any, *args: Any, **more: Any) -> None:
        reserved.append(amount)
        reserve(amount, *args, **more)

    made.context.budget.reserve = note
    calls = PaperCalls(made.context)
    calls.ask(REQUEST)
    assert all(call.cost <= most for call, most in zip(calls.records, reserved, strict=True))


@pytest.mark.parametrize(("cap", "sent"), [(50, [50]), (1_000, [50, 1_000]), (None, None)])
def test_no_request_is_repeated_with_the_room_that_was_too_small(
    tmp_path: Path, cap: int | None, sent: list[int] | None
) -> None:
    model = Thinker(10**6)
    calls = PaperCalls(bench(tmp_path, model, max_tokens=cap).context)
    with pytest.raises(RejectedError, match="cut off while thinking") as caught:
        calls.ask(REQUEST)
    assert caught.value.code == "cut_while_thinking"
    assert ("--max-tokens" in str(caught.value)) is (cap is not None)
    assert len(set(model.sent)) == len(model.sent) <= 6
    assert sent is None or model.sent == sent


def test_a_model_that_never_stops_thinking_is_not_searched_for_by_every_paper(tmp_path: Path) -> None:
    model = Thinker(10**6)
    made = bench(tmp_path, model)
    for n in range(10):
        with pytest.raises(RejectedError):
            PaperCalls(made.context).ask(request(f"text {n}"))
    assert len(model.sent) <= 2 * 6 + 8


def test_an_endpoint_with_a_limit_of_its_own_is_not_asked_for_more_and_more(tmp_path: Path) -> None:
    model = Thinker(10_000, own_limit=1_500)
    calls = PaperCalls(bench(tmp_path, model).context)
    with pytest.raises(RejectedError, match="limit of its own"):
        calls.ask(REQUEST)
    assert model.sent == [50, 2_098]


def test_an_answer_that_was_cut_off_in_an_interrupted_attempt_is_not_given_again(tmp_path: Path) -> None:
    model = Thinker(2_500)
    made = bench(tmp_path, model)
    before = PaperCalls(made.context)
    before.ask(REQUEST)
    model.sent.clear()
    assert PaperCalls(made.context, before.records, generation=2).ask(REQUEST).content
    assert model.sent == []
    cut = [call for call in before.records if call.code]
    assert PaperCalls(made.context, cut, generation=2).ask(REQUEST).content
    assert len(model.sent) == 1


def test_an_answer_of_nothing_but_thoughts_has_one_more_try(tmp_path: Path) -> None:
    """A client tells it as cut off, though there was room left."""
    usage = Usage(prompt_tokens=10, completion_tokens=20, reasoning_tokens=20)
    thought = ChatAnswer(content="", finish_reason="length", usage=usage)
    made = Bench(tmp_path, thought, GOOD)
    calls = PaperCalls(made.context)
    assert calls.ask(REQUEST) == GOOD
    assert [call.code for call in calls.records] == ["cut_while_thinking", None]


def test_a_model_that_loses_its_way_now_and_then_has_another_try_for_each_paper(tmp_path: Path) -> None:
    """Every third answer is cut off while thinking, the others come without a thought."""
    model = Thinker(*(10**9 if number % 3 == 0 else 0 for number in range(60)), 0)
    made = bench(tmp_path, model)
    for number in range(30):
        assert PaperCalls(made.context).ask(request(f"paper {number}")).content
    assert len(model.sent) <= 30 + 15


def test_a_model_that_came_to_think_without_an_end_is_not_searched_for_each_paper(tmp_path: Path) -> None:
    model = Thinker(0, 0, 0, 10**9)
    made = bench(tmp_path, model)
    for number in range(3):
        assert PaperCalls(made.context).ask(request(f"paper {number}")).content
    for number in range(20):
        with pytest.raises(RejectedError):
            PaperCalls(made.context).ask(request(f"lost {number}"))
    assert len(model.sent) <= 3 + 20 + 15
