"""Calls by tier and hour: where each is sent, what it waits for, and what it is booked as."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from handlers.domain.call import CallRecord, CallTotals, ChatAnswer, ChatRequest
from handlers.domain.call_errors import CapacityError, ModelCallError, ThrottledError, TransientError
from handlers.errors import StoppedError
from handlers.llm.limits.limiter import Slot
from handlers.llm.prices.tariff import ModelTariff
from handlers.pipeline.calls.paper_calls import PaperCalls
from tests.builders.bench import GOOD, REQUEST, Bench
from tests.builders.fakes import ScriptedModel
from tests.builders.tariffs import BY_HOUR, FLEX, PRICE, at

FULL = CapacityError("Resource Unavailable", retry_after=None)


def served(tier: str | None) -> ChatAnswer:
    return replace(GOOD, tier=tier)


def bench(
    folder: Path,
    *outcomes: ChatAnswer | ModelCallError,
    tariff: ModelTariff = FLEX,
    fallback: float | None = 600,
) -> Bench:
    made = Bench(folder, *outcomes)
    made.context.tariff, made.context.flex_fallback = tariff, fallback
    return made


def asked(made: Bench, generation: int = 1) -> list[CallRecord]:
    calls = PaperCalls(made.context, generation=generation)
    calls.ask(REQUEST)
    return calls.records


def test_a_call_that_flex_served_costs_the_flex_price(tmp_path: Path) -> None:
    made = bench(tmp_path, served("flex"))
    (call,) = asked(made)
    assert (call.tier, call.cost, call.code, call.fallback) == ("flex", 25_000, None, False)
    assert [each.tier for each in made.model.requests] == ["flex"]
    assert made.settled() == 25_000
    assert CallTotals.of([call]).tiers == {"flex": 25_000}


@pytest.mark.parametrize("named", ["default", None, "auto"])
def test_a_call_that_is_not_said_to_be_flex_is_booked_at_the_standard_price(
    named: str | None, tmp_path: Path
) -> None:
    made = bench(tmp_path, served(named))
    (call,) = asked(made)
    assert (call.tier, call.cost, call.fallback) == ("standard", 50_000, False)
    assert made.settled() == 50_000


def test_a_full_tier_is_waited_for_and_cuts_no_slot(tmp_path: Path) -> None:
    made = bench(tmp_path, *[FULL] * 5, served("flex"), fallback=math.inf)
    slots, began = made.job.limiter.slots, made.clock.now()
    calls = asked(made)
    assert [call.code for call in calls] == ["no_capacity"] * 5 + [None]
    assert sum(call.cost for call in calls) == made.settled() == 25_000
    assert made.job.limiter.slots >= slots
    assert 5 <= made.clock.now() - began <= 5 * 121


def test_a_tier_that_is_never_left_is_waited_for_longer_than_rates_are(tmp_path: Path) -> None:
    made = bench(tmp_path, *[FULL] * 40, served("flex"), fallback=math.inf)
    began = made.clock.now()
    assert asked(made)[-1].tier == "flex"
    assert made.clock.now() - began > 600
    assert made.ledger.control("r").state == "active"


class FullFlex(ScriptedModel):
    """An API whose flex tier has no room and whose standard tier answers."""

    def complete(self, request: ChatRequest, *, timeout: float) -> ChatAnswer:
        if request.tier == "standard":
            return served("default")
        return super().complete(request, timeout=timeout)


@pytest.mark.parametrize("fallback", [0.0, 30.0, 600.0])
def test_after_some_time_the_call_goes_standard_and_its_record_says_so(
    fallback: float, tmp_path: Path
) -> None:
    made = bench(tmp_path, FULL, fallback=fallback)
    made.context.model = FullFlex(FULL, clock=made.clock)
    began = made.clock.now()
    *full, last = asked(made)
    assert {call.code for call in full} == {"no_capacity"}
    assert (last.tier, last.fallback, last.cost) == ("standard", True, 50_000)
    assert fallback <= made.clock.now() - began <= fallback + 2
    assert made.settled() == 50_000


def test_the_next_request_asks_for_flex_again(tmp_path: Path) -> None:
    made = bench(tmp_path, FULL, served("default"), served("flex"), fallback=0.0)
    calls = PaperCalls(made.context)
    calls.ask(REQUEST)
    calls.ask(REQUEST.model_copy(update={"messages": REQUEST.messages * 2}))
    assert [each.tier for each in made.model.requests] == ["flex", "standard", "flex"]


def test_a_limit_of_rate_is_still_one_in_the_flex_tier(tmp_path: Path) -> None:
    made = bench(tmp_path, ThrottledError("slow down", retry_after=0.5), served("flex"))
    assert [call.code for call in asked(made)] == ["throttled", None]


def test_a_flex_call_of_unknown_cost_keeps_its_reservation_at_the_standard_price(tmp_path: Path) -> None:
    made = bench(tmp_path, TransientError("cut", code="read_timeout", indeterminate=True), served("flex"))
    lost, _ = asked(made)
    worst = made.context.estimator.worst(REQUEST, PRICE)
    assert (lost.tier, lost.cost + lost.held) == ("flex", worst)


def test_an_answer_of_either_tier_is_given_again_to_the_other(tmp_path: Path) -> None:
    made = bench(tmp_path, served("flex"))
    records = asked(made)
    made.context.flex_fallback = None
    again = PaperCalls(made.context, carried=records)
    assert again.ask(REQUEST).content == "answer"
    assert again.records == []


def test_a_dearer_tier_is_told_and_reserved_for_from_then_on(tmp_path: Path) -> None:
    dear = PRICE.model_copy(update={"completion": 40_000_000})
    made = bench(tmp_path, served("priority"), tariff=ModelTariff(PRICE, {"priority": dear}), fallback=None)
    (call,) = asked(made)
    assert (call.tier, call.code, call.cost) == ("priority", "over_reservation", 810_000)
    assert made.context.tariff.worst(made.context.tiers_seen) == dear


def test_without_tiers_a_record_says_nothing_of_them(tmp_path: Path) -> None:
    made = bench(tmp_path, GOOD, tariff=ModelTariff(PRICE), fallback=None)
    (call,) = asked(made)
    assert not {"tier", "fallback"} & call.model_dump().keys()
    assert made.model.requests == [REQUEST]


def at_hour(folder: Path, moment: str, *outcomes: ChatAnswer | ModelCallError, latency: float = 1.0) -> Bench:
    made = bench(folder, *outcomes, tariff=BY_HOUR, fallback=None)
    made.clock.advance(at(moment) - made.clock.now())
    made.model._latency = latency
    return made


def test_a_call_is_booked_at_the_dearer_of_its_start_and_its_end(tmp_path: Path) -> None:
    made = at_hour(tmp_path, "2026-11-30 05:59:30", GOOD, latency=45.0)
    (call,) = asked(made)
    assert (call.tier, call.cost, call.code) == ("peak", 50_000, None)
    made.clock.advance(6 * 3600)
    (call,) = asked(made, generation=2)
    assert (call.tier, call.cost) == ("offpeak", 25_000)


def test_no_call_starts_that_could_end_in_a_dear_hour(tmp_path: Path) -> None:
    made = at_hour(tmp_path, "2026-11-30 05:58:30", GOOD)
    made.context.offpeak = True
    asked(made)
    made.clock.advance(30)  # a call may take 60 seconds
    with pytest.raises(StoppedError):
        PaperCalls(made.context, generation=2).ask(REQUEST)
    assert len(made.model.requests) == 1
    assert made.stop.reason == "dear hours: goes on at 2026-11-30 10:00 UTC"


def test_a_call_that_waits_for_its_turn_into_a_dear_hour_is_within_what_was_reserved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = at_hour(tmp_path, "2026-11-30 05:59:30", GOOD)
    slot = made.job.limiter.slot

    def late(tokens: int, give_up: Callable[[], bool]) -> AbstractContextManager[Slot]:
        made.clock.advance(60)
        return slot(tokens, give_up)

    monkeypatch.setattr(made.job.limiter, "slot", late)
    (call,) = asked(made)
    assert (call.tier, call.cost, call.code) == ("peak", 50_000, None)


def test_tiers_without_a_price_are_one_however_many_names_they_have(tmp_path: Path) -> None:
    names = [f"tier-{number}" for number in range(30)]
    made = at_hour(tmp_path, "2026-11-30 12:00:00", *map(served, names))
    calls = [asked(made, generation)[0] for generation, _ in enumerate(names, 1)]
    assert {(call.tier, call.cost, call.code) for call in calls} == {("other", 50_000, None)}
    assert made.context.tiers_seen == {"other"}
