"""The calls of one paper: each is limited, reserved, sent, retried and booked exactly once."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Iterable
from typing import NoReturn

from handlers.domain.call import CallRecord, ChatAnswer, ChatRequest
from handlers.domain.call_errors import (
    AdaptedError,
    CapacityError,
    FatalError,
    ModelCallError,
    ThrottledError,
    TransientError,
)
from handlers.domain.money import NanoUsd
from handlers.errors import BudgetSpentError, StoppedError
from handlers.llm.limits.backoff import delay
from handlers.llm.limits.congestion import UNANSWERED
from handlers.llm.prices.tariff import FLEX
from handlers.pipeline.calls.call_outcomes import Quote
from handlers.pipeline.calls.one_call import OneCall, Outcome
from handlers.pipeline.calls.paper_start import PaperStart, pending_without_ledger
from handlers.pipeline.calls.thinking import is_whole
from handlers.pipeline.context import RunContext

logger = logging.getLogger(__name__)

MAX_TRIES = 6
"""Transient failures of one request before its paper is failed; twice as many where they cost nothing and no
other call was answered meanwhile, for that may be an outage and none of the paper's doing."""
BACKOFF_BASE, BACKOFF_CAP = 0.5, 20.0
"""Seconds; see ``llm.backoff.delay``."""
_GROWTH = 1.25
_NOT_SERVED = (
    "nothing but refusals for the rate (429) for ten minutes; wait for the quota to come back, ask for fewer "
    "workers or a lower --rpm, then run again"
)


