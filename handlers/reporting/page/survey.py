"""One pass over a run's ledger and parts: the timeline, the papers worth a look, the distributions."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from dataclasses import dataclass, field

from handlers.domain.ledger import PaperRow
from handlers.domain.money import usd
from handlers.domain.part_lines import decode
from handlers.domain.result import PartLine
from handlers.errors import DamagedObjectError
from handlers.ports import Ledger, ObjectStore
from handlers.reporting.page.timeline import Moment, Timeline
from handlers.reporting.passage_lines import PassageLines

NOTABLE = 10
"""Papers in each list: slowest, dearest, and flagged by one check."""
_COST_BUCKETS_PER_DECADE = 16
_TITLE = 160


@dataclass(frozen=True)
class Notable:
    """A paper that a list names. Title and id come from the corpus or a model: text, never markup."""

    id: str
    title: str
    status: str
    seconds: float
    cost_usd: float
    calls: int
    url: str | None
    detail: str = ""


@dataclass(frozen=True)
class Survey:
    """What the page shows beyond the report's JSON."""

    moments: list[Moment]
    seams: list[float]
    """Seconds worked at which a session ended and a later one began."""
    jobs: dict[str, tuple[float, float]]
    """Job → seconds worked at its start and its end."""
    latency: dict[int, int]
    """Histogram of answered calls, see ``models.latency_bucket``: the one that p50, p90, p99 are of."""
    costs: dict[int, int]
    """Papers that cost something, by ``cost_bucket``."""
    slowest: list[Notable]
    dearest: list[Notable]
    flagged: dict[str, int]
    """Flagged papers by check that failed; a paper may have failed several."""
    flagged_examples: dict[str, list[Notable]]
    unplaced_usd: float
    """Spend of attempts that a retry or another delivery made void: in the sum, not in the charts."""
    unreadable: int
    """Papers whose part cannot be read."""

    def named(self) -> set[str]:
        """Ids of the papers in its lists."""
        lists = (self.slowest, self.dearest, *self.flagged_examples.values())
        return {paper.id for papers in lists for paper in papers}


def survey(run_id: str, *, ledger: Ledger, store: ObjectStore) -> Survey:
    """Reads each row and its line once, streamed, and those of whole papers' passages. Seconds for tens of
    thousands of papers."""
    calls = ledger.totals(run_id).calls
    gathered = _Gathered(Timeline(ledger.jobs(run_id)), PassageLines(ledger, store, run_id))
    for row in ledger.entries(run_id):
        gathered.row(row, store)
    unplaced = max(0, calls.cost - gathered.timeline.spend)
    return gathered.survey(latency=dict(calls.latency), unplaced_usd=usd(unplaced))


def cost_bucket(nano_usd: int) -> int:
    """Index of a geometric histogram with 16 buckets a decade: bucket b holds costs up to
    10**(b/16) nano-USD."""
    return math.ceil(math.log10(max(1, nano_usd)) * _COST_BUCKETS_PER_DECADE)


def cost_bucket_usd(bucket: int) -> float:
    """Upper edge of a cost bucket."""
    return usd(10 ** (bucket / _COST_BUCKETS_PER_DECADE))


class _Top:
    """The largest few of a stream."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Notable]] = []
        self._count = 0

    def offer(self, size: float, paper: Notable) -> None:
        self._count += 1
        item = (size, -self._count, paper)
        if len(self._heap) < NOTABLE:
            heapq.heappush(self._heap, item)
        elif item > self._heap[0]:
            heapq.heapreplace(self._heap, item)

    def papers(self) -> list[Notable]:
        return [paper for _, _, paper in sorted(self._heap, reverse=True)]


@dataclass
class _Gathered:
    timeline: Timeline
    passages: PassageLines
    costs: Counter[int] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Notable]] = field(default_factory=dict)
    slowest: _Top = field(default_factory=_Top)
    dearest: _Top = field(default_factory=_Top)
    unreadable: int = 0

    def row(self, row: PaperRow, store: ObjectStore) -> None:
        if row.cost > 0 and row.status != "pending":
            self.costs[cost_bucket(row.cost)] += 1
        line = read_line(store, row)
        if line is None:
            self.unreadable += row.pointer is not None
            return
        in_several = row.status == "pending" or line.behind
        for call in self.passages.calls(line) if in_several else (*line.calls, *line.carried):
            self.timeline.call(call)
        if row.status == "pending":
            return
        if row.status != "skipped":  # no call is made for them: they pass in bursts
            self.timeline.paper(line.at, row.weight)
        paper = _notable(row, line)
        if line.calls or line.behind:
            self.slowest.offer(line.latency, paper)
        if row.cost:
            self.dearest.offer(row.cost, paper)
        if row.status == "flagged":
            self._flagged(row, paper)

    def _flagged(self, row: PaperRow, paper: Notable) -> None:
        for name in row.flags or (row.error or "unknown",):
            self.flagged[name] += row.weight
            examples = self.examples.setdefault(name, [])
            if len(examples) < NOTABLE:
                examples.append(paper)

    def survey(self, *, latency: dict[int, int], unplaced_usd: float) -> Survey:
        return Survey(
            moments=self.timeline.moments(),
            seams=self.timeline.axis.seams,
            jobs=self.timeline.jobs,
            latency=latency,
            costs=dict(sorted(self.costs.items())),
            slowest=self.slowest.papers(),
            dearest=self.dearest.papers(),
            flagged=dict(self.flagged.most_common()),
            flagged_examples=self.examples,
            unplaced_usd=unplaced_usd,
            unreadable=self.unreadable,
        )


def read_line(store: ObjectStore, row: PaperRow) -> PartLine | None:
    """The paper's line in its part; None if it has none or it cannot be read."""
    where = row.pointer
    if where is None:
        return None
    try:
        return decode(store.read(where.key, where.offset, where.length), where)
    except DamagedObjectError:
        return None


def _notable(row: PaperRow, line: PartLine) -> Notable:
    title = line.fields.get("title")
    return Notable(
        id=line.id,
        title=title[:_TITLE] if isinstance(title, str) else "",
        status=row.status,
        seconds=line.latency,
        cost_usd=usd(row.cost),
        calls=len(line.calls) + len(line.carried) + (line.behind.sent if line.behind else 0),
        url=line.url,
        detail=(line.reason or "")[:400],
    )
