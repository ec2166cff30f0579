"""What a session has, split over jobs that cannot talk to each other."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class BatchWeight(NamedTuple):
    """A batch by its size; its ranges stay in the ledger."""

    batch_id: str
    papers: int
    tokens: int


def proportional_shares(amount: int, weights: Sequence[int]) -> list[int]:
    """Whole shares in proportion to the weights; they add up to ``amount`` (largest remainder)."""
    if not weights:
        return []
    whole = sum(weights)
    if whole <= 0:
        return proportional_shares(amount, [1] * len(weights))
    shares = [amount * weight // whole for weight in weights]
    left = amount - sum(shares)
    by_remainder = sorted(range(len(weights)), key=lambda n: (-(amount * weights[n] % whole), n))
    for position in by_remainder[:left]:
        shares[position] += 1
    return shares


def assign_batches(batches: Iterable[BatchWeight], jobs: int) -> list[list[BatchWeight]]:
    """Assign batches, sorted by falling weight, each to the job with the least work so far. No job is empty
    unless there are fewer batches than jobs."""
    assigned: list[list[BatchWeight]] = [[] for _ in range(jobs)]
    waiting = [(0, 0, number) for number in range(jobs)]
    for batch in batches:
        tokens, count, number = heapq.heappop(waiting)
        assigned[number].append(batch)
        heapq.heappush(waiting, (tokens + batch.tokens, count + batch.papers, number))
    return [batches_of_job for batches_of_job in assigned if batches_of_job]
