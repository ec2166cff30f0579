"""The requests that a run over a corpus would send, sized without sending one.

The requests of every paper, or of a sample, are made as ``run`` makes them (masked, with the prompt around
them) and sized by their characters. A paper that is translated whole is sized by its passages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from pydantic import Field

from handlers.corpus.batching import read_paper
from handlers.corpus.index import IndexEntry
from handlers.domain.paper import Paper
from handlers.domain.plan import CorpusCounts
from handlers.domain.value import Frozen
from handlers.planning.sample import EVERY_PAPER, SampleBounds, Sieve, SizedPaper, draw_of
from handlers.ports import Task, WholePaperTask

_QUANTILES = 40
_ASKS_NOTHING = "nothing of it can be asked"
"""Why a paper takes no call that is no skipped one: it ends flagged or as it is."""
_REASONS = 20
"""Reasons for leaving a paper out that are told apart."""
HasResults = Callable[[Sequence[Paper]], Sequence[bool]]


class Workload(Frozen):
    """Sums over a corpus; of those that are sent, estimates if the corpus is large."""

    papers: int
    same_as: int
    sent: int
    """Papers with a call: neither skipped nor another's equal, and without a result."""
    requests: float
    """Calls if every answer passes at once."""
    size: float
    """Estimated tokens that are translated."""
    prompt: float
    """Estimated tokens of all prompts."""
    least_bytes: int = 0
    """UTF-8 bytes of the smallest paper's prompt."""
    least_max_tokens: int = 0
    """Most tokens that its answer may have."""
    reused: int = 0
    """Papers whose results are there already."""
    skipped: dict[str, int] = Field(default_factory=dict)
    """Why no call is made → papers."""
    sizes: tuple[float, ...] = ()
    """Quantiles of a paper's size, evenly spaced from the least to the largest."""
    passages: float = 0.0
    """Of whole papers: what workers take one at a time. 0: that is a paper."""
    passage_sizes: tuple[float, ...] = ()
    """Quantiles of a passage's size."""
    head_size: float = 0.0
    """Mean tokens of the passage that a whole paper begins with."""

    @property
    def units(self) -> float:
        """What workers take one at a time: papers, or passages."""
        return self.passages or self.sent

    @property
    def unit_sizes(self) -> tuple[float, ...]:
        return self.passage_sizes or self.sizes

    @property
    def counts(self) -> CorpusCounts:
        return CorpusCounts(
            papers=self.papers,
            passages=round(self.passages),
            same_as=self.same_as,
            sent=self.sent,
            done=self.reused,
            skipped=self.skipped,
        )

    def scaled(self, papers: int) -> Workload:
        """The same mixture with another number of papers, each of them sent."""
        factor = papers / self.sent if self.sent else 0.0
        return self.model_copy(
            update={
                "papers": papers,
                "same_as": 0,
                "reused": 0,
                "skipped": {},
                "sent": papers,
                "requests": self.requests * factor if self.sent else float(papers),
                "passages": self.passages * factor,
                "size": self.size * factor,
                "prompt": self.prompt * factor,
            }
        )


Found = tuple[IndexEntry, float, Paper]
"""A paper with its draw."""


@dataclass
class _Tally:
    """Papers that are not sent. Of a large corpus those that were drawn speak for the others."""

    papers: int = 0
    same_as: int = 0
    open: int = 0
    """Papers of which the index alone does not tell that they are not sent."""
    reused: float = 0.0
    skipped: dict[str, float] = field(default_factory=dict)
    by_index: Counter[str] = field(default_factory=Counter)

    def skip(self, reason: str, papers: float) -> None:
        """One that was drawn and stands for so many."""
        reason = self._bounded(reason)
        self.skipped[reason] = self.skipped.get(reason, 0.0) + papers

    def skip_by_index(self, reason: str) -> None:
        self.by_index[self._bounded(reason)] += 1

    def _bounded(self, reason: str) -> str:
        known = reason in self.skipped or reason in self.by_index
        return reason if known or len({*self.skipped, *self.by_index}) < _REASONS else "other reasons"

    def over(self, sent: float) -> float:
        """By how much the draw had too few papers, were ``sent`` those that it says are sent: every paper is
        one or the other, so that the counts add up (a ratio estimate; Cochran, 1977, chapter 6)."""
        drawn = sent + self.reused + sum(self.skipped.values())
        return self.open / drawn if drawn else 1.0


