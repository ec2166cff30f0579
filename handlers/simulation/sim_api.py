"""The simulated API: how long a call takes, and how it ends."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Literal, Protocol

from handlers.llm.limits.rate_headers import RateHint
from handlers.simulation.sim_setup import SimSetup

End = Literal["ok", "throttled", "transient", "stall"]
_MAX_RESET = 60.0
_REFUSAL_S = 0.003
"""Seconds until a refusal for the rate is back."""


class ApiLimits(Protocol):
    """An account's rate limits; the model server's own, on the virtual clock."""

    def wait(self, prompt_tokens: int, *, in_flight: int, now: float) -> float:
        """Seconds until the request would be let in; 0 takes it."""

    def spend(self, completion_tokens: int) -> None: ...

    def left(self) -> list[tuple[str, int, float]]:
        """(kind, what is left, seconds until all of it is) of each limit, as the headers tell it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ends after ``latency`` seconds. ``left``: what its headers say of the limits."""

    end: End
    latency: float
    retry_after: float = 0.0
    left: tuple[tuple[str, int, float], ...] = ()

    def hint(self, age: float) -> RateHint | None:
        """The headers as the client reads them, ``age`` seconds after the request was sent."""
        if not self.left:
            return None
        _, remaining, reset = min(self.left, key=lambda each: (each[1], -each[2]))
        return RateHint(remaining, max(0.0, min(_MAX_RESET, reset) - age), self.left)


class Processors:
    """Those that all jobs share, if they do."""

    def __init__(self, setup: SimSetup) -> None:
        self._setup = setup
        self._free_at = 0.0

    def lag(self, now: float) -> float:
        """Seconds that a call waits for a processor, and uses it."""
        if not self._setup.cores:
            return 0.0
        self._free_at = max(self._free_at, now) + self._setup.cpu_s / self._setup.cores
        return self._free_at - now


class Api:
    """Draws outcomes by chance; ``limits`` None lets everything in."""

    def __init__(self, setup: SimSetup, chance: random.Random, limits: ApiLimits | None) -> None:
        self._chance = chance
        self._limits = limits
        self._setup = setup
        self._transient = setup.transient_rate
        self._failing = setup.transient_rate + setup.stall_rate
        self.in_flight = 0

    def call(self, size: float, now: float) -> Outcome:
        """Let a call in, or refuse it. ``size`` in tokens."""
        setup = self._setup
        left: tuple[tuple[str, int, float], ...] = ()
        if self._limits is not None:
            prompt = int(setup.prompt_tokens + size)
            wait = self._limits.wait(prompt, in_flight=self.in_flight, now=now)
            if wait > 0:
                wait = math.ceil(wait * 1000) / 1000
                return Outcome("throttled", _REFUSAL_S, wait, tuple(self._limits.left()))
            left = tuple(self._limits.left())
        self.in_flight += 1
        noise = self._chance.lognormvariate(0.0, setup.sigma) if setup.sigma else 1.0
        latency = (setup.latency + setup.latency_per_token * size) * noise
        if self._failing and (uniform := self._chance.random()) < self._failing:
            if uniform < self._transient:
                return Outcome("transient", latency, left=left)
            return Outcome("stall", setup.read_timeout)
        if self._limits is not None:
            self._limits.spend(int(setup.completion_share * size))
        return Outcome("ok", latency, left=left)

    def ended(self, outcome: Outcome) -> None:
        """The call is over, or nobody waits for it any more."""
        if outcome.end != "throttled":
            self.in_flight -= 1
