"""One request on its way, once: what it may cost, how it is sent, and its record."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from handlers.domain.call import CallRecord, ChatAnswer, ChatRequest
from handlers.domain.call_errors import (
    AdaptedError,
    CapacityError,
    ModelCallError,
    RejectedError,
    ThrottledError,
    TransientError,
)
from handlers.llm.prices.tariff import FLEX
from handlers.pipeline.calls.call_cut import CallCut
from handlers.pipeline.calls.call_outcomes import Quote, Sent, outcome_fields
from handlers.pipeline.calls.thinking import cut_off
from handlers.pipeline.context import RunContext

logger = logging.getLogger(__name__)

OUTRUN = "outrun"
"""Class of a call that was cut off because the one beside it had an answer."""
Outcome = ChatAnswer | ModelCallError


@dataclass(frozen=True)
class OneCall:
    """``attempt`` counts from 1; ``labels`` are for the log; a ``hedge`` goes beside a call of the same
    request."""

    context: RunContext
    request: ChatRequest
    attempt: int
    labels: Mapping[str, str]
    hedge: bool = False

    @cached_property
    def quote(self) -> Quote:
        """At worst, what the request costs in the dearest tier that may answer it, as one that is asked for
        flex may answer in another."""
        context, request = self.context, self.request
        now = context.job.backend.clock.now()
        tiers = context.tiers_seen | ({request.tier} if request.tier else frozenset())
        worst = context.tariff.worst(tiers)
        likely = context.tariff.booked("", request.tier, now, now)[1]
        estimator = context.estimator
        return Quote(estimator.worst(request, worst), estimator.expect(request, likely))

    def send(self, timeout: float, cut: CallCut | None = None) -> tuple[CallRecord, Outcome]:
        """One HTTP call and its record, whatever became of it."""
        context, clock = self.context, self.context.job.backend.clock
        started_at, start = clock.now(), clock.monotonic()
        outcome: Outcome
        try:
            with context.breaker.call():
                if cut is None:
                    outcome = context.model.complete(self.request, timeout=timeout)
                else:
                    outcome = context.model.complete(self.request, timeout=timeout, cut=cut)
        except ModelCallError as error:
            outcome = error
            if cut is not None and cut.asked and error.code == "aborted":
                outcome = outrun(indeterminate=error.indeterminate)
        except Exception as error:  # ours, in reading the answer: the call was charged all the same
            logger.exception("a call ended in an error that nobody foresaw")
            name = type(error).__name__
            outcome = RejectedError(f"{name}: {error}"[:500], code=name, indeterminate=True)
        record = self.record(outcome, started_at, clock.monotonic() - start)
        context.meter.call(record)
        self._learn(record, outcome)
        return record, outcome

    def record(self, outcome: Outcome, started_at: float, latency: float) -> CallRecord:
        """Of this call, which began then (Unix seconds) and took so many seconds."""
        request, quote = self.request, self.quote
        sent = Sent(request, quote, started_at, started_at + latency)
        kind = {"kind": "hedge", "hedged": request.kind} if self.hedge else {"kind": request.kind}
        fields = outcome_fields(outcome, sent, self.context) | cut_off(request, outcome) | kind
        return CallRecord(
            id=secrets.token_hex(8),
            attempt=self.attempt,
            request=request.digest,
            estimate=quote.expected,
            started_at=started_at,
            latency=latency,
            **fields,
        )

    def _learn(self, record: CallRecord, outcome: Outcome) -> None:
        """Log a failure, and let the breaker and the estimator know how the call ended."""
        breaker = self.context.breaker
        if isinstance(outcome, ModelCallError):
            seconds = round(record.latency, 3)
            details = {"attempt": record.attempt, "code": outcome.code, "seconds": seconds}
            logger.info("call ended in %s", outcome.code, extra={**self.labels, **details})
        if outcome.usage is not None:
            self.context.estimator.learn(self.request, outcome.usage)
        if isinstance(outcome, ChatAnswer):
            breaker.succeeded()
        elif isinstance(outcome, TransientError):
            if not isinstance(outcome, AdaptedError) and outcome.code != OUTRUN:
                breaker.failed(reached=outcome.reached)
        elif isinstance(outcome, CapacityError) and self.request.tier == FLEX:
            breaker.full()
        elif isinstance(outcome, ThrottledError):
            breaker.throttled()


def outrun(*, indeterminate: bool = True) -> TransientError:
    """The end of a call that was cut off for the one beside it."""
    return TransientError("the call beside it had an answer", code=OUTRUN, indeterminate=indeterminate)
