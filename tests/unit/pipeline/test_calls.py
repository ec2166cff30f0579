"""The calls of one paper: each booked once, whatever became of it."""

from __future__ import annotations

import itertools
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handlers.domain.call import CallTotals, ChatAnswer, ChatRequest, Message, Usage
from handlers.domain.call_errors import (
    FatalError,
    ModelCallError,
    RejectedError,
    ThrottledError,
    TransientError,
)
from handlers.domain.ledger import Commit
from handlers.errors import StoppedError
from handlers.llm.limits.aimd import AimdLimit
from handlers.llm.limits.limiter import Limiter
from handlers.pipeline.calls.paper_calls import MAX_TRIES, PaperCalls
from tests.builders.bench import GOOD, PRICE, REQUEST, Bench
from tests.builders.command import until
from tests.builders.fakes import ScriptedModel


class Unheld(Limiter):
    """Its pauses are waited out in the tests' time by the paper alone: here nobody else moves the clock."""

    def throttled(self, started_at: float, retry_after: float | None) -> None:
        """The paper itself waits."""


def transient(*, indeterminate: bool) -> TransientError:
    return TransientError("cut off", code="read_timeout", indeterminate=indeterminate)


def test_a_pause_ends_as_soon_as_the_job_gives_up(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.stop.drain("interrupted")
    with pytest.raises(StoppedError):
        bench.context.pause(3600)


def test_an_answer_is_booked_at_what_its_usage_costs(tmp_path: Path) -> None:
    bench = Bench(tmp_path, GOOD)
    calls = PaperCalls(bench.context)
    assert calls.ask(REQUEST) == GOOD
    assert [(call.outcome, call.cost) for call in calls.records] == [("ok", 50_000)]
    assert bench.settled() == 50_000


def test_a_throttled_call_costs_nothing_and_is_tried_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ThrottledError("slow down", retry_after=0.5), GOOD)
    calls = PaperCalls(bench.context)
    calls.ask(REQUEST)
    assert [call.outcome for call in calls.records] == ["throttled", "ok"]
    assert calls.records[0].cost == 0
    assert calls.waited >= 0.5


