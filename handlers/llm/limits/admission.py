"""Decides who may call now, by slots, declared rates, pauses and a queue. It knows no threads.

The limiter puts a lock and sleeping threads around it, the simulator a virtual clock; both run the same
decisions. Times are monotonic seconds and passed in.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from handlers.llm.limits.aimd import AimdLimit
from handlers.llm.limits.congestion import Congestion
from handlers.llm.limits.gossip import LimiterReport
from handlers.llm.limits.headroom import Headroom
from handlers.llm.limits.rate_headers import RateHint
from handlers.llm.limits.token_bucket import TokenBucket
from handlers.llm.limits.window_quota import Quota

POLL = 0.25
"""Seconds that a waiter may sleep at most: it must also look whether to give up."""
_SHORTEST = 0.001
_MAX_BRAKE = 2.0
"""Seconds that ``x-ratelimit-remaining: 0`` stops calls at most. Its reset is the whole window's; where the
API lets calls in earlier, waiting for it would send them in bursts."""
_SPREAD = 0.5
"""Seconds over which the slots fill again after a pause."""
_PACING = 1.25
"""Once the API has refused a call, calls follow each other at so many times the mean pace of slots that come
free, at most: answers may come in clumps, the next calls need not (pacing, as in RFC 9002, 7.7)."""
_MEMORY = 0.05
"""Weight of a call in the mean latency."""
_LONGEST_DOUBT = 120.0
"""Seconds more than usual, at most, after which a job whose quota was spent looks for a larger one: what
looked like a window may be no more than the job's own age."""
_SAVINGS = 4.0
"""A job may save up so many times its share of a declared rate's burst, as its answers come in clumps: the
jobs do not all have savings at the same time."""


class Ticket:
    """One caller's place in the queue. ``wake`` is called when it is ``granted`` or has to watch the time."""

    __slots__ = ("granted", "ready_at", "tokens", "wake")

    def __init__(self, tokens: int, wake: Callable[[], None]) -> None:
        self.tokens = tokens
        self.wake = wake
        self.granted = False
        self.ready_at: float | None = None


