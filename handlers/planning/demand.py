"""What a workload takes under the assumptions: calls, tokens, dollars and workers' time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from handlers.domain.money import PICO, Price, usd
from handlers.llm.prices.pricing import worst_cost
from handlers.planning.assumptions import Assumptions
from handlers.planning.service_times import ServiceTime
from handlers.planning.workload import Workload

_LAST_PAPERS, _LAST_PASSAGES = 0.05, 0.5
"""Share of papers, and of whole papers' passages, that are no larger than those that come last."""


@dataclass(frozen=True)
class Demand:
    """USD, tokens, seconds."""

    papers: int
    """All of the run, those without a call too."""
    to_do: int
    """Of them those that a call gives a result: neither skipped nor there already."""
    sent: int
    units: int
    """What workers take one at a time: papers to send, or the passages of whole ones."""
    calls: float
    prompt_tokens: float
    completion_tokens: float
    cost: float
    cost_error: float
    """Half of the 90% interval, in USD."""
    service_time: ServiceTime
    """Of one unit."""
    last_service_time: ServiceTime
    """Of the smallest ones, which come last."""
    first_stage: float
    """Seconds that a whole paper's head takes, before its body is asked; 0: nothing waits for anything."""
    longest_call: float
    size_per_call: float
    """Tokens that a call translates."""
    cheapest_paper: float
    """What must be reserved for the smallest paper's call, in USD."""
    hedge: float = 0.0
    """Share of the calls that are sent a second time, at the end."""

    @property
    def calls_per_paper(self) -> float:
        return self.calls / self.sent if self.sent else 0.0

    @property
    def calls_per_unit(self) -> float:
        return self.calls / self.units if self.units else 0.0

    @property
    def tokens_per_paper(self) -> float:
        return (self.prompt_tokens + self.completion_tokens) / self.sent if self.sent else 0.0

    @property
    def worker_seconds(self) -> float:
        return self.units * self.service_time.mean

    def tail(self, workers: int) -> float:
        """Seconds that the last calls of so many workers draw out the end."""
        return self.last_service_time.tail(workers) * self._shortened(self.last_service_time, workers)

    @property
    def longest_unit(self) -> float:
        """Seconds that the longest unit is expected to take."""
        return self.service_time.longest_of(self.units) * self._shortened(self.service_time, self.units)

    def _shortened(self, times: ServiceTime, units: int) -> float:
        """By second calls, as far as they reach: one unit in fifty is slow."""
        reach = min(1.0, self.hedge * self.calls / max(1.0, 0.02 * units))
        return 1 - reach * (1 - times.second_chance(units)) if reach else 1.0

    def hedged(self, share: float) -> Demand:
        """With that share of its calls sent a second time."""
        more = 1 + share
        return replace(
            self,
            hedge=share,
            calls=self.calls * more,
            prompt_tokens=self.prompt_tokens * more,
            completion_tokens=self.completion_tokens * more,
            cost=self.cost * more,
        )

    def part(self, papers: int) -> Demand:
        """Of the first so many papers of the same mixture."""
        share = min(1.0, papers / self.papers) if self.papers else 0.0
        return replace(
            self,
            papers=min(papers, self.papers),
            sent=round(self.sent * share),
            units=round(self.units * share),
            calls=self.calls * share,
            prompt_tokens=self.prompt_tokens * share,
            completion_tokens=self.completion_tokens * share,
            cost=self.cost * share,
            cost_error=self.cost_error * share,
        )


