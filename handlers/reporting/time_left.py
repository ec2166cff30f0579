"""How long the rest will take, and how sure that is, by what is left and what the jobs do at a time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import dropwhile
from statistics import stdev
from typing import Literal

from handlers.reporting.projection import Rest

_WINDOW, _LEAST = 60.0, 5.0
"""Seconds."""
_FEW = 3
"""Looks that a pace is taken of at least."""
_SIGMAS = 2.0
_INSTANT = 1e-6
"""Seconds: two looks closer than this tell no rate."""
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


class Forecast:
    """Fed with looks; times never step back by much."""

    def __init__(self) -> None:
        self._seen: deque[Look] = deque()
        self._began = math.inf
        self._ends: deque[tuple[float, float]] = deque()

    def add(self, look: Look) -> None:
        self._seen.append(look)
        self._began = min(self._began, look.at)
        while len(self._seen) > 2 and look.at - self._seen[0].at > _WINDOW:
            self._seen.popleft()

    @property
    def rate(self) -> float:
        """Papers a second over the last minute; 0 while nothing is known."""
        return _rate(self._seen, "finished")

    def left(self, rest: Rest, settled: int) -> tuple[float, float] | None:
        """Seconds, from and to (two standard errors either way; infinite if it may be for ever); None while
        nothing is known. ``rest``: what is to be done; ``settled``: papers that its figures are of."""
        if rest.papers <= 0:
            return 0.0, 0.0
        seconds = self._seconds(rest)
        if seconds is None or not settled:
            return None
        off = min(1.0, _SIGMAS * math.hypot(1 / math.sqrt(settled), self._wandering(seconds)))
        return seconds / (1 + off), seconds / (1 - off) if off < 1 else math.inf

    def _seconds(self, rest: Rest) -> float | None:
        """Where the workers are busy, the calls' seconds shared by them; else calls or tokens by their pace,
        for then it is a limit that sets it. The last worker ends half a paper after the others."""
        looks = self._lately()
        if not looks:
            return None
        workers = looks[-1].workers
        busy = sum(look.in_flight / look.workers for look in looks) / len(looks)
        last = rest.seconds / rest.papers / 2
        if busy >= _BUSY or rest.papers <= workers:
            return rest.seconds / workers + last
        limited = self._limited()
        pace = _rate(looks, limited)
        if not busy and pace <= 0:
            return None  # workers that only start: one after the other they would take for ever
        at_pace = getattr(rest, limited) / pace if pace > 0 else 0.0
        return max(at_pace, rest.seconds / max(1.0, busy * workers)) + last

    def _limited(self) -> Literal["calls", "cost"]:
        """Papers grow lighter: calls whose number a limit bounds come at one rate and cost less and less;
        where it bounds their tokens, they come faster and their cost at one rate."""
        now = self._seen[-1].at
        looks = [look for look in self._seen if look.at - self._began >= (now - self._began) / 4]
        early, late = looks[: len(looks) // 2 + 1], looks[len(looks) // 2 :]
        change = {name: abs(_rate(late, name) - _rate(early, name)) for name in ("calls", "cost")}
        whole = {name: _rate(looks, name) for name in change}
        if not all(whole.values()):
            return "calls"
        return "cost" if change["cost"] / whole["cost"] < change["calls"] / whole["calls"] else "calls"

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
        """How far the end has moved from look to look in the last minute, as a share of what is left."""
        now = self._seen[-1].at
        self._ends.append((now, now + seconds))
        while now - self._ends[0][0] > _WINDOW:
            self._ends.popleft()
        ends = [end for _, end in self._ends]
        return stdev(ends) / seconds if len(ends) > 2 and seconds > 0 else 0.0


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
