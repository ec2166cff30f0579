"""What a call costs: known prices, the most it can cost, and what it will probably cost."""

from __future__ import annotations

import difflib
import threading
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_CEILING, Decimal
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from handlers.domain.call import CallKind, ChatRequest, Usage
from handlers.domain.money import PICO_A_NANO, NanoUsd, PicoUsd, Price, rounded_up
from handlers.errors import UsageError
from handlers.llm.prices.price_hours import PriceHours, read_hours
from handlers.rare_pattern import rare_pattern

_PICO_PER_TOKEN = 1_000_000
"""pico-USD per token at 1 USD per million tokens."""
_MAX_USD = Decimal(100_000)
_FRAMING = 256
"""Tokens that roles, separators and the start of the answer may add to a prompt."""
_COMPLETION_PER_TOKEN = 0.9
"""Answer tokens for each token of the last message, before anything is learned."""
_PRIOR_TOKENS = 200.0
"""Weight of that guess, in estimated tokens: less than one call's."""
_MEMORY = 0.998
"""Weight that a call loses with each later one: the mean of the last 500 or so counts."""
_SNAPSHOT = rare_pattern(r"-(?:\d{4}-\d{2}-\d{2}|20\d{6})$")


@dataclass(frozen=True)
class ListPrice:
    """A table entry: the price, the vendor's page that it comes from, and when it stood there."""

    price: Price
    vendor: str
    source: str
    date: date
    tiers: Mapping[str, Price] = field(default_factory=dict)
    """Service tier → its price, where the vendor states one."""
    hours: PriceHours | None = None
    """When ``price`` is more than is charged."""


@cache
def price_table() -> Mapping[str, ListPrice]:
    """Model name → list price, from ``prices.toml``."""
    text = resources.files("handlers.llm.prices").joinpath("prices.toml").read_text("utf-8")
    rows = tomllib.loads(text, parse_float=Decimal)
    return MappingProxyType({name: _listed(row) for name, row in rows.items()})


def _listed(row: Mapping[str, Any]) -> ListPrice:
    """Of a row's tables ``hours`` has prices by the hour, any other those of the tier that it is named
    after."""
    tables = {name: each for name, each in row.items() if isinstance(each, dict)}
    prices = {name: _of_row(each) for name, each in tables.items()}
    cheap = prices.pop("hours", None)
    hours = None if cheap is None else read_hours(tables["hours"], cheap)
    return ListPrice(_of_row(row), row["vendor"], row["source"], row["date"], prices, hours)


def _of_row(row: Mapping[str, Any]) -> Price:
    return _price(row["in"], row["out"], row.get("cached", row["in"]))


def price_of(
    model: str, *, price_in: Decimal | None, price_out: Decimal | None, price_cached: Decimal | None
) -> Price:
    """The price of a model; the arguments, in USD per million tokens, go before the table.

    Cached tokens cost ``price_in`` unless said otherwise. UsageError if a part of the price is
    neither given nor known.
    """
    check_prices(price_in=price_in, price_out=price_out, price_cached=price_cached)
    if price_in is not None and price_out is not None:
        return _price(price_in, price_out, price_in if price_cached is None else price_cached)
    listed = list_price(model)
    if listed is None:
        raise UsageError(_unknown(model))
    prompt = listed.price.prompt if price_in is None else _pico(price_in)
    completion = listed.price.completion if price_out is None else _pico(price_out)
    cached = prompt if price_in is not None else listed.price.cached
    return Price(
        prompt=prompt,
        completion=completion,
        cached=cached if price_cached is None else _pico(price_cached),
    )


def list_price(model: str) -> ListPrice | None:
    """The table's entry for a name, its dated snapshot (``gpt-4o-mini-2024-07-18``) or its vendor's
    path (``openai/gpt-4o-mini``, ``models/gemini-2.5-flash``); None if there is none.

    No other prefix counts: ``gpt-4o-mini-audio-preview`` has a price of its own.
    """
    table = price_table()
    name = model.strip().lower()
    for known in (name, _SNAPSHOT.sub("", name)):
        if known in table:
            return table[known]
        vendor, _, short = known.rpartition("/")
        entry = table.get(short)
        if entry is not None and vendor in (entry.vendor, "models"):
            return entry
    return None


def worst_cost(request_bytes: int, max_tokens: int, price: Price) -> NanoUsd:
    """What a call cannot exceed: a byte-level vocabulary makes at most one token of a byte.

    ``request_bytes``: UTF-8 length of all messages' texts. Where an API bills tokens that no bound of the
    request holds for (hidden reasoning past ``max_tokens``), ``CostEstimator.overrun`` allows for them.
    """
    prompt = (request_bytes + _FRAMING) * max(price.prompt, price.cached)
    return rounded_up(prompt + max_tokens * price.completion)


