"""A tariff with a flex tier and dear hours, for tests."""

from __future__ import annotations

import datetime
from typing import Any

from handlers.domain.money import Price
from handlers.llm.prices.price_hours import PriceHours, read_hours
from handlers.llm.prices.tariff import ModelTariff

PRICE = Price(prompt=1_000_000, completion=2_000_000, cached=1_000_000)
HALF = Price(prompt=500_000, completion=1_000_000, cached=100_000)
DEEP = {
    "zone": "UTC",
    "dear": [{"days": "mon-fri", "hours": "01:00-04:00"}, {"days": "mon-fri", "hours": "06:00-10:00"}],
    "hosts": ["api.example.com"],
    "source": "https://example.com/prices",
    "date": datetime.date(2026, 10, 1),
}


def hours(cheap: Price = HALF, **changes: Any) -> PriceHours:
    return read_hours({**DEEP, **changes}, cheap)


FLEX = ModelTariff(PRICE, {"flex": HALF})
BY_HOUR = ModelTariff(PRICE, hours=hours())


def at(text: str) -> float:
    """Unix seconds of a moment such as ``2026-11-30 00:59``, in UTC unless it says otherwise."""
    moment = datetime.datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()
