"""The report of a run, made from the ledger's sums, whatever the number of papers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from handlers.domain.batch import QueueCounts
from handlers.domain.call import CallTotals, quantile
from handlers.domain.job import JobRecord
from handlers.domain.money import usd
from handlers.domain.paper import TERMINAL
from handlers.domain.run import RunRecord, RunTotals
from handlers.domain.run_report import (
    CallCounts,
    JobReport,
    Latency,
    QueueReport,
    RunReport,
    SegmentCounts,
    TokenCounts,
)
from handlers.ports import Backend, Ledger
from handlers.reporting.budget_number import with_number
from handlers.reporting.projection import project_run
from handlers.runs.expectation import expectation
from handlers.runs.run_state import Activity, run_state
from handlers.runs.sessions import IsAlive, WorkPeriod, job_end, work_periods

_ENOUGH_FLAGGED = 0.05
"""Share of answered papers above which the gate or the model deserves a look."""


def summarise(
    backend: Backend,
    run_id: str,
    *,
    is_alive: Callable[[str], bool],
    detail: bool = False,
    with_queue: bool = True,
    with_skips: bool = False,
) -> RunReport:
    """The report of a run. Reads sums and jobs, never papers, unless ``detail`` asks for the papers'
    error classes and failed checks (then every row is streamed). UnknownRunError if there is none.

    ``is_alive`` says whether a job's owner still runs. Without ``with_queue`` the queue is left out; with
    ``with_skips`` or ``detail`` it is counted why papers were skipped.
    """
    ledger, now = backend.ledger, backend.clock.now()
    record, totals = ledger.run(run_id), ledger.totals(run_id)
    jobs, sessions = ledger.jobs(run_id), ledger.sessions(run_id)
    waiting = backend.queue.counts() if with_queue else None
    alive = IsAlive(is_alive, sessions, now)
    times = work_periods(sessions, jobs, alive, now)
    ends = [job_end(job, alive, now) for job in jobs]
    activity = Activity(jobs, sessions, waiting, alive, now)
    state, reason = run_state(ledger.control(run_id), totals, activity)
    expected, in_hand = None, 0
    if totals.counts["pending"]:
        projection = project_run(ledger, record, totals.calls.cost)
        in_hand = max(0, totals.calls.cost - projection.cost) if record.spec.full_text else 0
        expected = expectation(record, totals, projection, list(filter(alive, jobs)))
        reason = with_number(reason, totals.calls.cost, totals.calls.taken, projection)
    errors, checks, segments = _papers_by_class(ledger, run_id) if detail else (None, None, None)
    return RunReport(
        run_id=run_id,
        state=state,
        reason=reason,
        outcome=sessions[-1].outcome if sessions else "",
        model=record.spec.model,
        reused=totals.reused,
        queue=None if waiting is None else QueueReport(**asdict(waiting)),
        jobs=tuple(_job(job, end) for job, end in zip(jobs, ends, strict=True) if job.workers or job.lost),
        lost_jobs=tuple(job.job_id for job in jobs if job.lost),
        failed_checks=checks,
        paper_errors=errors,
        segments=segments,
        in_hand_usd=usd(in_hand),
        expected=expected,
        skip_reasons=_skips(ledger, run_id, totals) if detail or with_skips else None,
        warnings=(*over_budget(record, totals.calls), *_warnings(totals, waiting, jobs)),
        started_at=_iso(min((each.start for each in times), default=None)),
        finished_at=_iso(max((each.end for each in times), default=None)) if state == "finished" else None,
        **_money(record, totals),
        **_calls(totals.calls),
        **_pace(totals, jobs, ends, times),
    )


def _money(record: RunRecord, totals: RunTotals) -> dict[str, Any]:
    return {
        "papers": record.papers,
        "counts": {status: totals.counts[status] for status in (*TERMINAL, "pending")},
        "same_as": record.same_as,
        "spend_usd": usd(totals.calls.cost),
        "spend_nano_usd": totals.calls.cost,
        "spend_by_tier": {tier: usd(cost) for tier, cost in sorted(totals.calls.tiers.items())},
        "indeterminate_usd": usd(totals.calls.indeterminate),
        "held_usd": usd(totals.calls.held),
        "budget_usd": None if record.budget is None else usd(record.budget),
    }


def _calls(calls: CallTotals) -> dict[str, Any]:
    sums = calls.model_dump(exclude={"latency", "errors"})
    return {
        "calls": CallCounts(**{name: sums[name] for name in CallCounts.model_fields}),
        "tokens": TokenCounts(**{name: sums[name] for name in TokenCounts.model_fields}),
        "latency_s": _latency(calls.latency),
        "errors": _ranked(calls.errors),
    }


def _pace(
    totals: RunTotals, jobs: Sequence[JobRecord], ends: Sequence[float], times: Sequence[WorkPeriod]
) -> dict[str, Any]:
    wall = sum(each.wall for each in times)
    # Ceilings, or of theirs what jobs had that choose their number of workers.
    ceilings = sum(job.workers * (end - job.started_at) for job, end in zip(jobs, ends, strict=True))
    offered = sum(_offered(job, end - job.started_at) for job, end in zip(jobs, ends, strict=True))
    capacity = sum(each.wall * each.workers for each in times) * (offered / ceilings if ceilings else 0.0)
    finished = sum(totals.counts[status] for status in TERMINAL)
    return {
        "wall_s": round(wall, 3),
        "papers_per_hour": round(3600 * finished / wall, 1) if wall else 0.0,
        "worker_utilization": _share(sum(job.stats.busy for job in jobs), capacity),
    }


def _offered(job: JobRecord, wall: float) -> float:
    """Worker-seconds that there were."""
    return job.stats.offered or job.workers * wall


def _job(job: JobRecord, end: float) -> JobReport:
    wall = max(0.0, end - job.started_at)
    capacity = _offered(job, wall)
    return JobReport(
        id=job.job_id,
        session=job.session_id,
        outcome=job.outcome,
        workers=round(capacity / wall) if wall else job.workers,
        started_at=_iso(job.started_at) or "",
        ended_at=_iso(job.ended_at and end),
        wall_s=round(wall, 3),
        papers=job.stats.papers,
        utilization=_share(job.stats.busy, capacity),
        throttle_wait_s=round(job.stats.throttle_wait, 3),
        latency_s=_latency(job.stats.latency),
        errors=_ranked(job.stats.errors),
        lost_usd=usd(job.lost),
    )


def _warnings(totals: RunTotals, waiting: QueueCounts | None, jobs: Sequence[JobRecord]) -> tuple[str, ...]:
    return tuple(_about_money(totals.calls, jobs)) + tuple(_about_papers(totals, waiting))


def over_budget(record: RunRecord, calls: CallTotals) -> Iterator[str]:
    """The warning of a run that has spent more than its budget."""
    if record.budget is not None and calls.cost > record.budget:
        spent, budget = usd(calls.cost), usd(record.budget)
        yield f"over budget: ${spent:.6f} is spent of a budget of ${budget:.6f}"


def _about_money(calls: CallTotals, jobs: Sequence[JobRecord]) -> Iterator[str]:
    if calls.reasoning:
        room = max((job.stats.room for job in jobs), default=0)
        told = f" (the model thinks: room {room:,} tokens beside an answer)" if room else ""
        yield (
            f"{calls.reasoning:,} of {calls.completion:,} completion tokens are reasoning{told}, paid for "
            "and not part of any result: see --extra-body to turn it off"
        )
    if calls.indeterminate:
        yield (
            f"${usd(calls.indeterminate):.6f} of the spend is indeterminate: calls that may not have been "
            "charged, booked at their estimate"
        )
    if calls.held:
        yield (
            f"${usd(calls.held):.6f} of the budget is held beside the spend, for what calls of unknown cost "
            "may be billed: `paperfleet audit --bill FILE --release-held` lets go what the bill does not have"
        )
    if lost := sum(job.lost for job in jobs):
        yield f"${usd(lost):.6f} was held by jobs that died and is booked in full"


def _about_papers(totals: RunTotals, waiting: QueueCounts | None) -> Iterator[str]:
    if waiting is not None and waiting.dead:
        which = "queue that all runs share" if waiting.shared else "queue"
        shows = "shows this run's, and why" if waiting.shared else "shows why"
        yield f"{waiting.dead} dead letters in the {which}: `paperfleet redrive --list` {shows}"
    flagged = totals.counts["flagged"]
    answered = flagged + totals.counts["done"]
    if flagged > _ENOUGH_FLAGGED * answered:
        yield f"{flagged:,} of {answered:,} answered papers are flagged: see the failed checks"


def _papers_by_class(
    ledger: Ledger, run_id: str
) -> tuple[dict[str, int], dict[str, int], SegmentCounts | None]:
    """(error class → papers, failed check → papers, segments of bodies); followers are counted with their
    leader."""
    errors: Counter[str] = Counter()
    checks: Counter[str] = Counter()
    segments: Counter[str] = Counter()
    for row in ledger.entries(run_id):
        if row.error is not None and row.status in ("failed", "flagged"):
            errors[row.error] += row.weight
        for name in row.flags:
            checks[name] += row.weight
        for name, count in row.segments.items() if row.status != "pending" else ():
            segments[name] += count * row.weight
    return _ranked(errors), _ranked(checks), _segments(segments)


def _segments(counts: Mapping[str, int]) -> SegmentCounts | None:
    """``counts``: sums of ``Coverage.counts``."""
    if not counts:
        return None
    inner: dict[str, dict[str, int]] = {"kept": {}, "note": {}}
    for name, count in counts.items():
        group, dot, rest = name.partition(".")
        if dot and group in inner:
            inner[group][rest] = count
    sums = {name: counts.get(name, 0) for name in ("translated", "kept", "flagged", "failed")}
    return SegmentCounts(**sums, rules=_ranked(inner["kept"]), notes=_ranked(inner["note"]))


def _skips(ledger: Ledger, run_id: str, totals: RunTotals) -> dict[str, int]:
    reasons = ledger.skip_reasons(run_id) if totals.counts["skipped"] else {}
    return _ranked({reason or "not noted by an earlier version": n for reason, n in reasons.items()})


def _ranked(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _latency(histogram: dict[int, int]) -> Latency:
    p50, p90, p99 = (round(quantile(histogram, share), 4) for share in (0.5, 0.9, 0.99))
    return Latency(p50=p50, p90=p90, p99=p99)


def _share(part: float, whole: float) -> float:
    return round(part / whole, 4) if whole > 0 else 0.0


def _iso(at: float | None) -> str | None:
    """ISO 8601 in UTC, to the millisecond."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
