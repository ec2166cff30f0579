"""What a session has, split over jobs that cannot talk to each other."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Weight(NamedTuple):
    """What is to be dealt of a batch: its ranges stay in the ledger."""

    batch_id: str
    papers: int
    tokens: int


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """Whole shares in proportion to the weights; they add up to ``amount`` (largest remainder)."""
    if not weights:
        return []
    whole = sum(weights)
    if whole <= 0:
        return split(amount, [1] * len(weights))
    shares = [amount * weight // whole for weight in weights]
    left = amount - sum(shares)
    by_remainder = sorted(range(len(weights)), key=lambda n: (-(amount * weights[n] % whole), n))
    for position in by_remainder[:left]:
        shares[position] += 1
    return shares


def deal(batches: Iterable[Weight], jobs: int) -> list[list[Weight]]:
    """Batches, the heaviest of which come first, each to the job with least to do; no job is left empty
    unless there are fewer batches."""
    hands: list[list[Weight]] = [[] for _ in range(jobs)]
    waiting = [(0, 0, number) for number in range(jobs)]
    for batch in batches:
        tokens, count, number = heapq.heappop(waiting)
        hands[number].append(batch)
        heapq.heappush(waiting, (tokens + batch.tokens, count + batch.papers, number))
    return [hand for hand in hands if hand]
