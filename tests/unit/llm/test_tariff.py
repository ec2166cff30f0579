"""What a call is reserved at and booked as, by tier and hour."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.domain.call import Usage
from handlers.domain.money import Price
from handlers.errors import UsageError
from handlers.llm.prices.pricing import price_table
from handlers.llm.prices.tariff import GivenPrices, ModelTariff, dearest, tariff_of
from tests.builders.tariffs import BY_HOUR, FLEX, HALF, PRICE, at, hours

CHEAP, DEAR = at("2026-11-30 12:00"), at("2026-11-30 02:00")
DEEPSEEK = GivenPrices(base_url="https://api.deepseek.com/v1")


@pytest.mark.parametrize(
    ("asked", "named", "tier", "price"),
    [
        ("", None, "", PRICE),
        ("", "default", "standard", PRICE),
        ("", "auto", "", PRICE),
        ("flex", "flex", "flex", HALF),
        ("flex", " Flex ", "flex", HALF),
        ("flex", "ON_DEMAND_FLEX", "flex", HALF),
        ("flex", "default", "standard", PRICE),
        ("flex", "on_demand", "standard", PRICE),
        ("flex", "auto", "standard", PRICE),
        ("flex", None, "standard", PRICE),  # nobody says that it was served there
        ("flex", "", "standard", PRICE),
        ("standard", None, "standard", PRICE),
        ("standard", "flex", "flex", HALF),
        ("flex", "priority", "other", PRICE),  # a price that nobody knows is not guessed
    ],
)
def test_a_call_is_booked_at_the_tier_that_its_answer_names(
    asked: str, named: str | None, tier: str, price: Price
) -> None:
    assert FLEX.booked(asked, named, CHEAP, CHEAP) == (tier, price)


def test_a_call_is_booked_at_the_dearest_moment_of_its_time() -> None:
    assert BY_HOUR.booked("", None, CHEAP, CHEAP + 60) == ("offpeak", HALF)
    assert BY_HOUR.booked("", None, DEAR, DEAR + 60) == ("peak", PRICE)
    edge = at("2026-11-30 06:00") - 30
    assert BY_HOUR.booked("", "default", edge, edge + 60) == ("peak", PRICE)
    assert BY_HOUR.booked("", None, edge, edge + 29) == ("offpeak", HALF)


TARIFFS = st.sampled_from((FLEX, BY_HOUR, replace(BY_HOUR, tiers={"flex": HALF}), ModelTariff(PRICE)))


@given(
    TARIFFS, st.sampled_from(("", "flex", "standard")),
    st.sampled_from((None, "flex", "default", "priority")), st.floats(0, 10**6), st.floats(0, 900),
    st.floats(0, 1), st.integers(0, 99), st.integers(0, 99),
)  # fmt: skip
def test_no_call_is_booked_at_more_than_it_was_reserved_at(
    tariff: ModelTariff, asked: str, named: str | None, after: float, most: float, share: float, cached: int,
    answer: int,
) -> None:  # fmt: skip
    start = at("2026-11-20 00:00") + after
    worst = tariff.worst(frozenset((asked,)) - {""})
    _, price = tariff.booked(asked, named, start, start + share * most)
    usage = Usage(prompt_tokens=99, completion_tokens=answer, cached_tokens=cached)
    assert usage.cost(price) <= usage.cost(worst)


def test_a_dearer_tier_that_was_seen_is_reserved_for() -> None:
    twice = Price(prompt=2_000_000, completion=4_000_000, cached=2_000_000)
    tariff = ModelTariff(PRICE, {"priority": twice})
    assert tariff.worst(frozenset(("priority",))) == tariff.worst(frozenset(("other",))) == twice
    assert tariff.worst(frozenset()) == PRICE


@pytest.mark.parametrize("model", ["gpt-4o-mini", "deepseek-flash"])
def test_without_a_flex_price_it_is_asked_for_and_never_halved(model: str) -> None:
    with pytest.raises(UsageError, match="--price-flex-in and --price-flex-out"):
        tariff_of(model, GivenPrices(), flex=True)
    with pytest.raises(UsageError, match="--price-flex-in"):
        tariff_of(model, GivenPrices(flex_out=Decimal("0.3")), flex=True)
    assert "flex" not in tariff_of(model, GivenPrices()).tiers


def test_a_flex_price_that_is_given_holds_and_its_cached_tokens_cost_what_others_do() -> None:
    tariff = tariff_of("gpt-4o-mini", GivenPrices(flex_in=Decimal("0.1"), flex_out=Decimal("0.4")), flex=True)
    assert tariff.tiers["flex"] == Price(prompt=100_000, completion=400_000, cached=100_000)
    with pytest.raises(UsageError, match="--price-flex-in"):
        tariff_of("gpt-4o-mini", GivenPrices(flex_in=Decimal("NaN"), flex_out=Decimal(1)), flex=True)


def test_hours_hold_at_the_vendors_own_address_or_where_they_are_asked_for() -> None:
    assert tariff_of("deepseek-flash", DEEPSEEK).hours is not None
    resold = GivenPrices(base_url="https://gateway.example.com/v1")
    assert tariff_of("deepseek-flash", resold).hours is None
    asked = tariff_of("deepseek-flash", replace(resold, offpeak=True))
    assert asked.hours is not None
    assert asked.hours.cheap == asked.standard, "what another address bills is not known to be less"
    assert tariff_of("deepseek-flash", replace(DEEPSEEK, price_in=Decimal(1))).hours is None
    with pytest.raises(UsageError, match="--hours offpeak: no prices by the hour"):
        tariff_of("gpt-4o-mini", replace(resold, offpeak=True))


def test_every_price_of_a_tier_or_an_hour_is_at_most_the_listed_one() -> None:
    for name, entry in price_table().items():
        cheap = [entry.hours.cheap] if entry.hours else []
        for price in (*cheap, *entry.tiers.values()):
            assert dearest(entry.price, price) == entry.price, name
        if entry.hours:
            assert entry.hours.source.startswith("https://"), name
            assert entry.hours.hosts, name


def test_it_says_when_it_goes_on() -> None:
    assert BY_HOUR.goes_on(DEAR, 60) == "goes on at 2026-11-30 04:00 UTC"
    never = ModelTariff(PRICE, hours=hours(dear=[{"days": "mon-sun", "hours": "00:00-00:00"}]))
    assert never.goes_on(DEAR, 60) == "no cheaper hour is known"
