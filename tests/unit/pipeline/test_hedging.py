"""A slow call and the one beside it: the first answer counts, both are booked, whatever becomes of them."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from handlers.domain.call import CallTotals, ChatAnswer, ChatRequest, Message, Usage
from handlers.domain.call_errors import (
    ContentFilteredError,
    FatalError,
    ModelCallError,
    ThrottledError,
    TransientError,
)
from handlers.errors import StoppedError
from handlers.llm.limits.aimd import AimdLimit
from handlers.llm.limits.limiter import Limiter
from handlers.pipeline.calls.call_cut import CallCut
from handlers.pipeline.calls.hedging import CallPair, Hedges, send_again
from handlers.pipeline.calls.one_call import OneCall
from handlers.pipeline.calls.paper_calls import PaperCalls
from handlers.pipeline.circuit_breaker import CircuitBreaker
from tests.builders.bench import REQUEST, Bench
from tests.builders.command import until

_USUAL, _SLOW = 4.0, 100.0


def said(content: str) -> ChatAnswer:
    return ChatAnswer(content=content, usage=Usage(prompt_tokens=10, completion_tokens=20))


ENDS: dict[str, ModelCallError | None] = {
    "ok": None,
    "unreached": TransientError("no connection", code="connect", reached=False),
    "lost": TransientError("reset", code="reset", indeterminate=True),
    "throttled": ThrottledError("slow down", retry_after=0.0),
    "refused": ContentFilteredError("filtered", code="content_filter"),
    "fatal": FatalError("no credit", code="http_402"),
}
_ENDURED = [end for end in ENDS if end != "fatal"]


@dataclass(eq=False)
class Flight:
    """A call in flight, until the test lets it end."""

    number: int
    let_go: threading.Event = field(default_factory=threading.Event)
    end: str = "ok"
    was_cut: bool = False


class HeldModel:
    """Two calls end when and how a test says; later ones are answered at once. ``deaf``: a cut comes too late
    for a call that has its answer."""

    def __init__(self, *, deaf: bool = False) -> None:
        self.flights: list[Flight] = []
        self._deaf = deaf

    def complete(self, request: ChatRequest, *, timeout: float, cut: CallCut | None = None) -> ChatAnswer:
        del request, timeout
        flight = Flight(len(self.flights))
        self.flights.append(flight)
        if flight.number < 2 and cut is not None:
            with cut.reaches(lambda: self._cut(flight)):
                assert flight.let_go.wait(10)
        if flight.was_cut:
            raise TransientError("the call was cut off", code="aborted", indeterminate=True)
        if (error := ENDS[flight.end]) is not None:
            raise error
        return said(f"answer {flight.number}")

    def _cut(self, flight: Flight) -> None:
        if not self._deaf:
            flight.was_cut = True
            flight.let_go.set()

    def let_go(self, number: int, end: str) -> None:
        self.flights[number].end = end
        self.flights[number].let_go.set()

    def abort(self) -> None:
        """The tests cut calls one by one."""

    def close(self) -> None:
        """Nothing is open."""


class HedgedBench(Bench):
    """With a run behind it whose calls took four seconds."""

    def begin(
        self, model: HeldModel, request: ChatRequest = REQUEST
    ) -> tuple[CallPair, PaperCalls, list[object]]:
        """A call that has been in flight for long, its calls, and where its outcome will stand."""
        self.context.model = model
        self.context.breaker = CircuitBreaker(self.clock)
        self.job.limiter = Limiter(AimdLimit(ceiling=4, start=4), self.clock)
        self.context.hedges = hedges = Hedges(0.05, self.clock)
        usual = OneCall(self.context, request, 1, {})
        for _ in range(260):
            with hedges.watch(usual) as pair:
                hedges.learn(pair, _USUAL)
        calls, outcome = PaperCalls(self.context), []
        self.worker = threading.Thread(target=_asked, args=(calls, request, outcome), daemon=True)
        self.worker.start()
        until(lambda: len(model.flights) == 1)
        assert hedges.slow(4) == []
        self.clock.advance(_SLOW)
        (pair,) = hedges.slow(4)
        return pair, calls, outcome

    def send_again(self, pair: CallPair, model: HeldModel) -> threading.Thread:
        hedges = self.context.hedges
        assert hedges is not None
        assert hedges.take(pair)
        assert not hedges.take(pair), "once a call"
        second = threading.Thread(target=send_again, args=(pair, hedges), daemon=True)
        second.start()
        until(lambda: len(model.flights) == 2 or not second.is_alive())
        return second


def _asked(calls: PaperCalls, request: ChatRequest, outcome: list[object]) -> None:
    try:
        outcome.append(calls.ask(request))
    except (ModelCallError, StoppedError) as error:
        outcome.append(error)


@pytest.mark.parametrize("every", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_whatever_becomes_of_both_the_answer_counts_once_and_each_is_booked(
    tmp_path: Path, every: int
) -> None:
    bench = HedgedBench(tmp_path)
    booked = 0
    cases = itertools.product(_ENDURED, _ENDURED, ((0, 1), (1, 0)), (False, True))
    for number, (first, second, order, deaf) in enumerate(itertools.islice(cases, 0, None, every)):
        model = HeldModel(deaf=deaf)
        # The bench's runs remember answers: each case asks something of its own.
        pair, calls, outcome = bench.begin(model, _asking(number))
        thread = bench.send_again(pair, model)
        for flight in order:
            model.let_go(flight, (first, second)[flight])
        bench.worker.join(10)
        thread.join(10)
        assert not bench.worker.is_alive()
        case = first, second, order, deaf
        booked += sum(call.cost + call.held for call in calls.records)
        assert bench.settled() == booked, case
        hedges = [call for call in calls.records if call.kind == "hedge"]
        assert [call.hedged for call in hedges] == ["translate"], case
        assert CallTotals.of(calls.records).hedges == 1
        if "ok" in (first, second) and "refused" not in (first, second):
            (answer,) = outcome
            assert isinstance(answer, ChatAnswer), case
            last = [call for call in calls.records if call.outcome == "ok"][-1]
            assert last.raw == answer.content, case
            assert len(model.flights) == 2, case
        for call in calls.records:
            assert (call.code == "outrun") <= call.indeterminate, case


def _asking(number: int) -> ChatRequest:
    return ChatRequest(messages=(Message(role="user", content=f"text {number}"),), max_tokens=50)


def test_the_slower_one_is_cut_off_alone_and_held_at_its_whole_reservation(tmp_path: Path) -> None:
    bench = HedgedBench(tmp_path)
    model = HeldModel()
    pair, calls, outcome = bench.begin(model)
    thread = bench.send_again(pair, model)
    model.let_go(1, "ok")
    bench.worker.join(10)
    thread.join(10)
    lost, won = calls.records
    assert outcome == [said("answer 1")]
    assert (lost.kind, lost.outcome, lost.code, lost.indeterminate) == (
        "translate",
        "transient",
        "outrun",
        True,
    )
    assert (won.kind, won.outcome, won.hedged) == ("hedge", "ok", "translate")
    assert lost.cost + lost.held == pair.call.quote.worst
    assert bench.context.breaker.answered == 1
    assert not bench.context.breaker.open


def test_a_call_that_cannot_be_reached_is_booked_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.pipeline.calls.hedging._LAST_WORDS", 0.01)
    bench = HedgedBench(tmp_path)
    model = HeldModel(deaf=True)
    pair, calls, _ = bench.begin(model)
    thread = bench.send_again(pair, model)
    model.let_go(0, "ok")
    bench.worker.join(10)
    assert not bench.worker.is_alive()
    assert [(call.kind, call.code) for call in calls.records] == [("hedge", "outrun"), ("translate", None)]
    model.let_go(1, "ok")
    thread.join(10)
    assert len(calls.records) == 2
    assert bench.settled() == sum(call.cost + call.held for call in calls.records)


def test_a_fatal_answer_to_the_second_call_parks_nothing(tmp_path: Path) -> None:
    bench = HedgedBench(tmp_path)
    model = HeldModel()
    pair, _, outcome = bench.begin(model)
    thread = bench.send_again(pair, model)
    model.let_go(1, "fatal")
    thread.join(10)
    model.let_go(0, "ok")
    bench.worker.join(10)
    assert outcome == [said("answer 0")]
    assert bench.context.control.state == "active"


def test_no_money_no_time_and_a_drain_leave_the_first_call_alone(tmp_path: Path) -> None:
    for number, hinder in enumerate(("money", "time", "drain")):
        folder = tmp_path / hinder
        folder.mkdir()
        bench = HedgedBench(folder)
        model = HeldModel()
        pair, calls, outcome = bench.begin(model, _asking(number))
        if hinder == "money":
            bench.ledger.draw = lambda *_: "short"
        elif hinder == "time":
            bench.job.deadline.use(lambda: 1.0)
        else:
            bench.stop.drain("interrupted")
        thread = bench.send_again(pair, model)
        thread.join(10)
        assert len(model.flights) == 1, hinder
        model.let_go(0, "ok")
        bench.worker.join(10)
        assert outcome == [said("answer 0")]
        assert [call.kind for call in calls.records] == ["translate"]
        assert bench.context.control.state == "active"


def test_no_more_than_the_share_is_named_and_what_was_not_sent_is_given_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    hedges = Hedges(0.01, bench.clock)
    call = OneCall(bench.context, REQUEST, 1, {})
    for _ in range(300):
        with hedges.watch(call) as pair:
            hedges.learn(pair, _USUAL)
    with hedges.watch(call) as one, hedges.watch(call) as two:
        bench.clock.advance(1.0)
        with hedges.watch(call), hedges.watch(call):
            assert hedges.slow(9) == [], "none is slower than the others were"
            bench.clock.advance(_SLOW)
            assert len(hedges.slow(9)) == 3, "1% of 304 calls"
            assert hedges.slow(2) == [one, two], "the oldest first"
            assert [hedges.take(each) for each in hedges.slow(9)] == [True] * 3
            assert hedges.slow(9) == []
            hedges.not_sent()
            assert len(hedges.slow(9)) == 1


@pytest.mark.parametrize("hinder", ["refused", "parked", "outage"])
def test_none_is_sent_where_the_api_or_the_run_is_in_trouble(tmp_path: Path, hinder: str) -> None:
    bench = Bench(tmp_path)
    assert bench.context.may_hedge
    if hinder == "refused":
        with bench.job.limiter.slot(1, lambda: False) as slot:
            slot.throttled(None)
    elif hinder == "parked":
        bench.context.park("somebody must look")
    else:
        for _ in range(20):
            bench.context.breaker.failed()
    assert not bench.context.may_hedge


def test_before_enough_answers_nothing_is_slow(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    hedges = Hedges(0.05, bench.clock)
    call = OneCall(bench.context, REQUEST, 1, {})
    for _ in range(240):
        with hedges.watch(call) as pair:
            hedges.learn(pair, _USUAL)
    with hedges.watch(call):
        bench.clock.advance(_SLOW)
        assert hedges.slow(9) == []
