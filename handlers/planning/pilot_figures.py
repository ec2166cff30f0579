"""What a pilot measured: tokens, time and verdicts against the size of a paper."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field, PositiveInt

from handlers.domain.call import CallRecord
from handlers.domain.job import JobRecord
from handlers.domain.money import usd
from handlers.domain.paper import PaperStatus
from handlers.domain.value import Frozen
from handlers.planning.assumptions import Assumed
from handlers.planning.pilot_limits import limits_heard
from handlers.planning.workload import Sized, Workload

_NINETY = 1.645
_T_EXTRA = 1.7
"""Student's t at 90% is about 1.645 + 1.7 / degrees of freedom."""
_BACKOFF = 0.5
"""Mean seconds of the first wait after a transient error (see pipeline/calls.py)."""
_FEW = 3
"""Papers below which nothing is fitted but a mean."""


class Line(Frozen):
    """Per request and per token of size; ``residual`` is the standard deviation around it."""

    per_request: float
    per_token: float
    residual: float

    def total(self, requests: float, size: float) -> float:
        return self.per_request * requests + self.per_token * size


class PilotFigures(Frozen):
    """Measured on papers of one corpus, with one model and one set of fixed settings. Seconds, tokens."""

    papers: int
    counts: dict[PaperStatus, int]
    done: int
    """Papers whose results a later run takes over at no cost."""
    done_requests: float
    done_size: float
    calls: int
    spend_usd: float
    prompt: Line
    completion: Line
    seconds: Line
    """What a paper's calls take, one after the other."""
    seconds_per_paper: float
    """Of the whole corpus, by the sizes of its papers."""
    latency_sigma: float
    longest_call_s: float
    cached_share: float
    reasoning_share: float
    indeterminate_share: float
    repair_share: float
    retry_share: float
    throttled_share: float
    flag_share: float
    cost_error: float
    """Half of the 90% interval of the corpus's cost, as a share of it; of the time likewise."""
    time_error: float
    worker_s_per_paper: float
    limits: dict[str, PositiveInt] = Field(default_factory=dict)
    """What the API's headers state: ``requests_per_minute``, ``tokens_per_day`` ... → the limit."""
    limits_on: str = ""
    """The day on which they did, ISO 8601."""

    def give(self, assumed: Assumed) -> None:
        """Replace what was assumed by what was measured."""
        assumed.take(
            "pilot",
            prompt_tokens_per_request=self.prompt.per_request,
            prompt_tokens_per_token=max(0.0, self.prompt.per_token),
            completion_tokens_per_request=self.completion.per_request,
            completion_tokens_per_token=max(0.0, self.completion.per_token),
            latency_s_per_request=self.seconds.per_request,
            latency_s_per_token=max(0.0, self.seconds.per_token),
            latency_sigma=self.latency_sigma,
            cached_share=self.cached_share,
            reasoning_share=self.reasoning_share,
            indeterminate_share=self.indeterminate_share,
            repair_share=self.repair_share,
            retry_share=self.retry_share,
            flag_share=self.flag_share,
            cost_error=self.cost_error,
            time_error=self.time_error,
            worker_s_per_paper=self.worker_s_per_paper,
        )
        assumed.take(
            f"the API's headers, {self.limits_on}",
            rpm=self.limits.get("requests_per_minute"),
            tpm=self.limits.get("tokens_per_minute"),
        )


@dataclass(frozen=True)
class Piloted:
    """One paper of a pilot, as its line in the ledger's parts says. ``held``: a worker's seconds."""

    id: str
    status: PaperStatus
    calls: tuple[CallRecord, ...]
    held: float = 0.0


@dataclass(frozen=True)
class _Point:
    requests: float
    size: float
    value: float


def figures(
    found: Sequence[Piloted],
    sized: Mapping[str, Sized],
    workload: Workload,
    jobs: Iterable[JobRecord] = (),
) -> PilotFigures | None:
    """None if no call was answered. Papers that are not in ``sized`` count only in sums; ``jobs`` are those
    that did the papers."""
    papers = [each for each in found if each.calls]
    calls = sorted((call for each in papers for call in each.calls), key=lambda call: call.started_at)
    fitted = [each for each in papers if each.id in sized and any(call.usage for call in each.calls)]
    if not fitted:
        return None
    prompt = _line((_tokens(each, "prompt_tokens"), sized[each.id]) for each in fitted)
    completion = _line((_tokens(each, "completion_tokens"), sized[each.id]) for each in fitted)
    seconds = _line((_seconds(each), sized[each.id]) for each in fitted)
    done = [sized[each.id] for each in papers if each.status == "done" and each.id in sized]
    heard = limits_heard(jobs, calls)
    return PilotFigures(
        papers=len(found),
        counts=_counts(found),
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
        flag_share=_per(len(found), sum(each.status == "flagged" for each in found)),
        cost_error=_cost_error(fitted, sized, workload),
        time_error=_error(seconds, len(fitted), workload),
        worker_s_per_paper=_own_work(fitted),
        limits=heard.limits,
        limits_on=heard.on,
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


def _tokens(paper: Piloted, name: str) -> float:
    return float(sum(getattr(call.usage, name) for call in paper.calls if call.usage is not None))


def _seconds(paper: Piloted) -> float:
    """With the backoff after transient errors. Refusals for the rate are no work of a worker's: how many
    there are depends on the fleet."""
    waited = sum(_BACKOFF for call in paper.calls if call.outcome == "transient")
    return waited + sum(call.latency for call in paper.calls if call.outcome != "throttled")


def _own_work(fitted: Sequence[Piloted]) -> float:
    """Median seconds that a worker had a paper beyond its calls, for papers that never waited."""
    spare = sorted(
        each.held - sum(call.latency for call in each.calls)
        for each in fitted
        if each.held and all(call.outcome == "ok" and call.attempt == 1 for call in each.calls)
    )
    return min(0.05, max(0.0, spare[len(spare) // 4])) if spare else 0.01


def _counts(found: Iterable[Piloted]) -> dict[PaperStatus, int]:
    counts: dict[PaperStatus, int] = {}
    for each in found:
        counts[each.status] = counts.get(each.status, 0) + 1
    return counts


def _line(pairs: Iterable[tuple[float, Sized]]) -> Line:
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
    return Line(per_request=fit[0], per_token=fit[1], residual=residual)


def _error(line: Line, papers: int, workload: Workload) -> float:
    """Half of the 90% interval of a corpus's mean, as a share of it."""
    mean = line.total(workload.requests, workload.size) / max(1, workload.sent)
    if papers < _FEW and papers < workload.sent:
        return 1.0  # so few lie on one line by themselves
    t = _NINETY + _T_EXTRA / max(1, papers - 2)
    if line.residual == 0:
        return 0.0
    return t * line.residual / math.sqrt(papers) / mean if mean > 0 else 1.0


def _cost_error(fitted: Sequence[Piloted], sized: Mapping[str, Sized], workload: Workload) -> float:
    cost = _line((usd(sum(call.cost for call in each.calls)), sized[each.id]) for each in fitted)
    return _error(cost, len(fitted), workload)


def _sigma(fitted: Sequence[Piloted], sized: Mapping[str, Sized], line: Line) -> float:
    """Spread of the logarithm of a paper's seconds around what its size says."""
    logs = []
    for each in fitted:
        expected = line.total(sized[each.id].requests, sized[each.id].size)
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
