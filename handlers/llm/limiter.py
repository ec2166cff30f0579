"""The gate before every call: slots, declared rates and pauses for all worker threads of a job."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType

from handlers.errors import StoppedError
from handlers.llm.aimd import AimdLimit
from handlers.llm.rate_hint import RateHint
from handlers.llm.token_bucket import TokenBucket
from handlers.ports import Clock

_POLL = 0.25
"""Seconds between two looks at whether to give up."""
_SHORTEST = 0.001
_MAX_BRAKE = 2.0
"""Seconds that ``x-ratelimit-remaining: 0`` holds calls back at most. The reset it tells of is that of
the whole window; where calls are let in earlier, waiting for it would let them in by bursts."""
_SPREAD = 0.5
"""Seconds over which the slots fill again after a pause."""


class _Waiter:
    __slots__ = ("granted", "ready_at", "tokens", "wake")

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.wake = threading.Event()
        self.granted = False
        self.ready_at: float | None = None


class Slot:
    """One call's permission; say within it how the call went. The limiter's other half: it alone calls the
    private methods."""

    __slots__ = ("_give_up", "_limiter", "_started_at", "_tokens")

    def __init__(self, limiter: Limiter, tokens: int, give_up: Callable[[], bool]) -> None:
        self._limiter = limiter
        self._tokens = tokens
        self._give_up = give_up
        self._started_at = 0.0

    def __enter__(self) -> Slot:
        self._started_at = self._limiter._acquire(self._tokens, self._give_up)  # noqa: SLF001
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limiter._release()  # noqa: SLF001

    def throttled(self, retry_after: float | None) -> None:
        """The API refused the call; ``retry_after`` seconds hold back the other workers too."""
        self._limiter._throttled(self._started_at, retry_after)  # noqa: SLF001

    def succeeded(self) -> None:
        """The call was answered."""
        self._limiter._succeeded(self._started_at)  # noqa: SLF001


class Limiter:
    """First come, first served; one waiter is woken for each slot that comes free.

    The one at the head of the queue watches the time (slots that open, pauses, buckets); the others
    only look up to see whether to give up.
    """

    def __init__(
        self,
        limit: AimdLimit,
        clock: Clock,
        *,
        requests: TokenBucket | None = None,
        tokens: TokenBucket | None = None,
    ) -> None:
        self._limit = limit
        self._clock = clock
        self._buckets = [(bucket, bucket.rate, bucket.burst) for bucket in (requests, tokens) if bucket]
        self._requests = requests
        self._tokens = tokens
        self._lock = threading.Lock()
        self._queue: deque[_Waiter] = deque()
        self._in_flight = 0
        self._throttles = 0
        self._resume_at = 0.0
        self._spread_until = 0.0
        self._next_at = 0.0

    def slot(self, tokens: int, give_up: Callable[[], bool]) -> Slot:
        """Use with ``with``: waits its turn for a call that may take ``tokens``. StoppedError, within a
        quarter of a second, once ``give_up()`` is true."""
        return Slot(self, tokens, give_up)

    def hint(self, hint: RateHint) -> None:
        """Hold calls back while the API's window is used up: a brake, never a reason to go faster."""
        if hint.remaining > 0 or hint.reset <= 0:
            return
        with self._lock:
            self._pause(min(hint.reset, _MAX_BRAKE))

    def set_share(self, live_jobs: int) -> None:
        """The declared rates are for the fleet: take this job's share of them."""
        with self._lock:
            for bucket, rate, burst in self._buckets:
                bucket.set_rate(rate / max(1, live_jobs), max(1.0, burst / max(1, live_jobs)))

    @property
    def slots(self) -> int:
        """Calls that may be in flight now."""
        with self._lock:
            return self._limit.slots(self._clock.monotonic())

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def waiting(self) -> int:
        """Workers in the queue."""
        return len(self._queue)

    @property
    def throttles(self) -> int:
        """Refusals so far."""
        return self._throttles

    def _acquire(self, tokens: int, give_up: Callable[[], bool]) -> float:
        """Monotonic time at which the slot was given."""
        waiter = _Waiter(tokens)
        if give_up():
            raise StoppedError("stopped before a call")
        with self._lock:
            self._queue.append(waiter)
            timeout = self._step(waiter)
        while not waiter.granted:
            waiter.wake.wait(timeout)
            stopped = give_up()
            with self._lock:
                waiter.wake.clear()
                timeout = self._step(waiter)
                if stopped:
                    self._leave(waiter)
                    raise StoppedError("stopped while waiting for a slot")
        return self._clock.monotonic()

    def _step(self, waiter: _Waiter) -> float:
        """Give out what is free; returns how long ``waiter`` may sleep."""
        now = self._clock.monotonic()
        self._grant(now)
        if waiter.granted or not self._queue or self._queue[0] is not waiter:
            return _POLL
        return max(_SHORTEST, min(_POLL, self._wait(waiter, now)))

    def _grant(self, now: float) -> None:
        given = False
        while self._queue and self._is_open(self._queue[0], now):
            waiter = self._queue.popleft()
            waiter.granted = given = True
            self._in_flight += 1
            if now < self._spread_until:
                gap = _SPREAD / self._limit.slots(now)
                self._next_at = now + gap * (0.5 + self._clock.random())
            waiter.wake.set()
        # Whoever is first now slept without an eye on the time: hand over the watch.
        if given and self._queue and self._wait(self._queue[0], now) < _POLL:
            self._queue[0].wake.set()

    def _is_open(self, waiter: _Waiter, now: float) -> bool:
        if self._in_flight >= self._limit.slots(now) or now < max(self._resume_at, self._next_at):
            return False
        if waiter.ready_at is None:
            wait = self._requests.take(1, now) if self._requests else 0.0
            if self._tokens:
                wait = max(wait, self._tokens.take(waiter.tokens, now))
            waiter.ready_at = now + wait
        return now >= waiter.ready_at

    def _wait(self, waiter: _Waiter, now: float) -> float:
        """Seconds until time alone lets the waiter in; infinite if a slot must come free first."""
        wait = max(self._resume_at, self._next_at, waiter.ready_at or 0.0) - now
        if self._in_flight >= self._limit.slots(now):
            wait = max(wait, self._limit.next_open(now))
        return wait

    def _leave(self, waiter: _Waiter) -> None:
        now = self._clock.monotonic()
        if waiter.granted:
            self._in_flight -= 1
        else:
            self._queue.remove(waiter)
        if waiter.ready_at is not None:
            for bucket, amount in ((self._requests, 1), (self._tokens, waiter.tokens)):
                if bucket is not None:
                    bucket.give_back(amount)
        self._grant(now)

    def _release(self) -> None:
        with self._lock:
            self._in_flight -= 1
            self._grant(self._clock.monotonic())

    def _throttled(self, started_at: float, retry_after: float | None) -> None:
        with self._lock:
            self._throttles += 1
            self._limit.on_throttle(started_at, self._in_flight, self._clock.monotonic())
            if retry_after is not None and retry_after > 0:
                self._pause(retry_after)

    def _succeeded(self, started_at: float) -> None:
        with self._lock:
            self._limit.on_success(started_at, self._in_flight, self._clock.monotonic())

    def _pause(self, seconds: float) -> None:
        """Give nothing out for ``seconds`` and a little more, then fill the slots one after the other."""
        jitter = self._clock.random() * max(0.05, seconds / 10)
        until = self._clock.monotonic() + seconds + jitter
        if until > self._resume_at:
            self._resume_at = until
            self._spread_until = until + _SPREAD
