"""How a call ended, as its record says it: what became of it, and what is booked and held for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from handlers.domain.call import CallOutcome, ChatAnswer
from handlers.domain.call_errors import (
    FatalError,
    ModelCallError,
    RejectedError,
    ThrottledError,
    TransientError,
)
from handlers.domain.money import NanoUsd
from handlers.pipeline.context import RunContext


@dataclass(frozen=True)
class Quote:
    """What a call may cost at most, and what it is expected to cost."""

    worst: NanoUsd
    expected: NanoUsd


def outcome_fields(
    outcome: ChatAnswer | ModelCallError, quote: Quote, context: RunContext
) -> dict[str, object]:
    """The fields of a record that depend on how the call ended."""
    money = _money(outcome, quote, context)
    if isinstance(outcome, ModelCallError):
        return money | {"outcome": _outcome(outcome), "code": outcome.code}
    code = None
    if outcome.usage is None:
        code = "usage_missing"
    elif money["cost"] > quote.worst:
        code = "over_reservation"
    return money | {
        "outcome": "ok",
        "code": code,
        "raw": outcome.content,
        "finish_reason": outcome.finish_reason,
    }


def _money(outcome: ChatAnswer | ModelCallError, quote: Quote, context: RunContext) -> dict[str, Any]:
    """By the usage where there is one. As long as the cost is unknown the whole reservation stays taken: the
    estimate is booked, and the rest held."""
    if (usage := outcome.usage) is not None:
        return {"usage": usage, "cost": usage.cost(context.price)}
    if isinstance(outcome, ModelCallError) and not outcome.indeterminate:
        return {"cost": 0}
    rest = max(0, quote.worst - quote.expected)
    return {"cost": quote.expected, "indeterminate": True, "held": rest}


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