def demand_of(workload: Workload, assumptions: Assumptions, price: Price | None) -> Demand:
    """``price`` may be None only if ``usd_per_paper`` is assumed."""
    prompt = max(
        0.0, _line(workload, assumptions.prompt_tokens_per_request, assumptions.prompt_tokens_per_token)
    )
    completion = max(
        0.0,
        _line(workload, assumptions.completion_tokens_per_request, assumptions.completion_tokens_per_token),
    )
    cost = _cost(workload, assumptions, price, prompt, completion)
    last = _LAST_PASSAGES if workload.passages else _LAST_PAPERS
    sigma = assumptions.latency_sigma
    return Demand(
        papers=workload.papers,
        to_do=max(workload.sent, workload.papers - workload.reused - sum(workload.skipped.values())),
        sent=workload.sent,
        units=round(workload.units),
        calls=workload.requests * (1 + assumptions.repair_share + assumptions.retry_share),
        prompt_tokens=prompt,
        completion_tokens=completion,
        cost=cost,
        cost_error=0.0 if assumptions.usd_per_paper is not None else cost * assumptions.cost_error,
        service_time=_service_time(workload, assumptions),
        last_service_time=ServiceTime(_seconds(workload, assumptions, _size_at(workload, last)), sigma),
        first_stage=_seconds(workload, assumptions, workload.head_size) if workload.passages else 0.0,
        longest_call=assumptions.longest_call_s or _longest(workload, assumptions),
        size_per_call=workload.size / workload.requests if workload.requests else 0.0,
        cheapest_paper=_cheapest(workload, assumptions, price),
    )


def _line(workload: Workload, per_request: float, per_token: float) -> float:
    return workload.requests * per_request + workload.size * per_token


def _cost(
    workload: Workload, assumptions: Assumptions, price: Price | None, prompt: float, completion: float
) -> float:
    if assumptions.usd_per_paper is not None:
        return assumptions.usd_per_paper * workload.sent
    if price is None:
        raise ValueError("neither a price nor usd_per_paper")
    cached = prompt * assumptions.cached_share
    pico = (prompt - cached) * price.prompt + cached * price.cached + completion * price.completion
    return pico / PICO * (1 + assumptions.indeterminate_share)


def _service_time(workload: Workload, assumptions: Assumptions) -> ServiceTime:
    """The spread is that of one call around its mean, and that of the units' sizes."""
    if not workload.units:
        return ServiceTime(0.0, 0.0)
    mean = (
        _line(workload, assumptions.latency_s_per_request, assumptions.latency_s_per_token) / workload.units
    )
    times = [max(1e-3, _seconds(workload, assumptions, size)) for size in workload.unit_sizes]
    logs = [math.log(each) for each in times]
    middle = sum(logs) / len(logs) if logs else 0.0
    spread = sum((each - middle) ** 2 for each in logs) / len(logs) if logs else 0.0
    sigma = math.sqrt(assumptions.latency_sigma**2 + spread)
    return ServiceTime(max(1e-4, mean + assumptions.worker_s_per_paper), sigma)


def _longest(workload: Workload, assumptions: Assumptions) -> float:
    """Seconds that hardly any call of the largest unit exceeds."""
    rate = assumptions.papers_per_worker_hour
    if rate is not None:
        return 3600 / (min(rate.values()) if isinstance(rate, dict) else rate)
    seconds = assumptions.latency_s_per_token * _size_at(workload, 1.0)
    one = max(1e-4, assumptions.latency_s_per_request + seconds)
    return ServiceTime(one, assumptions.latency_sigma).longest


def _seconds(workload: Workload, assumptions: Assumptions, size: float) -> float:
    """A worker's seconds for a unit of that size."""
    requests = workload.requests / workload.units if workload.units else 1.0
    calls = assumptions.latency_s_per_request * requests + assumptions.latency_s_per_token * size
    return max(1e-4, calls) + assumptions.worker_s_per_paper


def _size_at(workload: Workload, share: float) -> float:
    sizes = workload.unit_sizes
    return sizes[round(share * (len(sizes) - 1))] if sizes else 0.0


def _cheapest(workload: Workload, assumptions: Assumptions, price: Price | None) -> float:
    if assumptions.usd_per_paper is not None or price is None:
        return assumptions.usd_per_paper or 0.0
    if not workload.sent:
        return 0.0
    return usd(worst_cost(workload.least_bytes, workload.least_max_tokens, price))