class CostEstimator:
    """What calls will probably cost, learned from those that were answered. Thread-safe.

    A call whose usage nobody knows is booked at this, so the sum over many calls must be right: it
    learns ratios of sums (actual over guessed tokens), not means of ratios.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._prompt = _Ratio(1.0)
        self._cached = _Ratio(0.0)
        self._completion: dict[CallKind, _Ratio] = {}
        self._overrun = 0

    @property
    def overrun(self) -> int:
        """The most tokens that a call has used beyond those that it was reckoned to use at worst."""
        return self._overrun

    def allow_overrun(self, overrun: int) -> None:
        """Allow for what was seen elsewhere in the run."""
        with self._lock:
            self._overrun = max(self._overrun, overrun)

    def worst(self, request: ChatRequest, price: Price) -> NanoUsd:
        """To reserve: what the call may cost, by its bounds and by the worst overrun so far."""
        most = 0 if request.kind == "embed" else request.max_tokens
        worst = worst_cost(_bytes(request), most, price)
        beyond = rounded_up(self._overrun * max(price.prompt, price.completion))
        return NanoUsd(max(worst + beyond, self.expect(request, price)))

    def tokens(self, request: ChatRequest) -> int:
        """Prompt and answer tokens to expect."""
        prompt, completion, _ = self._tokens(request)
        return max(1, round(prompt + completion))

    def expect(self, request: ChatRequest, price: Price) -> NanoUsd:
        """What to expect, by the calls that were answered."""
        prompt, completion, cached = self._tokens(request)
        pico = (prompt - cached) * price.prompt + cached * price.cached + completion * price.completion
        return NanoUsd(max(0, round(pico / PICO_A_NANO)))

    def learn(self, request: ChatRequest, usage: Usage) -> None:
        """Take in what an answered call used."""
        prompt, source = request.expected_tokens
        with self._lock:
            self._prompt.add(usage.prompt_tokens, prompt)
            self._cached.add(usage.cached_tokens, usage.prompt_tokens)
            self._ratio(request.kind).add(usage.completion_tokens, source)
            prompt_beyond = max(0, usage.prompt_tokens - _bytes(request) - _FRAMING)
            answer_beyond = max(0, usage.completion_tokens - request.max_tokens)
            self._overrun = max(self._overrun, prompt_beyond + answer_beyond)

    def _tokens(self, request: ChatRequest) -> tuple[float, float, float]:
        """(prompt, completion, cached part of the prompt)."""
        prompt, source = request.expected_tokens
        with self._lock:
            prompt *= self._prompt.value
            completion = source * self._ratio(request.kind).value
            return prompt, min(completion, float(request.max_tokens)), prompt * self._cached.value

    def _ratio(self, kind: CallKind) -> _Ratio:
        """Repairs and splits start from what first requests taught; a task's own guess needs no factor."""
        if kind not in self._completion:
            known = self._completion.get("translate") or self._completion.get("ask")
            guess = 1.0 if kind == "ask" else _COMPLETION_PER_TOKEN
            self._completion[kind] = _Ratio(known.value if known else guess)
        return self._completion[kind]


class _Ratio:
    """A ratio of two sums with a fading memory, begun with a guess."""

    def __init__(self, guess: float) -> None:
        self._actual = guess * _PRIOR_TOKENS
        self._guessed = _PRIOR_TOKENS

    @property
    def value(self) -> float:
        return self._actual / self._guessed

    def add(self, actual: float, guessed: float) -> None:
        self._actual = self._actual * _MEMORY + actual
        self._guessed = self._guessed * _MEMORY + guessed


def _bytes(request: ChatRequest) -> int:
    return sum(size for _, size in request.sizes)


def _price(prompt: Decimal | int, completion: Decimal | int, cached: Decimal | int) -> Price:
    return Price(prompt=_pico(prompt), completion=_pico(completion), cached=_pico(cached))


def _pico(usd: Decimal | int) -> int:
    return int((Decimal(usd) * _PICO_PER_TOKEN).to_integral_value(ROUND_CEILING))


def price_from(
    price_in: Decimal | None, price_out: Decimal | None, price_cached: Decimal | None
) -> dict[str, PicoUsd]:
    """The parts of a price that are given."""
    parts = {"prompt": price_in, "completion": price_out, "cached": price_cached}
    return {name: PicoUsd(_pico(usd)) for name, usd in parts.items() if usd is not None}


def check_prices(**prices: Decimal | None) -> None:
    """UsageError names the flag whose price is none."""
    for name, usd in prices.items():
        if usd is not None and not (usd.is_finite() and 0 <= usd <= _MAX_USD):
            flag = "--" + name.replace("_", "-")
            raise UsageError(f"{flag} {usd} is no price: give USD per million tokens, 0 to {_MAX_USD}")


def _unknown(model: str) -> str:
    names = difflib.get_close_matches(model[:100].lower(), price_table(), n=3, cutoff=0.5)
    nearest = f" Known names near it: {', '.join(names)}." if names else ""
    return (
        f"no price is known for model {model[:100]!r}: give --price-in and --price-out, in USD per million "
        f"tokens (and --price-cached, if cached tokens cost less).{nearest}"
    )
