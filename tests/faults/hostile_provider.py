"""How a call can end, what a hostile provider bills for it, and a ledger that nobody waits at."""

from __future__ import annotations

import random
from typing import Any

from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.call import ChatAnswer, ChatRequest, Usage
from handlers.domain.call_errors import ModelCallError, RejectedError, ThrottledError, TransientError
from handlers.domain.money import NanoUsd
from handlers.ledger_ports import Drawn
from handlers.llm.prices.pricing import worst_cost
from tests.faults.one_thread import PRICE

HONEST = ("ok", "stated", "filtered", "throttled", "http_500")
"""Billed as their usage says, or not at all."""
HOSTILE = (*HONEST, "silent", "timeout", "cut", "garbage", "unforeseen", "killed")


class KilledError(BaseException):
    """The process ends while its call is under way."""


class Impatient:
    """A ledger whose draws tell a job at once that it is short: in one thread, nobody gives money back."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger
        self.short = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def draw(self, run_id: str, job_id: str, seq: int, amount: NanoUsd) -> Drawn:
        word = self._ledger.draw(run_id, job_id, seq, amount)
        self.short = word != "drawn"
        return word


def some(chance: random.Random, most: int) -> int:
    """Often nothing, often all."""
    return chance.choice((0, most, most, chance.randint(0, most)))


def billed(end: str, request: ChatRequest, usage: Usage, chance: random.Random) -> int:
    """Nano-USD: up to what was reserved, where the answer does not say."""
    if end in ("ok", "stated", "filtered"):
        return usage.cost(PRICE)
    if end in HONEST:
        return 0
    size = sum(size for _, size in request.sizes)
    return some(chance, worst_cost(size, request.max_tokens, PRICE))


def answered(end: str, usage: Usage) -> ChatAnswer:
    """The answer, or the error that the client makes of it."""
    if end in ("ok", "silent"):
        return ChatAnswer(content="answer", finish_reason="stop", usage=usage if end == "ok" else None)
    if end == "unforeseen":
        raise KeyError("choices")
    if end == "killed":
        raise KilledError
    raise _error(end, usage)


def _error(end: str, usage: Usage) -> ModelCallError:
    error: ModelCallError
    match end:
        case "stated":
            error = TransientError("cut off while thinking", code="empty_answer")
            error.usage = usage
        case "filtered":
            error = RejectedError("filtered", code="content_filter")
            error.usage = usage
        case "throttled":
            error = ThrottledError("slow down", retry_after=None)
        case "http_500":
            error = TransientError("HTTP 500", code="http_500")
        case "garbage":
            error = RejectedError("no answer in it", code="bad_answer", indeterminate=True)
        case _:
            error = TransientError(end, code=end, indeterminate=True)
    return error
