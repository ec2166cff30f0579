"""Tokens, time and verdicts of a pilot's papers, fitted to the size of a paper."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from handlers.domain.call import CallRecord
from handlers.domain.job import JobRecord
from handlers.domain.money import usd
from handlers.domain.paper import PaperStatus
from handlers.domain.plan import LinearFit, PilotFigures
from handlers.planning.pilot_limits import pilot_limits
from handlers.planning.sample import SizedPaper
from handlers.planning.workload import Workload

_NINETY = 1.645
_T_EXTRA = 1.7
"""Student's t at 90% is about 1.645 + 1.7 / degrees of freedom."""
_BACKOFF = 0.5
"""Mean seconds of the first wait after a transient error (see pipeline/calls/paper_calls.py)."""
_FEW = 3
"""Papers below which nothing is fitted but a mean."""


@dataclass(frozen=True)
class PilotWork:
    """What a worker did at a time: a paper, or (``key``) a whole paper's passage."""

    calls: tuple[CallRecord, ...]
    worker_s: float = 0.0
    """What a worker took for it."""
    key: str = ""


@dataclass(frozen=True)
class PilotPaper:
    """One paper of a pilot, as its lines in the ledger's parts say."""

    id: str
    status: PaperStatus
    work: tuple[PilotWork, ...]

    @property
    def calls(self) -> tuple[CallRecord, ...]:
        return tuple(call for each in self.work for call in each.calls)


@dataclass(frozen=True)
class _Sized:
    """Work with its size: that of a paper, or of one passage."""

    requests: float
    size: float
    work: PilotWork


_Point = tuple[float, float, float]
"""Requests, size, value."""


def pilot_figures(
    papers: Sequence[PilotPaper],
    sized: Mapping[str, SizedPaper],
    workload: Workload,
    jobs: Iterable[JobRecord] = (),
) -> PilotFigures | None:
    """None if no call was answered. Papers that are not in ``sized`` count only in sums; ``jobs`` are those
    that did the papers."""
    calls = sorted((call for each in papers for call in each.calls), key=lambda call: call.started_at)
    whole = [_whole(each, sized[each.id]) for each in papers if each.id in sized and _answered(each.calls)]
    if not whole:
        return None
    fitted = [one for each in papers if each.id in sized for one in _parts(each, sized[each.id])]
    prompt, completion = _fit(_tokens(fitted, "prompt_tokens")), _fit(_tokens(fitted, "completion_tokens"))
    seconds = _fit(_times(fitted))
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
        latency_sigma=_sigma(fitted, seconds),
        longest_call_s=max(call.latency for call in calls),
        seconds_per_paper=seconds.total(workload.requests, workload.size) / max(1, workload.sent),
        flag_share=_per(len(papers), sum(each.status == "flagged" for each in papers)),
        cost_error=_error(_fit(_costs(whole)), len(whole), workload),
        time_error=_error(_fit(_times(whole)), len(whole), workload),
        worker_s_per_paper=_own_work(fitted),
        limits=limits,
        limits_on=limits_on,
        **_shares(calls, round(sum(each.requests for each in whole))),
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


def _answered(calls: Iterable[CallRecord]) -> bool:
    return any(call.usage for call in calls)


def _whole(paper: PilotPaper, size: SizedPaper) -> _Sized:
    work = PilotWork(paper.calls, sum(each.worker_s for each in paper.work))
    return _Sized(size.requests, size.size, work)


def _parts(paper: PilotPaper, size: SizedPaper) -> Iterator[_Sized]:
    """The paper, or its passages that were answered, each with all its lines."""
    if not size.passages:
        yield from [_whole(paper, size)] if _answered(paper.calls) else []
        return
    for key, tokens in size.passages.items():
        lines = [each for each in paper.work if each.key == key]
        calls = tuple(call for each in lines for call in each.calls)
        if _answered(calls):
            yield _Sized(1, tokens, PilotWork(calls, sum(each.worker_s for each in lines), key))


def _tokens(fitted: Iterable[_Sized], name: str) -> Iterator[_Point]:
    for each in fitted:
        usages = [call.usage for call in each.work.calls if call.usage is not None]
        yield each.requests, each.size, float(sum(getattr(usage, name) for usage in usages))


def _costs(fitted: Iterable[_Sized]) -> Iterator[_Point]:
    for each in fitted:
        yield each.requests, each.size, usd(sum(call.cost for call in each.work.calls))


def _times(fitted: Iterable[_Sized]) -> Iterator[_Point]:
    for each in fitted:
        yield each.requests, each.size, _seconds(each.work.calls)


def _seconds(calls: Sequence[CallRecord]) -> float:
    """With the backoff after transient errors. Refusals for the rate are no work of a worker's: how many
    there are depends on the fleet."""
    waited = sum(_BACKOFF for call in calls if call.outcome == "transient")
    return waited + sum(call.latency for call in calls if call.outcome != "throttled")


def _own_work(fitted: Sequence[_Sized]) -> float:
    """Lower quartile of a worker's seconds beyond the calls, over work that never waited."""
    spare = sorted(
        each.work.worker_s - sum(call.latency for call in each.work.calls)
        for each in fitted
        if each.work.worker_s and all(call.outcome == "ok" and call.attempt == 1 for call in each.work.calls)
    )
    return min(0.05, max(0.0, spare[len(spare) // 4])) if spare else 0.01


def _fit(found: Iterable[_Point]) -> LinearFit:
    """Least squares on (requests, size); with too few or too equal ones, in proportion to the size."""
    points = list(found)
    rr = sum(requests**2 for requests, _, _ in points)
    rs = sum(requests * size for requests, size, _ in points)
    ss = sum(size**2 for _, size, _ in points)
    rv = sum(requests * value for requests, _, value in points)
    sv = sum(size * value for _, size, value in points)
    determinant = rr * ss - rs * rs
    if len(points) < _FEW or determinant <= 1e-6 * rr * ss:
        fit = (0.0, sum(value for _, _, value in points) / max(1e-9, sum(size for _, size, _ in points)))
    else:
        fit = ((rv * ss - sv * rs) / determinant, (rr * sv - rs * rv) / determinant)
        if fit[1] < 0:  # chance: a larger one takes no less
            fit = (rv / rr, 0.0)
    squares = sum((value - fit[0] * requests - fit[1] * size) ** 2 for requests, size, value in points)
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


def _sigma(fitted: Sequence[_Sized], fit: LinearFit) -> float:
    """Spread of the logarithm of a unit's seconds around what its size says."""
    logs = []
    for each in fitted:
        expected = fit.total(each.requests, each.size)
        if expected > 0 and (seconds := _seconds(each.work.calls)) > 0:
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
