"""A job, its batches and their papers, as a simulation keeps them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing

from handlers.corpus.batching import cut
from handlers.corpus.index import IndexEntry
from handlers.llm.limits.admission import Admission, Ticket
from handlers.llm.limits.aimd import AimdLimit
from handlers.llm.limits.gossip import FleetView, LimiterReport
from handlers.llm.limits.token_bucket import TokenBucket
from handlers.pipeline.calls.slow_calls import SlowCalls
from handlers.simulation.sim_api import Outcome
from handlers.simulation.sim_setup import SimSetup

_COMMIT = 0.25
"""Seconds of results that a death takes along (see pipeline/committer.py)."""


_HEAD, _TERMS = 350.0, 100.0
"""Tokens of a whole paper's first stage, at most a third and a sixth of it."""


class Batch:
    """A message's papers. ``left``: units without an end. ``leased_until``: 0 if it was given back."""

    __slots__ = ("id", "leased_until", "left", "units")

    def __init__(self, batch_id: str, sizes: Iterator[float], passage: float = 0.0) -> None:
        self.id = batch_id
        papers = [SimPaper(size, passage, self) for size in sizes]
        self.units = [unit for paper in papers for unit in paper.units]
        self.left = len(self.units)
        self.leased_until = 0.0

    def ready(self) -> list[Unit]:
        """What may be asked now and has no end."""
        return [unit for unit in self.units if not unit.done and (unit.first or not unit.paper.waiting)]


class SimPaper:
    """A paper, of one call or (``passage``: tokens of one) of passages in two stages. ``waiting``: passages
    of the first stage without an end; ``left``: of both."""

    __slots__ = ("failed", "left", "units", "waiting")

    def __init__(self, size: float, passage: float, batch: Batch) -> None:
        first, rest = [size], 0
        if passage:
            first = [min(_HEAD, size / 3), min(_TERMS, size / 6)]
            rest = max(1, round((size - sum(first)) / passage))
        self.units = [Unit(each, batch, self, first=True) for each in first]
        self.units += [Unit((size - sum(first)) / rest, batch, self, first=False) for _ in range(rest)]
        self.waiting = len(first)
        self.left = len(self.units)
        self.failed = False

    def fail(self) -> bool:
        """Whether it had not failed before."""
        before, self.failed = self.failed, True
        return not before


class Unit:
    """What a worker holds: a paper, or a passage of one."""

    __slots__ = (
        "attempt", "batch", "done", "ends_at", "expected", "first", "flight", "paper", "size", "started_at",
        "tries",
    )  # fmt: skip

    def __init__(self, size: float, batch: Batch, paper: SimPaper, *, first: bool) -> None:
        self.size = size
        self.batch = batch
        self.paper = paper
        self.first = first
        self.done = False
        self.fresh()

    def end(self) -> list[Unit]:
        """It is done; returns the units that waited for it."""
        self.done = True
        self.batch.left -= 1
        self.paper.left -= 1
        self.paper.waiting -= self.first
        opened = self.first and not self.paper.waiting
        return [unit for unit in self.paper.units if not unit.first and not unit.done] if opened else []

    def undo(self) -> bool:
        """It is not done after all; returns whether its paper was."""
        was_whole = not self.paper.left
        self.done = False
        self.batch.left += 1
        self.paper.left += 1
        self.paper.waiting += self.first
        return was_whole

    def fresh(self) -> None:
        """As it is before any call."""
        self.attempt = 1
        self.tries = 0
        self.started_at = self.ends_at = self.expected = 0.0
        self.flight: Outcome | None = None
        """Of the call that it waits for."""


