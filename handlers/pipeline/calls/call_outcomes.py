"""How a call ended, as its record says it: what became of it, and what is booked and held for it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from handlers.domain.call import CallOutcome, ChatAnswer, ChatRequest
from handlers.domain.call_errors import (
    FatalError,
    ModelCallError,
    RejectedError,
    ThrottledError,
    TransientError,
)
from handlers.domain.money import NanoUsd
from handlers.llm.prices.tariff import OTHER, STANDARD
from handlers.pipeline.context import RunContext

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Quote:
    """What a call may cost at most, and what it is expected to cost."""

    worst: NanoUsd
    expected: NanoUsd


@dataclass(frozen=True)
class Sent:
    """A call that has ended: its request, what it was quoted at, and when, in Unix seconds."""

    request: ChatRequest
    quote: Quote
    start: float
    end: float


def outcome_fields(
    outcome: ChatAnswer | ModelCallError, sent: Sent, context: RunContext
) -> dict[str, object]:
    """The fields of a record that depend on how the call ended."""
    money = _money(outcome, sent, context)
    if isinstance(outcome, ModelCallError):
        return money | {"outcome": _outcome(outcome), "code": outcome.code}
    code = None
    if outcome.usage is None:
        code = "usage_missing"
    elif money["cost"] > sent.quote.worst:
        code = "over_reservation"
    return money | {
        "outcome": "ok",
        "code": code,
        "raw": outcome.content,
        "finish_reason": outcome.finish_reason,
        "made_up": outcome.made_up,
    }


def _money(outcome: ChatAnswer | ModelCallError, sent: Sent, context: RunContext) -> dict[str, Any]:
    """By the usage where there is one, at the price of the tier that the answer names. As long as the cost is
    unknown the whole reservation stays taken: the estimate is booked, and the rest held."""
    asked = sent.request.tier
    named = outcome.tier if isinstance(outcome, ChatAnswer) else None
    tier, price = context.tariff.booked(asked, named, sent.start, sent.end)
    told: dict[str, Any] = {"fallback": asked == STANDARD}
    if named and tier not in context.tiers_seen:
        _see(tier, named, context)
    if (usage := outcome.usage) is not None:
        return told | {"tier": tier, "usage": usage, "cost": usage.cost(price)}
    if isinstance(outcome, ModelCallError) and not outcome.indeterminate:
        return told | {"cost": 0}
    cost, rest = sent.quote.expected, max(0, sent.quote.worst - sent.quote.expected)
    return told | {"tier": asked or tier, "cost": cost, "indeterminate": True, "held": rest}


def _see(tier: str, named: str, context: RunContext) -> None:
    """From now on calls are reserved for an answer in this tier too."""
    context.tiers_seen |= {tier}
    if tier == OTHER:
        logger.warning("answers name the tier %.60r, whose price is not known: booked at the dearest", named)


def _outcome(error: ModelCallError) -> CallOutcome:
    match error:
        case ThrottledError():
            return "throttled"
        case TransientError():
            return "transient"
        case FatalError():
            return "fatal"
        case RejectedError():
            return "refused"
    return "transient"
