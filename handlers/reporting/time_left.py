"""How long the rest will take, and how sure that is, by what is left and what the jobs do at a time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import dropwhile
from statistics import stdev
from typing import Literal

from handlers.reporting.projection import Projection, Rest

_WINDOW, _LEAST = 60.0, 5.0
"""Seconds."""
_FEW = 3
"""Looks that a pace is taken of at least."""
_SIGMAS = 2.0
_INSTANT = 1e-6
"""Seconds: two looks closer than this tell no rate."""
_STATED = {"calls": "requests", "tokens": "tokens"}
_BEYOND = 1.5
_BUSY = 0.8
"""Share of the workers in a call from which on it is the workers that set the pace."""


@dataclass(frozen=True)
class Look:
    """How a run stood at a moment (Unix seconds)."""

    at: float
    finished: int
    """Papers in a terminal state."""
    calls: int = 0
    """Calls answered."""
    in_flight: int = 0
    workers: int = 0
    cost: int = 0
    """Nano-USD of those calls: what stands for their tokens."""
    tokens: int = 0
    """Of those calls, prompt and completion."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """What the API's headers state: ``requests_per_minute``, ``tokens_per_minute`` ... → the limit."""


class Forecast:
    """Fed with looks; times never step back by much."""

    def __init__(self) -> None:
        self._seen: deque[Look] = deque()
        self._began = math.inf
        self._ends: deque[tuple[float, float]] = deque()
        self._end: float | None = None

    def add(self, look: Look) -> None:
        self._seen.append(look)
        self._began = min(self._began, look.at)
        while len(self._seen) > 2 and look.at - self._seen[0].at > _WINDOW:
            self._seen.popleft()

    @property
    def rate(self) -> float:
        """Papers a second over the last minute; 0 while nothing is known."""
        return _rate(self._seen, "finished")

    @property
    def has_rate(self) -> bool:
        """False at the first look: what was finished then may be another session's."""
        return len(self._seen) > 1

    def left(self, projection: Projection) -> tuple[float, float] | None:
        """Seconds, from and to (two standard errors either way; infinite if it may be for ever) for what the
        projection holds; None while nothing is known."""
        if projection.rest.papers <= 0:
            return 0.0, 0.0
        if not projection.settled:
            return None
        seconds, unsteady = self._seconds(projection)
        if not seconds:
            return None
        seconds = max(seconds, self._stated(projection.rest))
        workers = self._lately()[-1].workers
        known, luck = seconds / math.sqrt(projection.settled), projection.luck(workers)
        unsure = math.hypot(unsteady, projection.unsure) * seconds
        off = _SIGMAS * math.hypot(known, luck, self._wandering(seconds), unsure, self._late())
        least = min(seconds / 2, projection.wall(workers))
        if _SIGMAS * unsteady >= 1:
            return least, math.inf
        return max(least, seconds - off), seconds + off

    def _seconds(self, projection: Projection) -> tuple[float | None, float]:
        """Where the workers are busy, the calls' seconds shared by them; else calls or tokens by their pace,
        for then it is a limit that sets it. And how unsteady that pace is, as a share of it: while the jobs
        search for a limit that nobody declared, or the API lets through what was saved up, it is no pace."""
        looks = self._lately()
        if not looks or not looks[-1].workers:
            return None, 0.0
        workers, rest = looks[-1].workers, projection.rest
        busy = sum(look.in_flight / look.workers for look in looks) / len(looks)
        at_work = workers if busy >= _BUSY else max(1.0, busy * workers)
        if max(rest.papers, rest.calls) <= workers:
            return self._of_the_last(projection, at_work), 0.0
        if busy >= _BUSY:
            return projection.wall(workers), 0.0
        limited, unsteady = self._limited()
        pace = _rate(looks, limited)
        if not busy and pace <= 0:
            return None, 0.0  # workers that only start: one after the other they would take for ever
        at_pace = getattr(rest, limited) / pace if pace > 0 else 0.0
        return max(at_pace + rest.seconds / rest.papers / 2, projection.wall(at_work)), unsteady

    def _stated(self, rest: Rest) -> float:
        """Seconds by the limits that the API states; it lets through what was saved up before it holds the
        calls to them. One that a minute's calls have gone far beyond is none."""
        look = self._seen[-1]
        tokens = look.tokens / look.cost * rest.cost if look.cost else 0.0
        least = 0.0
        for name, left in (("calls", rest.calls), ("tokens", tokens)):
            limit = look.limits.get(f"{_STATED[name]}_per_minute", 0)
            beyond = look.at - self._began > _WINDOW and _rate(self._seen, name) * 60 > _BEYOND * limit
            if limit > 0 and not beyond:
                least = max(least, 60 * left / limit)
        return least

    def _of_the_last(self, projection: Projection, workers: float) -> float:
        """Once no paper waits for a worker the end stands as it was known then: those that are still there
        are the long ones of their size, and no less near to their end."""
        now, rest = self._seen[-1].at, projection.rest
        if self._end is None:
            self._end = now + projection.wall(workers)
        return max(self._end - now, rest.seconds / rest.papers / 4, projection.call / 4)

    def _late(self) -> float:
        """Seconds since the end that was foreseen for the last papers: who has been wrong by so much knows
        no better of what is left."""
        return max(0.0, self._seen[-1].at - self._end) if self._end is not None else 0.0

    def _limited(self) -> tuple[Literal["calls", "cost"], float]:
        """Papers grow lighter: calls whose number a limit bounds come at one rate and cost less and less;
        where it bounds their tokens, they come faster and their cost at one rate. And by how much of it that
        rate has changed."""
        now = self._seen[-1].at
        looks = [look for look in self._seen if look.at - self._began >= (now - self._began) / 4]
        early, late = looks[: len(looks) // 2 + 1], looks[len(looks) // 2 :]
        change = {}
        for name in ("calls", "cost"):
            whole = _rate(looks, name)
            change[name] = abs(_rate(late, name) - _rate(early, name)) / whole if whole else math.inf
        limited: Literal["calls", "cost"] = "cost" if change["cost"] < change["calls"] else "calls"
        return limited, change[limited] if len(looks) > _FEW else 1.0

    def _lately(self) -> Sequence[Look]:
        """Of the last quarter of the time, within bounds: what an API lets through at once at the start is no
        pace, and workers before their first call are not idle."""
        if not self._seen:
            return []
        now = self._seen[-1].at
        since = now - min(_WINDOW, max(_LEAST, (now - self._began) / 4))
        at_work = [look for look in self._seen if look.workers]
        at_work = list(dropwhile(lambda look: not look.in_flight, at_work)) or at_work
        recent = [look for look in at_work if look.at >= since]
        return recent if len(recent) >= _FEW else at_work[-_FEW:]

    def _wandering(self, seconds: float) -> float:
        """By how many seconds the end has moved from look to look in a minute, or the time that is left."""
        now = self._seen[-1].at
        self._ends.append((now, now + seconds))
        while now - self._ends[0][0] > _WINDOW:
            self._ends.popleft()
        ends = [end for at, end in self._ends if now - at <= max(_LEAST, seconds)]
        return stdev(ends) if len(ends) > 2 else 0.0


def span(left: tuple[float, float] | None) -> str:
    """In words: ``4-5 min left``."""
    if left is None:
        return "time left unknown"
    low, high = left
    unit, seconds, digits = _unit(low if math.isinf(high) else high)
    if high < 1:
        return "under a second left"
    first, last = (f"{bound / seconds:,.{digits}f}" for bound in left)
    if math.isinf(high):
        return f"more than {first} {unit} left" if low >= 1 else "time left unknown"
    if first == "0":
        return "about a second left" if last == "1" else f"under {last} {unit} left"
    return f"{first} {unit} left" if first == last else f"{first}-{last} {unit} left"


def _unit(seconds: float) -> tuple[str, float, int]:
    if seconds < 120:
        return "s", 1.0, 0
    return ("min", 60.0, 0) if seconds < 7200 else ("h", 3600.0, 1)


def _rate(looks: Sequence[Look], name: str) -> float:
    if not looks:
        return 0.0
    first, last = looks[0], looks[-1]
    passed = last.at - first.at
    amount: int = getattr(last, name) - getattr(first, name)
    return amount / passed if passed > _INSTANT else 0.0