class SimJob:
    """A process: its gate, the papers that wait for a worker, and the batches that it holds."""

    __slots__ = (
        "alive", "backlog", "fetching", "gate", "held", "id", "idle", "queue", "recent", "serial", "slow",
        "wake_at", "workers",
    )  # fmt: skip

    def __init__(self, number: int, serial: int, setup: SimSetup, random: Callable[[], float]) -> None:
        self.id = number
        self.serial = serial
        self.workers = setup.workers
        self.alive = True
        self.idle = setup.workers
        self.fetching = False
        self.wake_at = float("inf")
        self.backlog: deque[Unit] = deque()
        self.held: dict[str, Batch] = {}
        self.recent: deque[tuple[float, Unit]] = deque()
        self.queue: deque[Ticket] = deque()
        """Who waits for a slot, first come first served; those who have one are dropped when looked at."""
        self.slow: SlowCalls[Unit] | None = SlowCalls(setup.hedge) if setup.hedge else None
        self.gate = Admission(
            AimdLimit(ceiling=setup.workers), random, requests=_bucket(setup.rpm), tokens=_bucket(setup.tpm)
        )

    def began(self, unit: Unit, outcome: Outcome, ends_at: float, now: float) -> None:
        """A call that will end so, and when."""
        unit.flight, unit.ends_at = outcome, ends_at
        if self.slow is not None:
            unit.expected = self.slow.began(unit, unit.size, now)

    def ended(self, unit: Unit, outcome: Outcome, now: float) -> None:
        unit.flight = None
        if self.slow is not None:
            self.slow.ended(unit)
            if outcome.end == "ok":
                self.slow.answered(unit.size, unit.expected, now - unit.started_at)

    @property
    def name(self) -> str:
        return f"job-{self.id}-{self.serial}"

    @property
    def wants_more(self) -> bool:
        """As the local event source decides it."""
        return (
            self.alive
            and not self.fetching
            and len(self.backlog) < max(1, self.workers // 4)
            and len(self.held) < self.workers + 2
        )

    def finished(self, unit: Unit, now: float) -> None:
        """Its result waits for the next commit."""
        self.recent.append((now, unit))
        while self.recent[0][0] < now - _COMMIT:
            self.recent.popleft()

    def lost(self, now: float) -> tuple[int, int]:
        """Take back what was not committed when it died; returns how many units, and ended papers."""
        units = papers = 0
        for at, unit in self.recent:
            if at >= now - _COMMIT and unit.batch.id in self.held:
                units += 1
                papers += unit.undo()
        return units, papers


class Heartbeats:
    """All jobs' heartbeats, at the same moments."""

    def __init__(self) -> None:
        self._fleet_view = FleetView()
        self._reports: list[LimiterReport] = []

    def beat(self, jobs: Sequence[SimJob], now: float) -> None:
        """Jobs exchange counters once per heartbeat, one beat late. All see the same: it is computed once."""
        fleet = self._fleet_view.observe(self._reports, now)
        for job in jobs:
            if fleet is not None:
                job.gate.limit.observe(fleet, now)
        self._reports = [job.gate.report(job.name) for job in jobs]


def _bucket(per_minute: float | None) -> TokenBucket | None:
    if per_minute is None:
        return None
    rate = per_minute / 60
    return TokenBucket(rate=rate, burst=max(1.0, rate))


def batches(setup: SimSetup) -> Generator[Batch, None, None]:
    """The papers as ``shard`` cuts them, heaviest first; made one by one."""
    messages = cut(
        _entries(setup.sizes, setup.papers),
        run_id="simulation",
        corpus_key="corpora/simulation.jsonl",
        corpus_sha256="0" * 64,
        max_papers=setup.batch_papers,
        max_tokens=200_000,
    )
    with closing(messages):
        for message in messages:
            size = message.tokens / len(message.ids)
            yield Batch(message.batch_id, iter([size] * len(message.ids)), setup.passage_tokens)


def _entries(sizes: tuple[float, ...], papers: int) -> Iterator[IndexEntry]:
    """Papers whose sizes follow the quantiles."""
    last = len(sizes) - 1
    for number in range(papers):
        place = (number + 0.5) / papers * last
        low = min(int(place), max(0, last - 1))
        high = min(low + 1, last)
        size = sizes[low] + (sizes[high] - sizes[low]) * (place - low)
        yield IndexEntry(number * 1000, 999, max(1, round(size)), 0, 1, 0, None, f"p{number}")


def body_passage(sizes: tuple[float, ...], passages: float) -> float | None:
    """Tokens of a passage of the body, by quantiles of a paper's and the mean number of passages of one."""
    if not sizes or not passages:
        return None
    size = sum(sizes) / len(sizes)
    return max(1.0, size - min(_HEAD, size / 3) - min(_TERMS, size / 6)) / max(1.0, passages - 2)
