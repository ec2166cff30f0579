"""The figures of a run's page: each a sentence, a chart and the table with the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from handlers.counted import counted
from handlers.domain.call import bucket_seconds
from handlers.domain.paper import PaperStatus
from handlers.domain.run_report import JobReport, RunReport
from handlers.reporting.page.answer_charts import answer_charts
from handlers.reporting.page.charts import in_html
from handlers.reporting.page.figure import Figure, percent, seconds, usd
from handlers.reporting.page.figures_over_time import slots, spend, throughput, time_axis
from handlers.reporting.page.palette import LIGHT
from handlers.reporting.page.survey import Survey, cost_bucket_usd
from handlers.reporting.plain import plain
from handlers.reporting.tables import segments_told

_STATUSES: tuple[PaperStatus, ...] = ("done", "flagged", "failed", "skipped", "pending")
_MOST_JOBS = 60
"""Jobs drawn one by one; more of them would be a smear."""
_MOST_BARS = 20
_HISTOGRAM_BARS = 40


def figures(report: RunReport, survey: Survey) -> list[Figure]:
    """In the order of the page; those that have nothing to show are left out."""
    candidates = (
        _counts(report),
        _bodies(report),
        *answer_charts(report),
        throughput(report, survey),
        slots(report, survey),
        _latency(report, survey),
        _jobs(report, survey),
        spend(report, survey),
        _cost(report, survey),
        _errors(report),
        _checks(report, survey),
    )
    return [figure for figure in candidates if figure is not None]


def _counts(report: RunReport) -> Figure:
    counts = report.counts
    rows = [_bar(name, counts[name], report.papers) for name in _STATUSES]
    says = f"{counted(sum(counts[name] for name in _STATUSES), 'paper')}, each in one state."
    chart = in_html(lambda pen: pen.bars(rows, colours=LIGHT, title="papers"), says)
    cells = tuple(_counted(name, counts[name], report.papers) for name in _STATUSES)
    cells = (*cells, ("all", f"{report.papers:,}", "100%"))
    return Figure("states", "Papers by state", says, chart, ("state", "papers", "share"), cells)


def _bodies(report: RunReport) -> Figure | None:
    found = report.segments
    if found is None:
        return None
    kept = {f"kept: {plain(rule).replace('_', ' ')}": count for rule, count in found.rules.items()}
    counts = {"translated": found.translated, **kept, "refused": found.flagged, "failed": found.failed}
    colours = {
        "translated": LIGHT["done"],
        **dict.fromkeys(kept, LIGHT["skipped"]),
        "refused": LIGHT["flagged"],
        "failed": LIGHT["failed"],
    }
    rows = [_bar(name, count, sum(counts.values())) for name, count in counts.items()]
    says = f"{segments_told(report)}. A kept block is passed through byte for byte, by its rule."
    chart = in_html(lambda pen: pen.bars(rows, colours=colours, title="segments and blocks"), says)
    notes = {
        f"odd in the source: {plain(name).replace('_', ' ')}": count for name, count in found.notes.items()
    }
    cells = tuple((name, f"{count:,}") for name, count in (counts | notes).items())
    return Figure("bodies", "Whole papers", says, chart, ("what", "count"), cells)


def _bar(name: str, count: int, whole: int) -> dict[str, Any]:
    label = f"{count:,} ({percent(count, whole)})" if count else "0"
    return {"name": name, "count": count, "label": label}


def _counted(name: str, count: int, whole: int) -> tuple[str, str, str]:
    return name, f"{count:,}", percent(count, whole)


def _latency(report: RunReport, survey: Survey) -> Figure | None:
    if not survey.latency:
        return None
    quantiles = report.latency_s.model_dump()
    rows = _grouped(survey.latency, bucket_seconds)
    marks = [{"at": max(1e-4, at), "name": f"{name} {seconds(at)}"} for name, at in quantiles.items()]
    half, most, nearly_all = map(seconds, quantiles.values())
    says = f"Half of the answered calls took up to {half}, 90% {most}, 99% {nearly_all}."
    titles = ("seconds (log)", "calls")
    chart = in_html(lambda pen: pen.histogram(rows, marks=marks, titles=titles), says)
    cells = tuple((f"{row['low']:.3g}", f"{row['high']:.3g}", f"{row['count']:,}") for row in rows)
    return Figure("latency", "API response times", says, chart, ("seconds from", "to", "calls"), cells)


def _grouped(histogram: Mapping[int, int], edge: Callable[[int], float]) -> list[dict[str, Any]]:
    """Neighbouring buckets in one, so that at most 40 bars are drawn; ``edge`` gives a bucket's upper
    edge, and the one before it is its lower."""
    low, high = min(histogram), max(histogram)
    step = -(-(high - low + 1) // _HISTOGRAM_BARS)
    rows = []
    for start in range(low, high + 1, step):
        count = sum(histogram.get(bucket, 0) for bucket in range(start, start + step))
        rows.append({"low": edge(start - 1), "high": edge(start + step - 1), "count": count})
    return rows


def _jobs(report: RunReport, survey: Survey) -> Figure | None:
    jobs = [job for job in report.jobs if job.id in survey.jobs]
    if not jobs:
        return None
    axis, unit = time_axis(survey)
    rows = []
    for job in jobs[:_MOST_JOBS]:
        start, end = (at / unit for at in survey.jobs[job.id])
        busy = start + (end - start) * min(1.0, job.utilization)
        label = percent(job.utilization, 1.0)
        rows.append({"job": job.id, "start": start, "end": end, "busy": busy, "label": label})
    more = f" The first {_MOST_JOBS} are drawn." if len(jobs) > _MOST_JOBS else ""
    what = "the dark part of a bar is the share of its workers' time spent on papers"
    says = f"{counted(len(jobs), 'job')}; {what}.{more}"
    chart = in_html(lambda pen: pen.gantt(rows, axis=axis), says)
    columns = ("job", "workers", "seconds", "papers", "utilization", "p50 s", "p99 s", "ended")
    cells = tuple(_job_row(job) for job in jobs[:_MOST_JOBS])
    return Figure("jobs", "Jobs and their utilization", says, chart, columns, cells)


def _job_row(job: JobReport) -> tuple[str, ...]:
    latency = job.latency_s
    return (
        job.id,
        f"{job.workers:,}",
        f"{job.wall_s:,.1f}",
        f"{job.papers:,}",
        f"{100 * job.utilization:.1f}%",
        f"{latency.p50:.2f}",
        f"{latency.p99:.2f}",
        job.outcome or "running",
    )


def _cost(report: RunReport, survey: Survey) -> Figure | None:
    if not survey.costs:
        return None
    paid = sum(survey.costs.values())
    mean = report.spend_usd / paid
    rows = _grouped(survey.costs, cost_bucket_usd)
    marks = [{"at": mean, "name": f"mean {usd(mean)}"}]
    says = f"{counted(paid, 'paper')} cost something, {usd(mean)} each on average."
    chart = in_html(lambda pen: pen.histogram(rows, marks=marks, titles=("USD (log)", "papers")), says)
    cells = tuple(
        (f"{row['low']:.2g}", f"{row['high']:.2g}", f"{row['count']:,}") for row in rows if row["count"]
    )
    return Figure("cost", "Cost of a paper", says, chart, ("USD from", "to", "papers"), cells)


def _errors(report: RunReport) -> Figure | None:
    sent, answered = counted(report.calls.sent, "call"), f"{report.calls.ok:,} of them answered"
    says = f"{sent}, {answered}. Shares are of all calls."
    chart = _ranking(report.errors, ("calls", report.calls.sent), LIGHT["failed"], says)
    return Figure("errors", "Calls by error class", says, *chart) if chart else None


def _checks(report: RunReport, survey: Survey) -> Figure | None:
    says = (
        "Flagged papers by the check that refused them; one paper may have failed several. "
        f"Shares are of the run's {counted(report.papers, 'paper')}."
    )
    chart = _ranking(survey.flagged, ("papers", report.papers), LIGHT["flagged"], says)
    return Figure("checks", "Flagged papers by failed check", says, *chart) if chart else None


def _ranking(
    counts: Mapping[str, int], of: tuple[str, int], colour: str, says: str
) -> tuple[str, tuple[str, str, str], tuple[tuple[str, str, str], ...]] | None:
    """Chart, columns and rows, the most frequent first; None if nothing was counted. ``of``: what is counted,
    and how many there are in all."""
    if not counts:
        return None
    what, whole = of
    counts = {plain(name): count for name, count in counts.items()}  # a chart takes no line separator
    rows = [_bar(name, count, whole) for name, count in list(counts.items())[:_MOST_BARS]]
    chart = in_html(lambda pen: pen.bars(rows, colours=dict.fromkeys(counts, colour), title=what), says)
    return chart, ("class", what, "share"), tuple(_counted(name, n, whole) for name, n in counts.items())
