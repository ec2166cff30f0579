"""What the rest of a run will take, by the sizes of the papers that are left.

A run begins with its heaviest papers, so its mean so far says too much of what is left. Cost, calls and
seconds of a paper are fitted to its tokens by weighted least squares over the batches (Aitken, 1935), and the
line is read at the sizes of the papers that wait. Papers that cost nothing (of batches without tokens) count
nothing. Memory does not grow with the run: sums, and the pending papers by size in eighths of a doubling.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from handlers.domain.ledger import BatchFigures

_EIGHTHS = 8
_NEAR, _EVEN = 6, 2
"""Powers of the tokens by which a paper of the fit weighs less. A paper's cost is nearly exact and its growth
with the tokens bends: the line is that of the lightest papers so far, which are next to those that wait.
Times spread in proportion to the size, so that each paper says as much."""


@dataclass
class _Line:
    """Amount of a paper by its tokens: slope between 0 and the mean ratio, weights papers / tokens**power."""

    power: int
    papers: float = 0.0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    xy: float = 0.0
    amount: float = 0.0
    tokens: float = 0.0

    def add(self, tokens: float, papers: int, amount: float) -> None:
        """``papers`` of so many tokens each came to ``amount`` in all."""
        weight = papers * tokens**-self.power
        self.papers += weight
        self.x += weight * tokens
        self.xx += weight * tokens * tokens
        self.y += weight * amount / papers
        self.xy += weight * tokens * amount / papers
        self.amount += amount
        self.tokens += papers * tokens

    def fitted(self) -> Line | None:
        """None if nothing was added."""
        if not self.tokens or not self.papers:
            return None
        ratio = self.amount / self.tokens
        spread = self.papers * self.xx - self.x * self.x
        slope = ratio
        if spread > 1e-9 * self.papers * self.xx:
            slope = min(ratio, max(0.0, (self.papers * self.xy - self.x * self.y) / spread))
        return max(0.0, (self.y - slope * self.x) / self.papers), slope


@dataclass(frozen=True)
class Rest:
    """What some papers will take. Nano-USD, worker-seconds, tokens."""

    papers: float = 0.0
    tokens: float = 0.0
    cost: float = 0.0
    calls: float = 0.0
    seconds: float = 0.0

    def plus(self, other: Rest, share: float = 1.0) -> Rest:
        return Rest(
            self.papers + share * other.papers,
            self.tokens + share * other.tokens,
            self.cost + share * other.cost,
            self.calls + share * other.calls,
            self.seconds + share * other.seconds,
        )


@dataclass(frozen=True)
class Projection:
    """The papers that wait and need a call, the heaviest first, each size with what it will take."""

    sizes: tuple[Rest, ...]
    known: bool
    """Whether a paper that needed a call has come to its end, or a cost was guessed: else only papers and
    tokens are known."""
    settled: int
    """Papers that have come to their end, those without a call left out."""
    seconds: float
    """Worker-seconds of their calls."""

    @property
    def rest(self) -> Rest:
        """All of it."""
        total = Rest()
        for each in self.sizes:
            total = total.plus(each)
        return total

    def within(self, budget: float) -> Rest:
        """As much of it as ``budget`` nano-USD pay for."""
        total = Rest()
        for each in self.sizes:
            left = max(0.0, budget - total.cost)
            if each.cost > left:
                return total.plus(each, left / each.cost)
            total = total.plus(each)
        return total


@dataclass
class _Waiting:
    papers: int = 0
    tokens: float = 0.0


@dataclass
class _Sums:
    cost: _Line = field(default_factory=lambda: _Line(_NEAR))
    calls: _Line = field(default_factory=lambda: _Line(_EVEN))
    seconds: _Line = field(default_factory=lambda: _Line(_EVEN))
    settled: int = 0
    ended: int = 0
    """Papers of batches of which none waits, and those of them that took a call. Results that are taken over
    come at once, before the papers of their batch that need one."""
    ended_paid: int = 0
    busy_ms: int = 0
    waiting: dict[int, _Waiting] = field(default_factory=dict)

    def add(self, batch: BatchFigures) -> None:
        if batch.tokens <= 0 or batch.papers <= 0:
            return
        size = batch.tokens / batch.papers
        uncounted = batch.cost > 0 and not batch.calls  # by an earlier release
        paid = batch.settled if uncounted else min(batch.settled, batch.calls)
        self.settled += batch.settled
        self.busy_ms += batch.busy_ms
        if batch.settled >= batch.papers:
            self.ended += batch.settled
            self.ended_paid += paid
        if paid:
            self.cost.add(size, paid, batch.cost)
            if not uncounted:
                self.calls.add(size, paid, batch.calls)
                self.seconds.add(size, paid, batch.busy_ms / 1000)
        if batch.papers > batch.settled:
            waiting = self.waiting.setdefault(round(_EIGHTHS * math.log2(size)), _Waiting())
            waiting.papers += batch.papers - batch.settled
            waiting.tokens += (batch.papers - batch.settled) * size


Line = tuple[float, float]
"""Amount of a paper without tokens, and of a token."""


def project(batches: Iterable[BatchFigures], guess: Line | None = None) -> Projection:
    """The projection of a run by its batches as they stand. ``guess``: of a paper's cost in nano-USD, for a
    run of which no paper has told it."""
    sums = _Sums()
    for batch in batches:
        sums.add(batch)
    lines = {name: line.fitted() for name, line in _lines(sums).items()}
    lines["cost"] = lines["cost"] or guess
    paid = sums.ended_paid / sums.ended if sums.ended else 1.0
    sizes = tuple(_rest(sums.waiting[key], lines, paid) for key in sorted(sums.waiting, reverse=True))
    return Projection(sizes, lines["cost"] is not None, sums.settled, sums.busy_ms / 1000)


def _lines(sums: _Sums) -> dict[str, _Line]:
    return {"cost": sums.cost, "calls": sums.calls, "seconds": sums.seconds}


def _rest(waiting: _Waiting, lines: Mapping[str, Line | None], paid: float) -> Rest:
    """``paid``: share of the papers that take a call: the others' results are taken over."""
    papers, tokens = waiting.papers * paid, waiting.tokens * paid
    amounts = {
        name: line[0] * papers + line[1] * tokens if line is not None else 0.0 for name, line in lines.items()
    }
    return Rest(papers, tokens, **amounts)
