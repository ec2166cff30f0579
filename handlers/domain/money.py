"""Money is integers: nano-USD for amounts, pico-USD for a token's price."""

from __future__ import annotations

import math
from typing import Annotated, NewType

from pydantic import Field

from handlers.domain.value import Frozen

NanoUsd = NewType("NanoUsd", int)
"""1 USD is 1_000_000_000."""
PicoUsd = NewType("PicoUsd", int)
"""1 USD per million tokens is 1_000_000 a token."""
NANO = 1_000_000_000
PICO_A_NANO = 1000
PICO = NANO * PICO_A_NANO
_SMALL = 0.001


class Price(Frozen):
    """What a token costs."""

    prompt: Annotated[PicoUsd, Field(ge=0)]
    completion: Annotated[PicoUsd, Field(ge=0)]
    cached: Annotated[PicoUsd, Field(ge=0)]


def usd(nano: float) -> float:
    """USD: the double nearest to the exact amount, whose shortest form has nine decimals at most."""
    return nano / NANO


def budget_words(amount: float) -> str:
    """USD in cents, or with four figures after the point where cents say little, or all nine."""
    if not amount:
        return "0"
    return f"{amount:.2f}" if amount >= 1 else f"{amount:.4f}" if amount >= 0.0001 else f"{amount:.9f}"


def dollars(amount: float) -> str:
    """``$12.3456``, ``$0.0042``, ``$0.000031``: four decimals, or of less than a tenth of a cent two figures
    that say something."""
    small = 0 < amount < _SMALL
    decimals = min(9, 1 - math.floor(math.log10(amount))) if small else 4
    return f"${amount:,.{decimals}f}"


def rounded_up(amount: int) -> NanoUsd:
    """Of pico-USD: a call's cost is never less than what is billed."""
    return NanoUsd(-(-amount // PICO_A_NANO))