def test_no_call_starts_while_the_ledger_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that nobody can book would be paid for twice. What a hiccup takes holds nothing up."""
    bench = Bench(tmp_path, GOOD)
    back_at = bench.clock.now() + 600
    monkeypatch.setattr(bench.ledger, "away_for", lambda: 11.0 if bench.clock.now() < back_at else 0.0)
    assert PaperCalls(bench.context).ask(REQUEST) == GOOD
    assert bench.clock.now() >= back_at
    monkeypatch.setattr(bench.ledger, "away_for", lambda: 9.0)
    another = ChatRequest(messages=(Message(role="user", content="other"),), max_tokens=50)
    PaperCalls(bench.context).ask(another)
    assert len(bench.model.requests) == 2


def test_who_waits_for_the_ledger_ends_with_its_invocation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, GOOD)
    monkeypatch.setattr(bench.ledger, "away_for", lambda: 11.0)
    ends = bench.clock.now() + 300
    bench.job.deadline.use(lambda: ends - bench.clock.now())
    with pytest.raises(StoppedError, match="deadline"):
        PaperCalls(bench.context).ask(REQUEST)
    assert (bench.model.requests, bench.settled()) == ([], 0)


@pytest.mark.parametrize("chance", [0.0, 0.3, 0.999])
def test_tries_of_one_request_stand_further_apart_each_time(tmp_path: Path, chance: float) -> None:
    """Also where the draw would have been short, or a slot was waited for in between."""
    bench = Bench(tmp_path, *[transient(indeterminate=False)] * 4, GOOD)
    draws = iter([0.999, 0.0, chance, 0.0])
    bench.clock.random = lambda: next(draws, chance)
    calls = PaperCalls(bench.context)
    calls.ask(REQUEST)
    sent = [call.started_at for call in calls.records]
    apart = [later - earlier for earlier, later in itertools.pairwise(sent)]
    assert len(apart) == 4
    assert all(later > 1.1 * earlier for earlier, later in itertools.pairwise(apart))


def test_a_call_that_was_cut_off_is_booked_at_its_estimate_as_indeterminate(tmp_path: Path) -> None:
    bench = Bench(tmp_path, transient(indeterminate=True), GOOD)
    calls = PaperCalls(bench.context)
    calls.ask(REQUEST)
    lost = calls.records[0]
    assert lost.indeterminate
    assert lost.cost == lost.estimate > 0
    worst = bench.context.estimator.worst(REQUEST, PRICE)
    assert lost.cost + lost.held == worst > lost.cost, "as long as nobody knows, all of it stays taken"
    assert bench.settled() == worst + 50_000


def test_an_answer_that_states_no_usage_keeps_its_reservation(tmp_path: Path) -> None:
    bench = Bench(tmp_path, replace(GOOD, usage=None))
    calls = PaperCalls(bench.context)
    worst = bench.context.estimator.worst(REQUEST, PRICE)
    calls.ask(REQUEST)
    (call,) = calls.records
    assert (call.indeterminate, call.code, call.cost) == (True, "usage_missing", call.estimate)
    assert call.cost + call.held == worst == bench.settled()


@pytest.mark.parametrize(
    "error",
    [
        TransientError("cut off while thinking", code="empty_answer", indeterminate=True),
        RejectedError("filtered", code="content_filter"),
        FatalError("an error inside an answer", code="insufficient_quota"),
    ],
)
def test_a_failed_call_is_booked_by_the_usage_that_it_states(error: ModelCallError, tmp_path: Path) -> None:
    error.usage = GOOD.usage
    bench = Bench(tmp_path, error, GOOD)
    calls = PaperCalls(bench.context)
    with suppress(ModelCallError, StoppedError):
        calls.ask(REQUEST)
    call = calls.records[0]
    assert (call.cost, call.held, call.indeterminate, call.usage) == (50_000, 0, False, GOOD.usage)
    assert (call.code, CallTotals.of(calls.records[:1]).prompt) == (error.code, 10)


def test_a_thread_that_ends_within_a_call_gives_nothing_back(tmp_path: Path) -> None:
    class EndedError(BaseException):
        """No error of the call."""

    def ended(*_: object, **__: object) -> ChatAnswer:
        raise EndedError

    bench = Bench(tmp_path, GOOD)
    bench.model.complete = ended
    worst = bench.context.estimator.worst(REQUEST, PRICE)
    with pytest.raises(EndedError):
        PaperCalls(bench.context).ask(REQUEST)
    assert bench.settled() == worst
    assert bench.ledger.end_job("r", "j", at=1, outcome="killed", stats=None) == worst


@pytest.mark.parametrize(("others", "tries"), [("are answered", MAX_TRIES), ("are not", 2 * MAX_TRIES)])
def test_a_server_error_is_free_and_given_up_after_some_tries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: str, tries: int
) -> None:
    bench = Bench(tmp_path, transient(indeterminate=False))
    calls = PaperCalls(bench.context)
    if others == "are answered":
        complete = bench.model.complete

        def beside_others(*given: Any, **named: Any) -> Any:
            bench.context.breaker.succeeded()
            return complete(*given, **named)

        monkeypatch.setattr(bench.model, "complete", beside_others)
    with pytest.raises(TransientError):
        calls.ask(REQUEST)
    assert len(calls.records) == tries
    assert bench.settled() == 0


def test_a_retry_in_the_same_job_is_not_given_the_answer_that_was_refused(tmp_path: Path) -> None:
    other = ChatAnswer(content="another answer", finish_reason="stop", usage=GOOD.usage)
    bench = Bench(tmp_path, GOOD, other)
    assert PaperCalls(bench.context).ask(REQUEST) == PaperCalls(bench.context).ask(REQUEST) == GOOD
    assert PaperCalls(bench.context, generation=2).ask(REQUEST) == other


def test_papers_that_wait_for_money_and_for_each_others_answer_do_not_wait_for_ever(tmp_path: Path) -> None:
    bench = Bench(tmp_path, GOOD)
    bench.ledger.set_budget("r", 400_000)
    same = ChatRequest(messages=(Message(role="user", content="what both ask"),), max_tokens=50)
    first, second = PaperCalls(bench.context), PaperCalls(bench.context)
    first.ask(REQUEST)  # paid for and not booked: less is left than a call may cost
    waiting, asking = (
        threading.Thread(target=_until_stopped, args=(calls, same), daemon=True) for calls in (second, first)
    )
    waiting.start()
    until(lambda: bench.context.budget._dry)
    asking.start()
    asking.join(60)
    let_go = not asking.is_alive()
    bench.stop.drain("the test is over")
    waiting.join(60)
    assert let_go
    assert bench.context.short_of_money


def _until_stopped(calls: PaperCalls, request: ChatRequest) -> None:
    with suppress(StoppedError):
        calls.ask(request)


class Broken(ScriptedModel):
    """Gets an answer and fails to read it."""

    def complete(self, request: ChatRequest, *, timeout: float) -> ChatAnswer:
        super().complete(request, timeout=timeout)
        raise KeyError("choices")


def test_a_call_that_ends_in_an_error_nobody_foresaw_is_booked_all_the_same(tmp_path: Path) -> None:
    bench = Bench(tmp_path, GOOD)
    bench.context.model = Broken(GOOD, clock=bench.clock)
    calls = PaperCalls(bench.context)
    with pytest.raises(ModelCallError, match="KeyError"):
        calls.ask(REQUEST)
    (only,) = calls.records
    assert (only.outcome, only.code, only.indeterminate) == ("refused", "KeyError", True)
    assert bench.settled() == only.cost + only.held > only.cost == only.estimate > 0


def test_an_answer_without_usage_is_booked_at_its_estimate(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ChatAnswer(content="answer"))
    calls = PaperCalls(bench.context)
    calls.ask(REQUEST)
    only = calls.records[0]
    assert (only.outcome, only.indeterminate, only.code) == ("ok", True, "usage_missing")
    assert only.cost == only.estimate > 0


def test_a_fatal_error_parks_the_run_for_every_job(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FatalError("no credit", code="http_402"))
    calls = PaperCalls(bench.context)
    with pytest.raises(StoppedError):
        calls.ask(REQUEST)
    control = bench.ledger.control("r")
    assert control.state == "parked"
    assert "http_402" in control.reason
    with pytest.raises(StoppedError):
        PaperCalls(bench.context).ask(REQUEST)
    assert len(bench.model.requests) == 1


def test_an_api_that_never_answers_parks_the_run_and_fails_no_paper(tmp_path: Path) -> None:
    bench = Bench(tmp_path, TransientError("refused", code="connect", reached=False))
    ends = []
    for _ in range(30):
        with pytest.raises((StoppedError, TransientError)) as caught:
            PaperCalls(bench.context).ask(REQUEST)
        ends.append(caught.type)
    assert bench.ledger.control("r").state == "parked"
    assert "endpoint_unavailable" in bench.ledger.control("r").reason
    assert ends.count(TransientError) <= 3, "only those before the breaker opened may fail"


def parked_after(bench: Bench) -> float:
    """Seconds until the run is parked, by calls of ten papers at a time."""
    began = bench.clock.monotonic()
    while bench.ledger.control("r").state == "active":
        with pytest.raises((StoppedError, TransientError)):
            PaperCalls(bench.context).ask(REQUEST)
    return bench.clock.monotonic() - began


def test_an_endpoint_that_nobody_reached_is_told_within_seconds(tmp_path: Path) -> None:
    bench = Bench(tmp_path, TransientError("could not connect to X", code="connect", reached=False))
    assert parked_after(bench) < 4
    assert bench.ledger.control("r").reason == "endpoint_unavailable: could not connect to X"


def test_an_endpoint_that_answered_the_run_before_may_be_restarting(tmp_path: Path) -> None:
    bench = Bench(tmp_path, TransientError("could not connect to X", code="connect", reached=False))
    bench.context.is_unanswered = lambda: False  # as the ledger would say
    assert parked_after(bench) > 25


def test_an_api_that_only_ever_throttles_parks_the_run_after_minutes(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ThrottledError("daily quota", retry_after=30.0))
    bench.job.limiter = Unheld(AimdLimit(ceiling=4, start=4), bench.clock)
    with pytest.raises(StoppedError):
        PaperCalls(bench.context).ask(REQUEST)
    control = bench.ledger.control("r")
    assert control.state == "parked"
    assert control.reason.startswith("throttled: ")
    assert "daily quota" in control.reason
    assert 10 < len(bench.model.requests) < 40, "ten minutes of waits as the API asked for them"
    assert bench.settled() == 0


def test_one_long_wait_that_the_api_asks_for_is_waited_out(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ThrottledError("come back", retry_after=900.0), GOOD)
    bench.job.limiter = Unheld(AimdLimit(ceiling=4, start=4), bench.clock)
    assert PaperCalls(bench.context).ask(REQUEST) == GOOD
    assert bench.ledger.control("r").state == "active"


def test_with_few_workers_too_an_endpoint_that_is_not_there_fails_no_paper(tmp_path: Path) -> None:
    bench = Bench(tmp_path, TransientError("refused", code="connect", reached=False))
    with pytest.raises(StoppedError):
        PaperCalls(bench.context).ask(REQUEST)
    assert bench.ledger.control("r").state == "parked"


def test_a_hiccup_of_the_ledger_leaves_the_paper_pending(tmp_path: Path) -> None:
    bench = Bench(tmp_path, GOOD)
    bench.ledger.close()
    with pytest.raises(StoppedError):
        PaperCalls(bench.context).ask(REQUEST)
    assert bench.model.requests == []


def test_answers_of_an_interrupted_attempt_are_given_again_for_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, GOOD)
    first = PaperCalls(bench.context)
    first.ask(REQUEST)
    second = PaperCalls(bench.context, carried=first.records)
    assert second.ask(REQUEST).content == "answer"
    assert second.records == []
    assert second.carried == tuple(first.records)
    assert len(bench.model.requests) == 1


def test_a_draining_job_starts_no_call(tmp_path: Path) -> None:
    bench = Bench(tmp_path, GOOD)
    bench.stop.drain("interrupted")
    with pytest.raises(StoppedError):
        PaperCalls(bench.context).ask(REQUEST)
    assert bench.model.requests == []
    assert bench.settled() == 0


def test_no_call_starts_that_could_outlast_the_deadline(tmp_path: Path) -> None:
    bench = Bench(tmp_path, GOOD)
    bench.job.deadline.use(lambda: 3.0)
    with pytest.raises(StoppedError):
        PaperCalls(bench.context).ask(REQUEST)
    assert bench.model.requests == []


THOUGHT = replace(GOOD, usage=Usage(prompt_tokens=10, completion_tokens=300))
"""250 tokens more than ``max_tokens`` allows: reasoning that no bound holds for."""


def test_a_call_dearer_than_its_reservation_is_told_and_the_next_is_reserved_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path, THOUGHT)
    bench.ledger.set_budget("r", 1_300_000)
    first = PaperCalls(bench.context)
    first.ask(REQUEST)  # worst: 260 + 50 x 2 = $0.00036; it costs $0.00061
    (call,) = first.records
    assert (call.cost, call.code, call.indeterminate) == (610_000, "over_reservation", False)
    _book(bench, first)
    with pytest.raises(StoppedError):  # $0.00069 are left, and a call may cost $0.00036 and 250 x 2
        PaperCalls(bench.context, generation=2).ask(REQUEST)
    assert bench.settled() == bench.ledger.budget_state("r").spend == 610_000
    assert bench.ledger.control("r").reason.startswith("budget_spent")


def test_a_job_reserves_for_what_another_one_has_seen(tmp_path: Path) -> None:
    bench, other = (Bench(tmp_path, each) for each in (THOUGHT, GOOD))
    before = other.context.estimator.worst(REQUEST, PRICE)
    PaperCalls(bench.context).ask(REQUEST)
    bench.ledger.beat("r", "j", at=1.0, stats=bench.context.stats())
    other.context.observe(bench.ledger.live_jobs("r", None, since=0))
    assert bench.ledger.most_overrun("r") == 250
    assert other.context.estimator.worst(REQUEST, PRICE) == before + 250 * 2000


def test_the_budget_hears_of_an_overrun_while_the_job_rests(tmp_path: Path) -> None:
    bench = Bench(tmp_path, THOUGHT)
    bench.ledger.set_budget("r", 5_000_000)
    bench.context.budget._ahead = 0
    PaperCalls(bench.context).ask(REQUEST)
    assert bench.settled() == 610_000


def _book(bench: Bench, calls: PaperCalls) -> None:
    totals = CallTotals.of(calls.records)
    bench.ledger.commit([Commit("r", "b", "p", "j", (), totals, 0.0)])


def test_calls_that_wait_in_vain_make_room_in_the_limiter_and_are_told_to_auto_workers(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, transient(indeterminate=True))
    before = bench.job.limiter.slots
    for _ in range(3):
        with suppress(TransientError):
            PaperCalls(bench.context).ask(REQUEST)
    assert bench.context.meter.lost > 0
    assert bench.job.limiter.slots < before


def test_one_call_that_waits_in_vain_changes_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, transient(indeterminate=True), GOOD)
    before = bench.job.limiter.slots
    PaperCalls(bench.context).ask(REQUEST)
    assert (bench.job.limiter.slots, bench.context.meter.lost) == (before, 0)
