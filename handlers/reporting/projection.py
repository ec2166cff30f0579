"""What the rest of a run will take, by the sizes of the papers that are left.

A run begins with its heaviest papers, so its mean so far says too much of what is left. Cost and calls of a
paper are fitted to its tokens, its seconds to its cost, by weighted least squares over the batches (Aitken,
1935), and the lines are read at the sizes of the papers that wait. Papers that cost nothing (of batches
without tokens) count nothing. Memory does not grow with the run: sums, and the pending papers by size in
eighths of a doubling.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from handlers.domain.ledger import BatchFigures
from handlers.domain.run import RunRecord
from handlers.ports import Ledger

_EIGHTHS = 8
_NEAR, _EVEN = 6, 2
"""Powers of the tokens by which a paper of the fit weighs less. A paper's cost is nearly exact and its growth
with the tokens bends: the line is that of the lightest papers so far, which are next to those that wait.
Times spread in proportion to the size, so that each paper says as much. They go straight with the cost, that
is, with the answer's length, and bend with the paper's as that does."""
_TOGETHER, _APART = 0.3, 12.0
"""Mean papers by which the last worker ends after all would if they ended together: for papers that take what
their size says, and a square of their spread more. Measured on list schedules of whole papers, three to
twelve a worker, calls with spreads from 0.15 to 0.8: it is the same whatever the number of workers."""
_EXCEEDS = 1.5
"""Times what all that waits was to cost: who has been wrong by more with the papers in hand knows nothing."""
_BEGUN = 0.1
"""Which of the papers in hand have how many passages behind them is not known."""
_USUAL, _USUAL_BATCHES, _WIDEST = 0.2, 8, 0.5
"""A spread until many more batches than this tell another, and the most that is believed of them."""


@dataclass
class _Line:
    """Amount of a paper by its tokens: slope between 0 and the mean ratio, weights papers / tokens**power."""

    power: int
    papers: float = 0.0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    xy: float = 0.0
    yy: float = 0.0
    groups: int = 0
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
        self.yy += weight * (amount / papers) ** 2
        self.groups += 1
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

    def spread(self) -> float:
        """Standard deviation of a paper's amount about the line, as a share of it; of weights of power 2."""
        line, usual = self.fitted(), _USUAL_BATCHES * _USUAL**2
        if line is None or not self.amount:
            return _USUAL
        ratio = self.amount / self.tokens
        about = max(0.0, self.yy - line[0] * self.y - line[1] * self.xy) / ratio / ratio
        return min(_WIDEST, math.sqrt((usual + about) / (_USUAL_BATCHES + max(0, self.groups - 2))))


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
    spread: float = _USUAL
    """Of a paper's seconds about what its size says, as a share of them."""
    cost: int = 0
    """Nano-USD of the settled papers' calls."""
    call: float = 0.0
    """Mean seconds of such a call."""
    unsure: float = 0.0
    """Share of the rest that is not known, whatever the number of papers that told what they take."""

    @property
    def rest(self) -> Rest:
        """All of it."""
        total = Rest()
        for each in self.sizes:
            total = total.plus(each)
        return total

    def within(self, budget: float) -> Projection:
        """As much of it as ``budget`` nano-USD pay for."""
        sizes, left = [], max(0.0, budget)
        for each in self.sizes:
            if each.cost > left:
                sizes.append(Rest().plus(each, left / each.cost))
                break
            sizes.append(each)
            left -= each.cost
        return replace(self, sizes=tuple(sizes))

    def less_told(self, cost: int) -> Projection:
        """Without what papers that wait have cost already, passage by passage: the heaviest, which were
        begun first. ``cost``: nano-USD of all calls of the run."""
        sizes: list[Rest] = []
        told = begun = max(0.0, float(cost - self.cost))
        for each in self.sizes:
            paid = min(told, each.cost)
            told -= paid
            left = 1 - paid / each.cost if each.cost else 1.0
            sizes.append(
                replace(each, cost=each.cost - paid, calls=left * each.calls, seconds=left * each.seconds)
            )
        known = self.known and not (sizes and begun > _EXCEEDS * self.rest.cost)
        return replace(self, sizes=tuple(sizes), known=known, unsure=_BEGUN if begun else 0.0)

    def wall(self, workers: float) -> float:
        """Seconds until so many workers, all of them at work, have done the rest. They have calls of the
        heaviest papers in hand and, as those began at any moment, half of them behind them: of the very last
        at least half a call is left."""
        rest = self.rest
        workers = min(workers, max(rest.papers, rest.calls))
        if workers <= 0:
            return 0.0
        begun = _first(self.sizes, workers).seconds / 2
        last, spread = self._last(workers)
        even = max(0.0, rest.seconds - begun) / workers
        return max(self.call / 2, even + last * (_TOGETHER + _APART * spread**2))

    def luck(self, workers: float) -> float:
        """Seconds by which the end spreads, whatever is known of the papers: half of what the longest of the
        last take longer."""
        last, spread = self._last(workers)
        return last * _APART * spread**2 / 2

    def _last(self, workers: float) -> tuple[float, float]:
        """Mean seconds of what so many workers end with, the lightest papers or their passages, each a call;
        and its spread."""
        last = _first(self.sizes[::-1], workers)
        each = max(last.papers, last.calls)
        if not each:
            return 0.0, 0.0
        return last.seconds / each, min(_WIDEST, self.spread)