class Admission:
    """First come, first served; one waiter is woken for each slot that comes free.

    The first waiter watches the time (slots that open, pauses, buckets); the others only wake to see whether
    to give up. ``random`` returns uniform numbers in [0, 1).
    """

    def __init__(
        self,
        limit: AimdLimit,
        random: Callable[[], float],
        *,
        requests: TokenBucket | None = None,
        tokens: TokenBucket | None = None,
        patience: float = math.inf,
    ) -> None:
        """``patience``: seconds after which a call is given up."""
        self.limit = limit
        self._congestion = Congestion(patience)
        self.in_flight = 0
        self.answered = 0
        self.throttles = 0
        """Refusals so far."""
        self._random = random
        self._buckets = [(bucket, bucket.rate, bucket.burst) for bucket in (requests, tokens) if bucket]
        self._requests = requests
        self._tokens = tokens
        self._live = 0
        self._queue: deque[Ticket] = deque()
        self._resume_at = 0.0
        self._spread_until = 0.0
        self._next_at = 0.0
        self._headroom = Headroom()
        self._quota = Quota()
        self._latency = 0.0

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def join(self, tokens: int, wake: Callable[[], None]) -> Ticket:
        """Queue up for a call that may take ``tokens``; ``step`` is to follow."""
        ticket = Ticket(tokens, wake)
        self._queue.append(ticket)
        return ticket

    def step(self, ticket: Ticket, now: float) -> float:
        """Give out what is free; returns the seconds that the ticket's holder may sleep."""
        self._grant(now)
        if ticket.granted or not self._queue or self._queue[0] is not ticket:
            return POLL
        return max(_SHORTEST, min(POLL, self._wait(ticket, now)))

    def leave(self, ticket: Ticket, now: float) -> None:
        """Leave the queue, or return the slot that was granted and not used."""
        if ticket.granted:
            self.in_flight -= 1
        else:
            self._queue.remove(ticket)
        if ticket.ready_at is not None:
            for bucket, amount in ((self._requests, 1), (self._tokens, ticket.tokens)):
                if bucket is not None:
                    bucket.give_back(amount)
        self._grant(now)

    def release(self, now: float) -> None:
        """A call ended, however."""
        self.in_flight -= 1
        self._grant(now)

    def throttled(self, started_at: float, retry_after: float | None, now: float) -> None:
        """A call started at ``started_at`` was refused for its rate; before its ``release``."""
        self.throttles += 1
        gap = self._latency / self.limit.slots(now)
        spent = self._quota.refused(retry_after or 0.0, gap, now) if gap else None
        if spent is None:
            self.limit.on_throttle(started_at, self.in_flight, now)
        else:
            self.limit.settle(spent.pace * self._latency, now, patience=min(spent.seconds, _LONGEST_DOUBT))
        if retry_after is not None and retry_after > 0:
            self._pause(retry_after, now)

    def succeeded(self, started_at: float, now: float) -> None:
        """A call was answered; before its ``release``."""
        self.answered += 1
        latency = now - started_at
        self._latency += (latency - self._latency) * (_MEMORY if self._latency else 1.0)
        room = self._headroom.room(now, self._latency)
        busy = self.in_flight if self._congestion.answered(started_at, now) else 0
        self.limit.on_success(started_at, busy, now, room=room, fill=self._headroom.fill)

    def lost(self, started_at: float, now: float) -> bool:
        """A call was sent and got no answer: it timed out, or was cut off while it waited; before its
        ``release``. True if that counts as a refusal."""
        if not self._congestion.lost(started_at, now):
            return False
        self.throttles += 1
        self.limit.on_throttle(started_at, self.in_flight, now)
        return True

    def slots(self, now: float) -> int:
        """Calls that may be in flight: those that the API lets in, and answers before they are given up."""
        return int(min(self.limit.slots(now), self._congestion.most(now)))

    def hint(self, hint: RateHint, now: float) -> None:
        """What a response says of the API's window: spent, it holds calls back."""
        self._headroom.observe(hint, now)
        if hint.remaining <= 0 < hint.reset:
            self._pause(min(hint.reset, _MAX_BRAKE), now)

    def report(self, job: str) -> LimiterReport:
        """For the other jobs of the fleet."""
        level = round(self.limit.level, 2)
        return LimiterReport(job, self.answered, self.throttles, level, self.limit.ceiling)

    def set_share(self, live_jobs: int) -> None:
        """The declared rates are for the fleet: take this job's share of them."""
        if live_jobs == self._live:
            return
        self._live = live_jobs
        for bucket, rate, burst in self._buckets:
            share = burst / max(1, live_jobs)
            # First without savings: jobs that start together must not spend a burst each.
            for saved in (share, min(burst, share * _SAVINGS)):
                bucket.set_rate(rate / max(1, live_jobs), max(1.0, saved))

    def _grant(self, now: float) -> None:
        granted = False
        while self._queue and self._is_open(self._queue[0], now):
            ticket = self._queue.popleft()
            ticket.granted = granted = True
            self.in_flight += 1
            self._quota.sent(now)
            if gap := self._gap(now):
                self._next_at = now + gap * (0.5 + self._random())
            ticket.wake()
        # The waiter that is first now did not watch the time so far: wake it to do so.
        if granted and self._queue and self._wait(self._queue[0], now) < POLL:
            self._queue[0].wake()

    def _gap(self, now: float) -> float:
        """Seconds to the next call."""
        slots = self.slots(now)
        gap = _SPREAD / slots if now < self._spread_until else 0.0
        return max(gap, self._latency / slots / _PACING) if self.limit.refused else gap

    def _is_open(self, ticket: Ticket, now: float) -> bool:
        if self._is_full(now) or now < max(self._resume_at, self._next_at):
            return False
        if ticket.ready_at is None:
            wait = self._requests.take(1, now) if self._requests else 0.0
            if self._tokens:
                wait = max(wait, self._tokens.take(ticket.tokens, now))
            ticket.ready_at = now + wait
        return now >= ticket.ready_at

    def _wait(self, ticket: Ticket, now: float) -> float:
        """Seconds until time alone lets the ticket in; infinite if a slot must come free first."""
        wait = max(self._resume_at, self._next_at, ticket.ready_at or 0.0) - now
        if self._is_full(now):
            wait = max(wait, min(self.limit.next_open(now), self._congestion.next_change(now)))
        return wait

    def _is_full(self, now: float) -> bool:
        return self.in_flight + self._congestion.ghosts(now) >= self.slots(now)

    def _pause(self, seconds: float, now: float) -> None:
        """Give nothing out for ``seconds`` and a little more, then fill the slots one after the other."""
        until = now + seconds + self._random() * max(0.05, seconds / 10)
        if until > self._resume_at:
            self._resume_at = until
            self._spread_until = until + _SPREAD
