"""In-memory stand-ins for the world's edges: time, chance and the API."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.domain.call_errors import ModelCallError


class Tty(io.StringIO):
    """What a terminal is shown."""

    def isatty(self) -> bool:
        return True


class FakeClock:
    """A clock that moves only when somebody sleeps or the test says so."""

    def __init__(self, start: float = 1_700_000_000.0, seed: int = 1) -> None:
        self._now = start
        self._random = random.Random(seed)

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += max(0.0, seconds)

    def advance(self, seconds: float) -> None:
        self._now += seconds

    def random(self) -> float:
        return self._random.random()


class SetClock(FakeClock):
    """One whose wall time can be set apart from the process's own, as by a machine that slept."""

    ahead = 0.0

    def now(self) -> float:
        return self._now + self.ahead


class ScriptedModel:
    """A ``ChatModel`` that gives the outcomes it was told, in turn; the last one for ever."""

    def __init__(
        self, *outcomes: ChatAnswer | ModelCallError, clock: FakeClock, latency: float = 1.0
    ) -> None:
        self._outcomes = list(outcomes)
        self._clock = clock
        self._latency = latency
        self.requests: list[ChatRequest] = []

    def complete(self, request: ChatRequest, *, timeout: float) -> ChatAnswer:
        self.requests.append(request)
        self._clock.advance(min(self._latency, timeout))
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, ModelCallError):
            raise outcome
        return outcome

    def abort(self) -> None:
        """Nothing is ever in flight."""

    def close(self) -> None:
        """Nothing is open."""


class FedJob:
    """A job with so many workers that are never busy, as the event source sees it."""

    def __init__(
        self,
        queue: Any,
        stop: Any,
        *,
        clock: Any = None,
        workers: int = 1,
        taken: Callable[[], int] = lambda: 0,
        cut_off: Callable[[], None] = lambda: None,
    ) -> None:
        self.queue, self.stop, self.clock = queue, stop, clock or FakeClock()
        self.pool = SimpleNamespace(has_enough=False, workers=workers)
        self.out_of_time = False
        self.cut_off = cut_off
        self._taken = taken

    @property
    def taken(self) -> int:
        return self._taken()
