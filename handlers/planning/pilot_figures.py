"""Tokens, time and verdicts of a pilot's papers, fitted to the size of a paper."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from handlers.domain.call import CallRecord
from handlers.domain.job import JobRecord
from handlers.domain.money import usd
from handlers.domain.paper import PaperStatus
from handlers.domain.plan import LinearFit, PilotFigures
from handlers.planning.pilot_limits import pilot_limits
from handlers.planning.workload import SizedPaper, Workload

_NINETY = 1.645
_T_EXTRA = 1.7
"""Student's t at 90% is about 1.645 + 1.7 / degrees of freedom."""
_BACKOFF = 0.5
"""Mean seconds of the first wait after a transient error (see pipeline/calls/paper_calls.py)."""
_FEW = 3
"""Papers below which nothing is fitted but a mean."""


@dataclass(frozen=True)
class PilotPaper:
    """One paper of a pilot, as its line in the ledger's parts says."""

    id: str
    status: PaperStatus
    calls: tuple[CallRecord, ...]
    worker_s: float = 0.0
    """What a worker took for it."""


@dataclass(frozen=True)
class _Point:
    requests: float
    size: float
    value: float


def pilot_figures(
    papers: Sequence[PilotPaper],
    sized: Mapping[str, SizedPaper],
    workload: Workload,
    jobs: Iterable[JobRecord] = (),
) -> PilotFigures | None:
    """None if no call was answered. Papers that are not in ``sized`` count only in sums; ``jobs`` are those
    that did the papers."""
    calls = sorted((call for each in papers for call in each.calls), key=lambda call: call.started_at)
    fitted = [each for each in papers if each.id in sized and any(call.usage for call in each.calls)]
    if not fitted:
        return None
    prompt = _fit((_tokens(each, "prompt_tokens"), sized[each.id]) for each in fitted)
    completion = _fit((_tokens(each, "completion_tokens"), sized[each.id]) for each in fitted)
    seconds = _fit((_seconds(each), sized[each.id]) for each in fitted)
    done = [sized[each.id] for each in papers if each.calls and each.status == "done" and each.id in sized]
    limits, limits_on = pilot_limits(jobs, calls)
    return PilotFigures(
        papers=len(papers),
        counts=dict(Counter(each.status for each in papers)),
        done=len(done),
        done_requests=float(sum(each.requests for each in done)),
        done_size=sum(each.size for each in done),
        calls=len(calls),
        spend_usd=usd(sum(call.cost for call in calls)),
        prompt=prompt,
        completion=completion,
        seconds=seconds,
        latency_sigma=_sigma(fitted, sized, seconds),
        longest_call_s=max(call.latency for call in calls),
        seconds_per_paper=seconds.total(workload.requests, workload.size) / max(1, workload.sent),
        flag_share=_per(len(papers), sum(each.status == "flagged" for each in papers)),
        cost_error=_cost_error(fitted, sized, workload),
        time_error=_error(seconds, len(fitted), workload),
        worker_s_per_paper=_own_work(fitted),
        limits=limits,
        limits_on=limits_on,
        **_shares(calls, sum(sized[each.id].requests for each in fitted)),
    )


def _shares(calls: Sequence[CallRecord], planned: int) -> dict[str, float]:
    """Shares of calls, tokens and dollars; ``planned``: calls if every answer had passed at once."""
    answered = [call for call in calls if call.usage is not None]
    cost = sum(call.cost for call in calls)
    sure = sum(call.cost for call in calls if not call.indeterminate)
    return {
        "cached_share": _cached(answered),
        "reasoning_share": _share(answered, "reasoning_tokens", "completion_tokens"),
        "indeterminate_share": (cost - sure) / sure if sure else 0.0,
        "repair_share": _per(planned, sum(call.kind == "repair" for call in calls)),
        "retry_share": _per(planned, sum(call.outcome == "transient" for call in calls)),
        "throttled_share": _per(len(calls), sum(call.outcome == "throttled" for call in calls)),
    }


def _tokens(paper: PilotPaper, name: str) -> float:
    return float(sum(getattr(call.usage, name) for call in paper.calls if call.usage is not None))


