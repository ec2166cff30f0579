"""Sums over calls: what parts say of themselves and runs add up to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from handlers.domain.models import CallRecord, Frozen, LedgerEntry


class CallTotals(Frozen):
    """Sums over the calls of one part; parts of a run add up to its spend."""

    sent: int = 0
    ok: int = 0
    throttled: int = 0
    transient: int = 0
    fatal: int = 0
    refused: int = 0
    repairs: int = 0
    cost: int = 0
    indeterminate: int = 0
    """nano-USD, part of ``cost``."""
    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0
    latency: dict[int, int] = Field(default_factory=dict)
    """Histogram of answered calls: bucket (see ``latency_bucket``) → count."""
    errors: dict[str, int] = Field(default_factory=dict)
    """Class → calls that ended in it."""

    def plus(self, other: CallTotals) -> CallTotals:
        numbers = {
            name: getattr(self, name) + getattr(other, name)
            for name in CallTotals.model_fields
            if name not in ("latency", "errors")
        }
        return CallTotals(
            **numbers,
            latency=_added(self.latency, other.latency),
            errors=_added(self.errors, other.errors),
        )

    @classmethod
    def of(cls, calls: tuple[CallRecord, ...] | list[CallRecord]) -> CallTotals:
        """Sums of these calls."""
        sums: dict[str, int] = dict.fromkeys(
            (name for name in cls.model_fields if name not in ("latency", "errors")), 0
        )
        latency: dict[int, int] = {}
        errors: dict[str, int] = {}
        for call in calls:
            sums["sent"] += 1
            sums[call.outcome] += 1
            sums["repairs"] += call.kind == "repair"
            sums["cost"] += call.cost
            sums["indeterminate"] += call.cost if call.indeterminate else 0
            if call.usage is not None:
                sums["prompt"] += call.usage.prompt_tokens
                sums["completion"] += call.usage.completion_tokens
                sums["cached"] += call.usage.cached_tokens
                sums["reasoning"] += call.usage.reasoning_tokens
            if call.outcome == "ok":
                bucket = latency_bucket(call.latency)
                latency[bucket] = latency.get(bucket, 0) + 1
            if call.code is not None:
                errors[call.code] = errors.get(call.code, 0) + 1
        return cls(**sums, latency=latency, errors=errors)


@dataclass(frozen=True)
class Commit:
    """One part of one batch, as the ledger hears of it after the part is durable."""

    run_id: str
    batch_id: str
    part_id: str
    """Unique over all jobs and epochs: ``<batch>/<epoch>-<job>-<n>``."""
    job_id: str
    entries: tuple[LedgerEntry, ...]
    calls: CallTotals
    at: float


def latency_bucket(seconds: float) -> int:
    """Index of a geometric histogram: bucket b holds latencies up to 1 ms x 1.05**b (5% resolution)."""
    return max(0, math.ceil(math.log(max(seconds, 1e-9) / 0.001) / math.log(1.05)))


def bucket_seconds(bucket: int) -> float:
    """Upper edge of a latency bucket."""
    return 0.001 * 1.05**bucket


def _added(left: Mapping[Any, int], right: Mapping[Any, int]) -> dict[Any, int]:
    total = dict(left)
    for key, count in right.items():
        total[key] = total.get(key, 0) + count
    return total
