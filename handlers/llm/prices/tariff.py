"""What a model's tokens cost by service tier and by hour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urlsplit

from handlers.domain.money import Price
from handlers.errors import UsageError
from handlers.llm.prices.price_hours import PriceHours
from handlers.llm.prices.pricing import check_prices, list_price, price_from, price_of

STANDARD, FLEX, PEAK, OFFPEAK = "standard", "flex", "peak", "offpeak"
OTHER = "other"
"""A tier whose price is not known, whatever the API calls it: its words are strangers' and without number."""
_NAMES = {
    "default": STANDARD,
    "on_demand": STANDARD,
    "on-demand": STANDARD,
    "standard_only": STANDARD,
    "on_demand_flex": FLEX,
    "auto": "",
}
"""The APIs' other words for a tier; ``auto`` is a request's and says of an answer nothing."""


@dataclass(frozen=True)
class ModelTariff:
    """``standard`` is the dearest price of the standard tier. Times are Unix seconds."""

    standard: Price
    tiers: Mapping[str, Price] = field(default_factory=dict)
    """Tier → its price, where it is known."""
    hours: PriceHours | None = None

    def booked(self, asked: str, named: str | None, start: float, end: float) -> tuple[str, Price]:
        """(tier, price) that a call is booked as, which was asked of tier ``asked`` and whose answer names
        ``named``. An answer that names none may have been served in the standard tier; a tier without a known
        price is taken for the dearest."""
        tier = tier_name(named) or (STANDARD if asked else "")
        if tier in self.tiers:
            return tier, self.tiers[tier]
        if tier not in ("", STANDARD):
            return OTHER, dearest(self.standard, *self.tiers.values())
        if self.hours is None:
            return tier, self.standard
        dear = self.is_dear(start, end)
        return (PEAK, self.standard) if dear else (OFFPEAK, self.hours.cheap)

    def worst(self, tiers: frozenset[str]) -> Price:
        """The dearest price, for each kind of token, of a call at any of these tiers or the standard one, at
        any hour: an answer may name another tier than the one whose hours are cheap."""
        known = self.tiers.keys() if OTHER in tiers else tiers & self.tiers.keys()
        return dearest(self.standard, *(self.tiers[each] for each in known)) if known else self.standard

    def next_cheap(self, now: float, seconds: float) -> float | None:
        return None if self.hours is None else self.hours.next_cheap(now, seconds)

    def goes_on(self, now: float, seconds: float) -> str:
        """When a call of at most ``seconds`` ends in a cheap hour again, in words."""
        moment = self.next_cheap(now, seconds)
        if moment is None:
            return "no cheaper hour is known"
        return f"goes on at {datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"

    def is_dear(self, start: float, end: float) -> bool:
        return self.hours is None or self.hours.is_dear(start, end)


@dataclass(frozen=True)
class GivenPrices:
    """What the user says of prices, in USD per million tokens, and of the endpoint that they hold for."""

    price_in: Decimal | None = None
    price_out: Decimal | None = None
    price_cached: Decimal | None = None
    flex_in: Decimal | None = None
    flex_out: Decimal | None = None
    flex_cached: Decimal | None = None
    base_url: str | None = None
    offpeak: bool = False
    """True where the user says that the endpoint is cheaper by the hour."""

    @property
    def standard_is_given(self) -> bool:
        return any(each is not None for each in (self.price_in, self.price_out, self.price_cached))


def tariff_of(model: str, given: GivenPrices, *, flex: bool = False) -> ModelTariff:
    """A model's tariff; what is given goes before the table, and where a standard price is given nothing of
    the table's tiers and hours holds. UsageError names the price that is neither given nor known."""
    standard = price_of(
        model, price_in=given.price_in, price_out=given.price_out, price_cached=given.price_cached
    )
    listed = None if given.standard_is_given else list_price(model)
    tiers = dict(listed.tiers) if listed else {}
    price = flex_price(tiers.get(FLEX), given)
    if price is not None:
        tiers[FLEX] = price
    elif flex:
        raise UsageError(missing_flex_price(model))
    hours = listed.hours if listed else None
    if hours is not None and not is_billed_by(hours, given.base_url):
        # Whoever says that another address has the same hours is heard; what it bills then is not known.
        hours = replace(hours, cheap=standard) if given.offpeak else None
    if given.offpeak and hours is None:
        raise UsageError(f"--hours offpeak: {missing_hours(model)}")
    return ModelTariff(standard, tiers, hours)


def is_billed_by(hours: PriceHours, base_url: str | None) -> bool:
    """Whether the bills of an address are known to go by these hours."""
    return (urlsplit(base_url or "").hostname or "").lower() in hours.hosts


def flex_price(listed: Price | None, given: GivenPrices) -> Price | None:
    """The flex tier's price, None if a part of it is neither given nor listed. Cached tokens cost what others
    do unless said otherwise."""
    check_prices(
        price_flex_in=given.flex_in, price_flex_out=given.flex_out, price_flex_cached=given.flex_cached
    )
    known = price_from(given.flex_in, given.flex_out, given.flex_cached)
    prompt = known.get("prompt", listed.prompt if listed else None)
    completion = known.get("completion", listed.completion if listed else None)
    if prompt is None or completion is None:
        return None
    cached = listed.cached if listed and "prompt" not in known else prompt
    return Price(prompt=prompt, completion=completion, cached=known.get("cached", cached))


def missing_flex_price(model: str) -> str:
    return (
        f"no flex price is known for model {model[:100]!r}: give --price-flex-in and --price-flex-out, in USD"
        " per million tokens (and --price-flex-cached, if cached tokens cost less); it is not taken to be"
        " half of the standard one"
    )


def missing_hours(model: str) -> str:
    return (
        f"no prices by the hour are known for model {model[:100]!r} (where --price-in, --price-out or"
        " --price-cached is given, the table's do not count)"
    )


def tier_name(word: str | None) -> str:
    """Ours for an API's word; "" if it says nothing."""
    name = (word or "").strip().lower()
    return _NAMES.get(name, name)


def dearest(*prices: Price) -> Price:
    """The highest of each part."""
    return Price(
        prompt=max(each.prompt for each in prices),
        completion=max(each.completion for each in prices),
        cached=max(each.cached for each in prices),
    )