def _seconds(paper: PilotPaper) -> float:
    """With the backoff after transient errors. Refusals for the rate are no work of a worker's: how many
    there are depends on the fleet."""
    waited = sum(_BACKOFF for call in paper.calls if call.outcome == "transient")
    return waited + sum(call.latency for call in paper.calls if call.outcome != "throttled")


def _own_work(fitted: Sequence[PilotPaper]) -> float:
    """Lower quartile of a worker's seconds beyond the paper's calls, over papers that never waited."""
    spare = sorted(
        each.worker_s - sum(call.latency for call in each.calls)
        for each in fitted
        if each.worker_s and all(call.outcome == "ok" and call.attempt == 1 for call in each.calls)
    )
    return min(0.05, max(0.0, spare[len(spare) // 4])) if spare else 0.01


def _fit(pairs: Iterable[tuple[float, SizedPaper]]) -> LinearFit:
    """Least squares on (requests, size); with too few or too equal papers, in proportion to the size."""
    points = [_Point(each.requests, each.size, value) for value, each in pairs]
    rr = sum(p.requests**2 for p in points)
    rs = sum(p.requests * p.size for p in points)
    ss = sum(p.size**2 for p in points)
    rv = sum(p.requests * p.value for p in points)
    sv = sum(p.size * p.value for p in points)
    determinant = rr * ss - rs * rs
    if len(points) < _FEW or determinant <= 1e-6 * rr * ss:
        fit = (0.0, sum(p.value for p in points) / max(1e-9, sum(p.size for p in points)))
    else:
        fit = ((rv * ss - sv * rs) / determinant, (rr * sv - rs * rv) / determinant)
        if fit[1] < 0:  # chance: a larger paper takes no less
            fit = (rv / rr, 0.0)
    squares = sum((p.value - fit[0] * p.requests - fit[1] * p.size) ** 2 for p in points)
    residual = math.sqrt(squares / max(1, len(points) - 2))
    return LinearFit(per_request=fit[0], per_token=fit[1], residual=residual)


def _error(fit: LinearFit, papers: int, workload: Workload) -> float:
    """Half of the 90% interval of a corpus's mean, as a share of it."""
    mean = fit.total(workload.requests, workload.size) / max(1, workload.sent)
    if papers < _FEW and papers < workload.sent:
        return 1.0  # so few lie on one line by themselves
    t = _NINETY + _T_EXTRA / max(1, papers - 2)
    if fit.residual == 0:
        return 0.0
    return t * fit.residual / math.sqrt(papers) / mean if mean > 0 else 1.0


def _cost_error(fitted: Sequence[PilotPaper], sized: Mapping[str, SizedPaper], workload: Workload) -> float:
    cost = _fit((usd(sum(call.cost for call in each.calls)), sized[each.id]) for each in fitted)
    return _error(cost, len(fitted), workload)


def _sigma(fitted: Sequence[PilotPaper], sized: Mapping[str, SizedPaper], fit: LinearFit) -> float:
    """Spread of the logarithm of a paper's seconds around what its size says."""
    logs = []
    for each in fitted:
        expected = fit.total(sized[each.id].requests, sized[each.id].size)
        if expected > 0 and (seconds := _seconds(each)) > 0:
            logs.append(math.log(seconds / expected))
    mean = sum(logs) / len(logs) if logs else 0.0
    return min(3.0, math.sqrt(sum((x - mean) ** 2 for x in logs) / max(1, len(logs) - 1))) if logs else 0.4


def _cached(answered: Sequence[CallRecord]) -> float:
    """The first calls fill the cache: where there are enough, the later half speaks for a long run."""
    warm = answered[len(answered) // 2 :] if len(answered) >= 2 * _FEW else answered
    return _share(warm, "cached_tokens", "prompt_tokens")


def _share(calls: Sequence[CallRecord], part: str, whole: str) -> float:
    total = sum(getattr(call.usage, whole) for call in calls)
    return sum(getattr(call.usage, part) for call in calls) / total if total else 0.0


def _per(whole: float, part: float) -> float:
    return part / whole if whole else 0.0