class PaperCalls:
    """``ask`` for one paper, or one of its passages. Answers that an interrupted attempt paid for are
    returned again at no cost."""

    def __init__(
        self,
        context: RunContext,
        carried: Iterable[CallRecord] = (),
        *,
        generation: int = 1,
        batch: str = "",
        paper: str = "",
    ) -> None:
        """A later ``generation`` asks again, whatever the job remembers of the one before; ``batch`` and
        ``paper`` are for the log alone."""
        self._context = context
        self._generation = generation
        self.labels = {"run": context.run_id, "batch": batch, "paper": paper}
        self._clock = context.job.backend.clock
        self.carried = tuple(carried)
        self.records: list[CallRecord] = []
        self.keep: Callable[[], None] | None = None
        """Hands over a line with what was answered before another request is sent: a kill repeats of several
        calls the last one."""
        self._sent_at = 0.0
        self.waited = 0.0
        """Seconds spent waiting for slots, budget and backoff."""
        self.given: list[CallRecord] = []
        """Those whose answers were given again."""
        self.made_up = False
        """Whether an answer is the built-in model server's."""
        whole = [call for call in self.carried if is_whole(call)]
        self._replay = {call.request: call for call in whole if not call.made_up or context.is_built_in()}
        self.start = PaperStart(context, made=bool(self.carried))

    def of_passage(self, key: str) -> PaperCalls:
        """Those of one passage, with records of their own: what is known and the paper's start are shared."""
        made = copy.copy(self)
        made.labels = self.labels | {"passage": key}
        made.records, made.given = [], []
        return made

    def set_down(self) -> None:
        """The calls so far lie in a line of their own, which books them."""
        self.carried, self.records = (*self.carried, *self.records), []

    def ask(self, request: ChatRequest) -> ChatAnswer:
        """ports.Ask. StoppedError: the job drains or the run is parked, and the paper stays pending."""
        digest = request.digest
        if (known := self._replay.get(digest)) is not None:
            self.made_up = self.made_up or known.made_up
            self.given.append(known)
            return ChatAnswer(content=known.raw or "", finish_reason=known.finish_reason, usage=known.usage)
        if self.keep is not None and any(map(is_whole, self.records)):
            self.keep()
            self.set_down()
        before = self._clock.monotonic()
        with self._context.flights.join(f"{digest}/{self._generation}", self._cannot_wait) as flight:
            if flight.answer is not None:
                self.waited += self._clock.monotonic() - before
            else:
                flight.answer = self._context.roomy(self._persist)(request)
            self.made_up = self.made_up or flight.answer.made_up
            return flight.answer

    def _cannot_wait(self) -> bool:
        """A paper that has calls to book must not wait for one that waits for the budget: what is not booked
        counts as outstanding, and both would wait for each other."""
        if self.records and self._context.budget.is_short:
            self._context.short_of_money = True
            return True
        return self._context.give_up()

    def _persist(self, request: ChatRequest) -> ChatAnswer:
        """Call until there is an answer, or no hope of one."""
        tries, failed_before, tiers = 0, math.inf, self._context.tier_choice()
        answered = self._context.breaker.answered
        for attempt in range(1, 1_000_000):
            failure: ThrottledError | TransientError
            try:
                sent = tiers.applied(request, self._clock.monotonic())
                return self._one_call(OneCall(self._context, sent, attempt, self.labels))
            except ThrottledError as error:
                if isinstance(error, CapacityError) and sent.tier == FLEX:
                    self._wait(tiers.full(self._clock.monotonic(), error.retry_after, self._clock.random))
                    continue
                if self._context.breaker.starved:
                    self._park(f"throttled: {_NOT_SERVED}; the last one: {error}")
                failure, doublings = error, attempt
            except AdaptedError:
                continue
            except TransientError as error:
                tries += error.reached and not self._context.breaker.open
                breaker = self._context.breaker
                if breaker.hopeless:
                    silent = f"no answer for {breaker.silent:.0f} s"
                    self._park(f"endpoint_unavailable: {silent}; last error: {error}")
                if breaker.absent and self._context.is_unanswered():
                    self._park(f"endpoint_unavailable: {error}")
                outage = breaker.answered == answered and not error.indeterminate
                if tries >= MAX_TRIES * (1 + outage):
                    raise
                failure, doublings = error, tries + 1
            except FatalError as error:
                self._park(f"{error.code}: {error}")
            apart = max(0.0, self._sent_at - failed_before)
            failed_before = self._clock.monotonic()
            self._back_off(doublings, failure.retry_after, apart=apart)
        raise StoppedError("out of attempts")

    def _back_off(self, doublings: int, retry_after: float | None, *, apart: float) -> None:
        """Wait before the next try. ``apart``: seconds from the failure before to the last send, waits for
        a slot included. Where the API asks for no wait of its own, the next wait is longer than ``apart``,
        which was not enough."""
        seconds = delay(doublings, BACKOFF_BASE, BACKOFF_CAP, self._clock.random, retry_after=retry_after)
        grown = min(BACKOFF_CAP, _GROWTH * apart) if retry_after is None else 0.0
        self._wait(max(seconds, grown))

    def _park(self, reason: str) -> NoReturn:
        with pending_without_ledger():
            self._context.park(reason)
        raise StoppedError(reason)

    def _one_call(self, call: OneCall) -> ChatAnswer:
        """Reserve, wait for a slot, send and settle."""
        context = self._context
        context.wait_for_ledger()
        context.call_seconds()
        self.start.make()
        quote = call.quote
        before = self._clock.monotonic()
        self._reserve(quote)
        taken = NanoUsd(0)
        try:
            with context.job.limiter.slot(context.estimator.tokens(call.request), context.give_up) as slot:
                self.waited += self._clock.monotonic() - before
                if context.give_up():
                    raise StoppedError(context.why())
                seconds = context.call_seconds()
                taken = quote.worst  # until the call is booked, whatever ends this thread
                self._sent_at = self._clock.monotonic()
                record, own, outcome = self._send(call, seconds)
                taken = NanoUsd(record.cost + record.held)
                if isinstance(own, ThrottledError) and not isinstance(own, CapacityError):
                    slot.throttled(own.retry_after)
                elif isinstance(own, ChatAnswer):
                    slot.succeeded()
                elif own.code in UNANSWERED:
                    context.meter.lost += slot.lost()
        finally:
            context.budget.settle(quote.worst, taken)
        if isinstance(outcome, ModelCallError):
            raise outcome
        return outcome

    def _send(self, call: OneCall, seconds: float) -> tuple[CallRecord, Outcome, Outcome]:
        """The call's record, what became of it, and what of the request: another may be sent beside it."""
        hedges = self._context.hedges
        if hedges is None:
            record, own = call.send(seconds)
            self.records.append(record)
            return record, own, own
        with hedges.watch(call) as pair:
            record, own = call.send(seconds, pair.cut)
            pair.ended(own)
        if isinstance(own, ChatAnswer):
            hedges.learn(pair, record.latency)
        self.records += pair.records(record)
        return record, own, pair.answer(own)

    def _reserve(self, quote: Quote) -> None:
        context = self._context
        try:
            with pending_without_ledger():
                context.budget.reserve(quote.worst, context.give_up, patient=not self.records)
        except StoppedError:
            context.short_of_money = context.short_of_money or bool(self.records)
            raise
        except BudgetSpentError as error:
            self._park(f"budget_spent: {error}; run again with a larger --budget to go on")

    def _wait(self, seconds: float) -> None:
        before = self._clock.monotonic()
        try:
            self._context.pause(seconds)
        finally:
            self.waited += self._clock.monotonic() - before
