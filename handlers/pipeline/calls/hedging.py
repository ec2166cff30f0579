"""A slow call's second sending, at a run's end: whichever is answered first counts, the other is cut off.

The last calls of a run keep it waiting while workers idle. Where a call's latency follows nothing that its
request shows, a second one is likely to be faster (Dean and Barroso, The Tail at Scale, 2013). Both are paid
for: each is a call of its own, reserved before it is sent and booked by its own end.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from handlers.domain.call import CallRecord, ChatAnswer
from handlers.domain.call_errors import FatalError, RejectedError, ThrottledError
from handlers.domain.money import NanoUsd
from handlers.errors import BudgetSpentError, StoppedError
from handlers.llm.limits.congestion import UNANSWERED
from handlers.pipeline.calls.call_cut import CallCut
from handlers.pipeline.calls.one_call import OneCall, Outcome, outrun
from handlers.pipeline.calls.slow_calls import SlowCalls
from handlers.ports import Clock

logger = logging.getLogger(__name__)

_LAST_WORDS = 1.0
"""Seconds that a call which was cut off gets to say what became of it."""


class CallPair:
    """A call in flight, and the one that may be sent beside it. Thread-safe: each has a thread of its own."""

    def __init__(self, call: OneCall) -> None:
        self.call = call
        self.expected = 0.0
        """Seconds that it usually takes."""
        self.cut, self._second_cut = CallCut(), CallCut()
        self._changed = threading.Condition()
        self._own: Outcome | None = None
        self._second: tuple[CallRecord, Outcome] | None = None
        self._flies = False
        self._sent_at = 0.0
        self.is_over = False

    def begin(self) -> bool:
        """Whether the second call is still wanted: it starts now."""
        with self._changed:
            self._flies = not self.is_over and self._own is None
            self._sent_at = self.call.context.job.backend.clock.now()
            return self._flies

    def second(self, timeout: float) -> tuple[CallRecord, Outcome]:
        """Send the second call; what counts as its end."""
        ended = None
        try:
            ended = replace(self.call, hedge=True).send(timeout, self._second_cut)
        finally:
            with self._changed:
                self._flies = False
                self._second = self._second or ended or self._unreached()
                if isinstance(self._second[1], ChatAnswer) and self._own is None:
                    self.cut.ask()
                self._changed.notify_all()
        return self._second

    def ended(self, outcome: Outcome) -> None:
        """The first call has; waits until the second has too, which is cut off if it can be of no use."""
        with self._changed:
            self._own = outcome
            useless = isinstance(outcome, ChatAnswer | FatalError | RejectedError)
            if self._flies and useless:
                self._second_cut.ask()
            self._changed.wait_for(lambda: not self._flies, _LAST_WORDS if useless else None)
            self.is_over = True
            if self._flies:  # it cannot be reached: booked as what it may have cost
                self._second = self._unreached()

    def _unreached(self) -> tuple[CallRecord, Outcome]:
        error = outrun()
        latency = self.call.context.job.backend.clock.now() - self._sent_at
        return replace(self.call, hedge=True).record(error, self._sent_at, max(0.0, latency)), error

    def records(self, own: CallRecord) -> list[CallRecord]:
        """Of both calls; the one whose answer counts comes last."""
        if self._second is None:
            return [own]
        first, second = own, self._second[0]
        return [second, first] if isinstance(self._own, ChatAnswer) else [first, second]

    def answer(self, own: Outcome) -> Outcome:
        """What became of the request: an answer if there is one."""
        if not isinstance(own, ChatAnswer) and self._second is not None:
            second = self._second[1]
            return second if isinstance(second, ChatAnswer) else own
        return own


class Hedges:
    """``SlowCalls`` for threads: a lock around each decision."""

    def __init__(self, share: float, clock: Clock) -> None:
        """``share``: of the job's calls, how many may be sent a second time."""
        self._calls: SlowCalls[CallPair] = SlowCalls(share)
        self._clock = clock
        self._lock = threading.Lock()

    @contextmanager
    def watch(self, call: OneCall) -> Iterator[CallPair]:
        """``call`` is in flight."""
        pair = CallPair(call)
        with self._lock:
            pair.expected = self._calls.began(pair, _size(pair), self._clock.monotonic())
        try:
            yield pair
        finally:
            with self._lock:
                self._calls.ended(pair)

    def learn(self, pair: CallPair, seconds: float) -> None:
        """The first call of a pair was answered after so long."""
        with self._lock:
            self._calls.answered(_size(pair), pair.expected, seconds)

    def slow(self, most: int) -> list[CallPair]:
        """Up to ``most`` calls that may be sent again now, the oldest first."""
        with self._lock:
            return self._calls.slow(most, self._clock.monotonic())

    def take(self, pair: CallPair) -> bool:
        """Whether a slow call is to be sent again; true once."""
        with self._lock:
            return self._calls.take(pair)

    def not_sent(self) -> None:
        """One of those that were taken was not sent."""
        with self._lock:
            self._calls.not_sent()


def _size(pair: CallPair) -> float:
    return pair.call.request.expected_tokens[1]


def send_again(pair: CallPair, hedges: Hedges) -> None:
    """Reserve the second call of a pair, send it and settle it. Never waits for money; never raises."""
    context, call = pair.call.context, pair.call

    def unwanted() -> bool:
        return pair.is_over or context.give_up()

    taken, reserved, sent = NanoUsd(0), NanoUsd(0), False
    try:
        timeout = context.spare_seconds()
        context.budget.reserve(call.quote.worst, unwanted, patient=False)
        reserved = call.quote.worst
        with context.job.limiter.slot(context.estimator.tokens(call.request), unwanted) as slot:
            if unwanted() or not pair.begin():
                return
            taken, sent = reserved, True
            record, outcome = pair.second(timeout)
            taken = NanoUsd(record.cost + record.held)
            if isinstance(outcome, ThrottledError):
                slot.throttled(outcome.retry_after)
            elif isinstance(outcome, ChatAnswer):
                slot.succeeded()
            elif outcome.code in UNANSWERED:
                context.meter.lost += slot.lost()
    except (StoppedError, BudgetSpentError):
        pass
    except Exception:
        logger.warning("a slow call could not be sent again", exc_info=True)
    finally:
        context.budget.settle(reserved, taken)
        if not sent:
            hedges.not_sent()


class HedgeWatch:
    """A thread that looks for slow calls while workers idle and the fleet's queue is empty."""

    def __init__(self, look: Callable[[], None], every: float) -> None:
        self._look = look
        self._every = every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hedges", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            try:
                self._look()
            except Exception:  # the next look may do: nothing depends on it
                logger.warning("no look at slow calls", exc_info=True)

    def close(self) -> None:
        self._stopped.set()
        self._thread.join()
