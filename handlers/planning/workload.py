"""The requests that a run over a corpus would send, sized without sending one.

Every paper's requests are made as ``run`` makes them (masked, with the prompt around them) and sized by
their characters. Past 40,000 papers a random half, quarter ... of them stands for all, so that memory and
time stay flat; which papers those are depends on their ids alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise

from pydantic import Field

from handlers.corpus.batching import read_paper
from handlers.corpus.index import IndexEntry
from handlers.domain.paper import Paper
from handlers.domain.plan import CorpusCounts
from handlers.domain.value import Frozen
from handlers.ports import Task

_MOST_SIZED = 40_000
_QUANTILES = 40
_STRATA = 10
_CHUNK = 500
"""Papers of which is asked at a time whether they have results."""
_REASONS = 20
"""Reasons for leaving a paper out that are told apart."""
HasResults = Callable[[Sequence[Paper]], Sequence[bool]]


@dataclass(frozen=True)
class SizedPaper:
    """One paper that would be sent. ``size``: estimated tokens of what is translated, over its requests."""

    id: str
    offset: int
    length: int
    requests: int
    size: float
    prompt: float
    """Estimated tokens of its prompts, the fixed text included."""
    bytes: int
    """UTF-8 length of its first prompt."""
    max_tokens: int
    """Most tokens that the first answer may have."""
    draw: float
    """Uniform in [0, 1), by its id: samples are the papers that drew least."""


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

    @property
    def counts(self) -> CorpusCounts:
        return CorpusCounts(
            papers=self.papers,
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
                "size": self.size * factor,
                "prompt": self.prompt * factor,
            }
        )


@dataclass
class _Sieve:
    """Keeps the papers that drew least, at most ``_MOST_SIZED``."""

    most: int
    share: float = 1.0
    kept: list[SizedPaper] = field(default_factory=list)

    def add(self, paper: SizedPaper) -> None:
        self.kept.append(paper)
        while len(self.kept) > self.most:
            self.share /= 2
            self.kept = [each for each in self.kept if each.draw < self.share]


Found = tuple[IndexEntry, float, Paper]
"""A paper with its draw."""


@dataclass
class _Tally:
    """Papers that are not sent. Of a large corpus those that were drawn speak for the others."""

    papers: int = 0
    same_as: int = 0
    reused: float = 0.0
    skipped: dict[str, float] = field(default_factory=dict)

    def skip(self, reason: str, papers: float = 1.0) -> None:
        known = reason in self.skipped or len(self.skipped) < _REASONS
        reason = reason if known else "other reasons"
        self.skipped[reason] = self.skipped.get(reason, 0.0) + papers


def measure_workload(
    entries: Iterable[IndexEntry],
    read: Callable[[int, int], bytes],
    task: Task,
    *,
    skips: Callable[[IndexEntry], str | bool | None],
    has_results: HasResults = lambda papers: [False] * len(papers),
    most: int = _MOST_SIZED,
) -> tuple[Workload, Sequence[SizedPaper]]:
    """The workload, and the papers that it was measured on.

    ``read`` gives the corpus's bytes at (offset, length); ``skips`` tells from the index alone that a
    paper costs no call, and why; ``has_results`` which papers have a result already.
    """
    sieve, tally = _Sieve(most), _Tally()
    found = _to_send(entries, read, task, skips, (sieve, tally))
    while chunk := list(islice(found, _CHUNK)):
        there = has_results([paper for _, _, paper in chunk])
        for (entry, draw, paper), has_result in zip(chunk, there, strict=True):
            if has_result:
                tally.reused += 1 / sieve.share
            elif draw < sieve.share:
                sieve.add(_sized(entry, draw, paper, task))
    return _sums(tally, sieve), sieve.kept


def _to_send(
    entries: Iterable[IndexEntry],
    read: Callable[[int, int], bytes],
    task: Task,
    skips: Callable[[IndexEntry], str | bool | None],
    counted: tuple[_Sieve, _Tally],
) -> Iterator[Found]:
    """The papers that need a result, as far as they are drawn; the others are counted."""
    sieve, tally = counted
    for entry in entries:
        tally.papers += 1
        tally.same_as += entry.follower
        if entry.follower:
            continue
        if why := skips(entry):
            tally.skip(why if isinstance(why, str) else "no call is needed")
            continue
        draw = _draw(entry.id)
        if draw < sieve.share:
            paper = read_paper(read(entry.offset, entry.length), entry.id)
            if (reason := task.skip_reason(paper)) is not None:
                tally.skip(reason, 1 / sieve.share)
            else:
                yield entry, draw, paper


def _draw(paper_id: str) -> float:
    """Uniform in [0, 1), the same for the same id."""
    digest = hashlib.blake2b(paper_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def stratified(sized: Sequence[SizedPaper], papers: int) -> list[SizedPaper]:
    """``papers`` of them, evenly from the smallest to the largest; more papers hold those of fewer.

    By size into ten strata of equal number; from each, those that drew least.
    """
    ordered = sorted(sized, key=lambda each: (each.size, each.draw))
    count = min(papers, len(ordered))
    bins = max(1, min(_STRATA, count))
    cut = [len(ordered) * each // bins for each in range(bins + 1)]
    ranked = [sorted(ordered[a:b], key=lambda each: each.draw) for a, b in pairwise(cut)]
    chosen: list[SizedPaper] = []
    depth = 0
    while len(chosen) < count:
        layer = [stratum[depth] for stratum in ranked if depth < len(stratum)]
        chosen += layer[: count - len(chosen)]
        depth += 1
    return chosen


def _sized(entry: IndexEntry, draw: float, paper: Paper, task: Task) -> SizedPaper:
    requests = list(task.requests(paper))
    guesses = [request.expected_tokens for request in requests]
    return SizedPaper(
        id=entry.id,
        offset=entry.offset,
        length=entry.length,
        requests=len(requests),
        size=sum(size for _, size in guesses),
        prompt=sum(prompt for prompt, _ in guesses),
        bytes=sum(len(each.content.encode("utf-8", "surrogatepass")) for each in requests[0].messages),
        max_tokens=requests[0].max_tokens,
        draw=draw,
    )


def _sums(tally: _Tally, sieve: _Sieve) -> Workload:
    kept = sieve.kept
    up = 1 / sieve.share
    sizes = sorted(each.size for each in kept)
    steps = [sizes[round(q * (len(sizes) - 1) / _QUANTILES)] for q in range(_QUANTILES + 1)] if sizes else []
    least = min(kept, key=lambda each: each.bytes, default=None)
    return Workload(
        papers=tally.papers,
        same_as=tally.same_as,
        reused=round(tally.reused),
        skipped={reason: round(papers) for reason, papers in tally.skipped.items()},
        least_bytes=least.bytes if least else 0,
        least_max_tokens=least.max_tokens if least else 0,
        sent=round(len(kept) * up),
        requests=sum(each.requests for each in kept) * up,
        size=sum(each.size for each in kept) * up,
        prompt=sum(each.prompt for each in kept) * up,
        sizes=tuple(round(step, 1) for step in steps),
    )