def _first(sizes: Sequence[Rest], units: float) -> Rest:
    """The first so many papers, or calls of papers that take more than one: whole papers' passages are
    asked side by side."""
    total = Rest()
    for each in sizes:
        left, there = units - max(total.papers, total.calls), max(each.papers, each.calls)
        if there > left:
            return total.plus(each, max(0.0, left) / there)
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
    seconds_of_cost: _Line = field(default_factory=lambda: _Line(_EVEN))
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
                if batch.cost > 0:
                    self.seconds_of_cost.add(batch.cost / paid, paid, batch.busy_ms / 1000)
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
    lines = _lines(sums, guess)
    paid = sums.ended_paid / sums.ended if sums.ended else 1.0
    sizes = tuple(_rest(sums.waiting[key], lines, paid) for key in sorted(sums.waiting, reverse=True))
    known, spread = lines["cost"] is not None, sums.seconds.spread()
    call = sums.seconds.amount / sums.calls.amount if sums.calls.amount else 0.0
    return Projection(sizes, known, sums.settled, sums.busy_ms / 1000, spread, round(sums.cost.amount), call)


def project_run(ledger: Ledger, record: RunRecord, cost: int, guess: Line | None = None) -> Projection:
    """That of a run of the ledger. ``cost``: nano-USD of all its calls, of which papers in hand have some."""
    found = project(ledger.batch_figures(record.run_id), guess)
    return found.less_told(cost) if record.spec.full_text else found


def _lines(sums: _Sums, guess: Line | None) -> dict[str, Line | None]:
    lines = {name: getattr(sums, name).fitted() for name in ("cost", "calls", "seconds")}
    cost = lines["cost"] = lines["cost"] or guess
    # Calls without a price, of one's own endpoint or of the time before a price was given, tell nothing.
    of_cost = sums.seconds_of_cost.fitted() if sums.seconds_of_cost.amount >= sums.seconds.amount else None
    if cost is not None and of_cost is not None:
        lines["seconds"] = of_cost[0] + of_cost[1] * cost[0], of_cost[1] * cost[1]
    return lines


def _rest(waiting: _Waiting, lines: Mapping[str, Line | None], paid: float) -> Rest:
    """``paid``: share of the papers that take a call: the others' results are taken over."""
    papers, tokens = waiting.papers * paid, waiting.tokens * paid
    amounts = {
        name: line[0] * papers + line[1] * tokens if line is not None else 0.0 for name, line in lines.items()
    }
    return Rest(papers, tokens, **amounts)