def measure_workload(
    entries: Iterable[IndexEntry],
    read: Callable[[int, int], bytes],
    task: Task,
    *,
    skips: Callable[[IndexEntry], str | bool | None],
    has_results: HasResults = lambda papers: [False] * len(papers),
    bounds: SampleBounds = EVERY_PAPER,
) -> tuple[Workload, Sequence[SizedPaper]]:
    """The workload, and the papers that it was measured on.

    ``read`` gives the corpus's bytes at (offset, length); ``skips`` tells from the index alone that a
    paper costs no call, and why; ``has_results`` which papers have a result already.
    """
    sieve, tally = Sieve(bounds), _Tally()
    found = _to_send(entries, read, task, skips, (sieve, tally))
    while chunk := list(islice(found, bounds.chunk)):
        there = has_results([paper for _, _, paper in chunk])
        for (entry, draw, paper), has_result in zip(chunk, there, strict=True):
            if has_result:
                tally.reused += 1 / sieve.share
            elif draw < sieve.share and (sized := _sized(entry, draw, paper, task)) is not None:
                sieve.add(sized)
            elif draw < sieve.share:
                tally.skip(_ASKS_NOTHING, 1 / sieve.share)
    return _sums(tally, sieve), sieve.kept


def _to_send(
    entries: Iterable[IndexEntry],
    read: Callable[[int, int], bytes],
    task: Task,
    skips: Callable[[IndexEntry], str | bool | None],
    counted: tuple[Sieve, _Tally],
) -> Iterator[Found]:
    """The papers that need a result, as far as they are drawn; the others are counted."""
    sieve, tally = counted
    for entry in entries:
        tally.papers += 1
        tally.same_as += entry.follower
        if entry.follower:
            continue
        if why := skips(entry):
            tally.skip_by_index(why if isinstance(why, str) else "no call is needed")
            continue
        tally.open += 1
        draw = draw_of(entry.id)
        if draw < sieve.share:
            paper = read_paper(read(entry.offset, entry.length), entry.id)
            if (reason := task.skip_reason(paper)) is not None:
                tally.skip(reason, 1 / sieve.share)
            else:
                yield entry, draw, paper


def _sized(entry: IndexEntry, draw: float, paper: Paper, task: Task) -> SizedPaper | None:
    """None where nothing is asked: of a body without end, of one whose every word is kept."""
    requests = list(task.requests(paper))
    if not requests:
        return None
    guesses = [request.expected_tokens for request in requests]
    passages: dict[str, float] = {}
    if isinstance(task, WholePaperTask) and task.is_whole(paper):
        works = (*task.first(paper), *task.rest(paper, {}))
        passages = {each.key: each.weight for each in works}
        if task.columns is not None:  # an answer is no longer where more is asked about
            passages = {each.key: size for each, (_, size) in zip(works, guesses, strict=True)}
    return SizedPaper(
        id=entry.id,
        offset=entry.offset,
        length=entry.length,
        requests=len(requests),
        size=sum(passages.values()) if passages else sum(size or prompt for prompt, size in guesses),
        prompt=sum(prompt for prompt, _ in guesses),
        bytes=sum(len(each.content.encode("utf-8", "surrogatepass")) for each in requests[0].messages),
        max_tokens=requests[0].max_tokens,
        draw=draw,
        passages=passages,
    )


def _sums(tally: _Tally, sieve: Sieve) -> Workload:
    kept = sieve.kept
    over = tally.over(len(kept) / sieve.share)
    up = over / sieve.share
    reused = round(tally.reused * over)
    drawn = {reason: round(papers * over) for reason, papers in tally.skipped.items()}
    least = min(kept, key=lambda each: each.bytes, default=None)
    return Workload(
        papers=tally.papers,
        same_as=tally.same_as,
        reused=reused,
        skipped=dict(tally.by_index + Counter(drawn)),
        least_bytes=least.bytes if least else 0,
        least_max_tokens=least.max_tokens if least else 0,
        sent=max(1, tally.open - reused - sum(drawn.values())) if kept else 0,
        requests=sum(each.requests for each in kept) * up,
        size=sum(each.size for each in kept) * up,
        prompt=sum(each.prompt for each in kept) * up,
        sizes=_quantiles(each.size for each in kept),
        **_of_passages(kept, up),
    )


def _of_passages(kept: Sequence[SizedPaper], up: float) -> dict[str, Any]:
    """Nothing where no paper is cut. One that is not, among others that are, is a passage of its own."""
    whole = [each.passages for each in kept if each.passages]
    if not whole:
        return {}
    sizes = [size for each in kept for size in (each.passages.values() or (each.size,))]
    return {
        "passages": len(sizes) * up,
        "passage_sizes": _quantiles(sizes),
        "head_size": sum(next(iter(each.values())) for each in whole) / len(whole),
    }


def _quantiles(values: Iterable[float]) -> tuple[float, ...]:
    """41 of them, from the least to the largest; none of nothing."""
    ordered = sorted(values)
    steps = range(_QUANTILES + 1) if ordered else ()
    return tuple(round(ordered[round(q * (len(ordered) - 1) / _QUANTILES)], 1) for q in steps)
