"""Papers by the size of their requests, and samples of them that their ids alone decide.

Past 40,000 papers a random half, quarter ... of them stands for all, so that memory and time stay flat. Of
papers with bodies 2,000 are enough: they tell the mean to 1.6%, and take some twenty seconds.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

_STRATA = 10
_MOST_BODIES = 2_000
_BODIES_BYTES = 128 << 20
"""Of bodies that are sized, however large they are: half a minute."""
_FEWEST = 100
"""Papers that are sized in any case."""


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
    passages: Mapping[str, float] = field(default_factory=dict)
    """Of a whole paper: tokens of each passage by its key, of which ``size`` is the sum."""


@dataclass(frozen=True)
class SampleBounds:
    """``share`` of the papers that is looked at first; ``chunk`` is how many are held at a time."""

    papers: int = 40_000
    bytes: float = math.inf
    """Of their lines in the corpus."""
    share: float = 1.0
    chunk: int = 500

    @classmethod
    def of_bodies(cls, papers: int) -> SampleBounds:
        """Of a corpus of so many ``papers`` whose bodies are sent."""
        share = min(1.0, _MOST_BODIES / max(1, papers))
        return cls(_MOST_BODIES * 11 // 10, bytes=_BODIES_BYTES, share=share, chunk=20)


EVERY_PAPER = SampleBounds()
"""But of a very large corpus."""


class Sieve:
    """Keeps the papers that drew least, within the bounds."""

    def __init__(self, bounds: SampleBounds) -> None:
        self._bounds = bounds
        self._bytes = 0
        self.share = bounds.share
        self.kept: list[SizedPaper] = []

    def add(self, paper: SizedPaper) -> None:
        self.kept.append(paper)
        self._bytes += paper.length
        while len(self.kept) > self._bounds.papers or (
            self._bytes > self._bounds.bytes and len(self.kept) > _FEWEST
        ):
            self.share /= 2
            self.kept = [each for each in self.kept if each.draw < self.share]
            self._bytes = sum(each.length for each in self.kept)


def draw_of(paper_id: str) -> float:
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
