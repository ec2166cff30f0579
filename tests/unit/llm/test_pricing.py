from __future__ import annotations

import datetime
import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.domain.call import ChatRequest, Message, Usage
from handlers.domain.money import Price
from handlers.errors import UsageError
from handlers.llm.prices.pricing import CostEstimator, list_price, price_of, price_table, worst_cost

MINI = Price(prompt=150_000, completion=600_000, cached=75_000)


def listed(model: str) -> Price:
    return price_of(model, price_in=None, price_out=None, price_cached=None)


def test_every_price_says_where_it_is_from_and_when() -> None:
    for name, entry in price_table().items():
        assert entry.source.startswith("https://") or name.startswith("paperfleet-"), name
        assert isinstance(entry.date, datetime.date), name
        assert 0 < entry.price.cached <= entry.price.prompt <= entry.price.completion, name


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o-mini",
        "GPT-4o-mini",
        "gpt-4o-mini-2024-07-18",
        "openai/gpt-4o-mini",
        "paperfleet-gloss",
        "paperfleet-canned",
    ],
)
def test_a_known_name_its_snapshots_and_its_vendors_path_have_a_price(name: str) -> None:
    assert listed(name) == MINI


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o-mini-audio-preview",
        "gpt-4o",
        "gpt-4o-mini:free",
        "ft:gpt-4o-mini",
        "evil/gpt-4o-mini",
        "",
        "/",
        "x" * 10_000,
    ],
)
def test_a_name_that_is_merely_alike_has_none(name: str) -> None:
    assert list_price(name) is None


def test_an_unknown_model_is_an_error_that_names_the_flags_and_the_nearest_names() -> None:
    with pytest.raises(UsageError, match=r"--price-in and --price-out.*gpt-4o-mini"):
        listed("gpt-4o-mni")


def test_prices_given_go_before_the_table() -> None:
    given_price = price_of("gpt-4o-mini", price_in=Decimal("1.25"), price_out=Decimal(5), price_cached=None)
    assert given_price == Price(prompt=1_250_000, completion=5_000_000, cached=1_250_000)
    partly = price_of("gpt-4o-mini", price_in=None, price_out=Decimal(1), price_cached=Decimal("0.01"))
    assert partly == Price(prompt=150_000, completion=1_000_000, cached=10_000)


def test_one_price_alone_is_not_enough_for_an_unknown_model() -> None:
    with pytest.raises(UsageError):
        price_of("mine", price_in=Decimal(1), price_out=None, price_cached=None)


@pytest.mark.parametrize("bad", ["-1", "NaN", "Infinity", "1e9"])
def test_a_price_that_is_none_is_an_error_that_names_its_flag(bad: str) -> None:
    with pytest.raises(UsageError, match="--price-in"):
        price_of("gpt-4o-mini", price_in=Decimal(bad), price_out=Decimal(1), price_cached=None)


@given(text=st.text(max_size=300), answer=st.integers(0, 500), cap=st.integers(1, 500))
def test_no_byte_level_vocabulary_costs_more_than_the_worst(text: str, answer: int, cap: int) -> None:
    size = len(text.encode("utf-8", "surrogatepass"))
    usage = Usage(prompt_tokens=size + 20, completion_tokens=min(answer, cap))
    assert usage.cost(MINI) <= worst_cost(size, cap, MINI)


def simulated_calls(count: int, seed: int) -> list[tuple[ChatRequest, Usage]]:
    """Papers of very different lengths, a vocabulary unlike the guess, part of the prompt cached."""
    chance = random.Random(seed)
    calls = []
    for _ in range(count):
        length = int(chance.lognormvariate(6, 0.6)) + 20
        text = "量子计算" * (length // 5) + " with some English x^2" * (length // 40)
        request = ChatRequest(
            messages=(Message(role="system", content="Translate. " * 60), Message(role="user", content=text)),
            max_tokens=20_000,
        )
        prompt = 150 + int(length * chance.gauss(1.15, 0.1)) + 10
        usage = Usage(
            prompt_tokens=prompt,
            completion_tokens=max(1, int(length * chance.gauss(0.55, 0.08))),
            cached_tokens=128 if chance.random() < 0.8 else 0,
        )
        calls.append((request, usage))
    return calls


@pytest.mark.parametrize("seed", range(5))
def test_the_sum_of_expected_costs_is_within_two_percent_of_the_bill(seed: int) -> None:
    estimator = CostEstimator()
    expected = actual = 0
    for request, usage in simulated_calls(1_000, seed):
        expected += estimator.expect(request, MINI)
        actual += usage.cost(MINI)
        estimator.learn(request, usage)
    assert abs(expected / actual - 1) < 0.02


@pytest.mark.parametrize("seed", range(5))
def test_after_some_dozens_of_calls_the_expectation_of_those_left_unknown_is_right(seed: int) -> None:
    estimator = CostEstimator()
    calls = simulated_calls(1_060, seed)
    for request, usage in calls[:60]:
        estimator.learn(request, usage)
    expected = sum(estimator.expect(request, MINI) for request, _ in calls[60:])
    assert abs(expected / sum(usage.cost(MINI) for _, usage in calls[60:]) - 1) < 0.05


def test_an_expected_answer_is_never_longer_than_its_limit() -> None:
    request = ChatRequest(messages=(Message(role="user", content="中" * 10_000),), max_tokens=10)
    price = Price(prompt=0, completion=1_000_000, cached=0)
    assert CostEstimator().expect(request, price) == 10_000


def test_repairs_start_from_what_translations_taught_and_then_learn_their_own() -> None:
    estimator = CostEstimator()
    message = (Message(role="user", content="word " * 400),)
    translate = ChatRequest(messages=message, max_tokens=9_000)
    repair = translate.model_copy(update={"kind": "repair"})
    for _ in range(50):
        estimator.learn(translate, Usage(prompt_tokens=500, completion_tokens=2_000))
    assert abs(estimator.tokens(repair) / estimator.tokens(translate) - 1) < 0.01
    for _ in range(50):
        estimator.learn(repair, Usage(prompt_tokens=500, completion_tokens=100))
    assert estimator.tokens(repair) < estimator.tokens(translate) / 2
