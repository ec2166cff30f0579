"""A report's figures in words, the same on a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handlers.counted import counted
from handlers.domain.money import dollars
from handlers.domain.run_report import ForecastFigure, JobReport, Latency, RunReport
from handlers.reporting.answers_told import answer_tables

_MOST_JOBS = 30
_MOST_CLASSES = 20
Row = tuple[str, ...]


@dataclass(frozen=True)
class ReportTable:
    """Cells are unescaped text. The first column is text, the others are figures."""

    title: str
    columns: Row
    rows: Sequence[Row]


def tables(report: RunReport) -> list[ReportTable]:
    """Those that have something to say: key metrics, papers, calls, jobs, errors."""
    every = [
        ReportTable("Key metrics", ("metric", "value"), key_metrics(report)),
        ReportTable(
            "Forecast", ("figure", "predicted", "90% interval", "actual", "error"), _forecast(report)
        ),
        ReportTable("Papers", ("status", "papers", "share"), _papers(report)),
        ReportTable("Skipped papers", ("why", "papers"), _ranked(report.skip_reasons)),
        ReportTable("Whole papers", ("segments and kept blocks", "count"), _bodies(report)),
        ReportTable("Calls", ("outcome", "calls", "share"), _calls(report)),
        ReportTable("Jobs", _JOB_COLUMNS, [_job(each) for each in report.jobs[-_MOST_JOBS:]]),
        ReportTable("Call errors", ("class", "calls"), _ranked(report.errors)),
        ReportTable("Papers failed or flagged", ("class", "papers"), _ranked(report.paper_errors)),
        ReportTable("Failed checks", ("check", "papers"), _ranked(report.failed_checks)),
        *(ReportTable(*each) for each in answer_tables(report)),
    ]
    return [table for table in every if table.rows]


def segments_told(report: RunReport) -> str:
    """What became of bodies, in a sentence; "" without any."""
    found = report.segments
    if found is None:
        return ""
    lost = f", {found.flagged:,} refused" if found.flagged else ""
    lost += f", {found.failed:,} failed" if found.failed else ""
    kept = counted(found.kept, "block")
    return f"{counted(found.translated, 'segment')} of bodies translated, {kept} kept{lost}"


_STANDING = frozenset({"ready", "interrupted", "stalled", "not started"})


def kept_told(report: RunReport) -> str:
    """That what was paid for papers which have not ended is not lost where a run stands still; else ""."""
    if report.state in ("finished", "running") or report.in_hand_usd <= 0:
        return ""
    return (
        f"{dollars(report.in_hand_usd)} of it went to whole papers that have not ended: their answered"
        " passages are saved, and none of them is paid for again"
    )


def standing(report: RunReport) -> str:
    """How the run stands, in a word of its reason where that tells more than its state: a run on which
    nobody works is ready, interrupted, stalled or not started, though nobody has paused it."""
    said = report.reason.partition(":")[0].partition(";")[0]
    return said if report.state == "paused" and said in _STANDING else report.state


def after_parking(report: RunReport) -> str:
    """How a parked run goes on, in a sentence; "" where nothing is parked or the reason says it: a budget's
    names the number that is enough."""
    if report.state != "parked" or report.reason.startswith("budget"):
        return ""
    return "once that is mended, the same command or `paperfleet resume` goes on"


def _bodies(report: RunReport) -> list[Row]:
    found = report.segments
    if found is None:
        return []
    return [
        ("translated", f"{found.translated:,}"),
        *((f"kept: {_spaced(rule)}", f"{count:,}") for rule, count in found.rules.items()),
        ("refused by the gate", f"{found.flagged:,}"),
        ("failed", f"{found.failed:,}"),
        *((f"odd in the source: {_spaced(name)}", f"{count:,}") for name, count in found.notes.items()),
    ]


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def key_metrics(report: RunReport) -> list[Row]:
    calls, tokens = report.calls, report.tokens
    failures = calls.sent - calls.ok
    return [
        ("completion time", duration(report.wall_s)),
        ("completion time per job", _spread([job.wall_s for job in report.jobs])),
        ("worker utilization", f"{report.worker_utilization:.1%}"),
        ("papers per hour", f"{report.papers_per_hour:,.0f}"),
        ("API response time p50 / p90 / p99", latency(report.latency_s)),
        ("API error rate", f"{_percent(failures, calls.sent)} ({calls.throttled:,} throttled)"),
        *([("calls sent a second time", _percent(calls.hedges, calls.sent))] if calls.hedges else []),
        ("cost", _cost(report)),
        ("cost per finished paper", _per_paper(report)),
        *_expected(report),
        ("tokens", f"{tokens.prompt:,} prompt ({tokens.cached:,} cached), {tokens.completion:,} completion"),
        ("reused / equal texts", f"{report.reused:,} / {counted(report.same_as, 'paper')} without a call"),
        ("queue", _queue(report)),
    ]


def _forecast(report: RunReport) -> list[Row]:
    """What the plan said beside what came; of an unfinished run, projected to the whole."""
    if report.forecast is None:
        return []
    return [
        (
            each.name + ("" if report.forecast.complete else " (projected)"),
            _amount(each.name, each.predicted),
            "-" if each.low is None else f"{_amount(each.name, each.low)} to {_bound(each)}",
            _amount(each.name, each.actual),
            "-" if each.error is None else f"{each.error:+.1%}",
        )
        for each in report.forecast.figures
    ]


def _bound(each: ForecastFigure) -> str:
    return "any" if each.high is None else _amount(each.name, each.high)


def _amount(name: str, value: float) -> str:
    """Hours as a duration, dollars to four decimals, the others as counts."""
    if name == "hours":
        return duration(value * 3600)
    return dollars(value) if name == "cost_usd" else f"{value:,.0f}"


def duration(seconds: float) -> str:
    """``1 h 02 min``, ``3 min 05 s`` or ``4.2 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def age(seconds: float) -> str:
    """``4 s``, ``12 min``, ``3 h`` or ``5 days``, the nearest whole number."""
    for size, unit in ((86_400, "day"), (3600, "h"), (60, "min")):
        if seconds >= size:
            count = round(seconds / size)
            return counted(count, unit) if unit == "day" else f"{count:,} {unit}"
    return f"{seconds:.0f} s"


def latency(quantiles: Latency) -> str:
    """In seconds, or in milliseconds when all are short; ``-`` of no calls."""
    values = (quantiles.p50, quantiles.p90, quantiles.p99)
    if not any(values):
        return "-"
    if 0 < quantiles.p99 < 0.1:
        return " / ".join(f"{1000 * value:.1f}" for value in values) + " ms"
    return " / ".join(f"{value:.2f}" for value in values) + " s"


def left_out(report: RunReport) -> str:
    """What the tables do not show, "" if nothing."""
    jobs = len(report.jobs) - _MOST_JOBS
    return f"{counted(jobs, 'earlier job is', 'earlier jobs are')} in the JSON report." if jobs > 0 else ""


def _spread(walls: list[float]) -> str:
    if not walls:
        return "-"
    if len(walls) == 1:
        return f"{duration(walls[0])}, 1 job"
    middle = sorted(walls)[len(walls) // 2]
    jobs = counted(len(walls), "job")
    return f"{duration(min(walls))} to {duration(max(walls))}, median {duration(middle)}, {jobs}"


def _cost(report: RunReport) -> str:
    spent = dollars(report.spend_usd)
    if report.indeterminate_usd:
        spent += f" ({dollars(report.indeterminate_usd)} of it indeterminate)"
    if report.held_usd:
        spent += f" + {dollars(report.held_usd)} held"
    if report.budget_usd is None:
        return f"{spent}, no budget set"
    taken = _percent(report.spend_usd + report.held_usd, report.budget_usd)
    return f"{spent} of {dollars(report.budget_usd)} ({taken})"


def _expected(report: RunReport) -> list[Row]:
    """What an unfinished run comes to."""
    expected = report.expected
    if expected is None:
        return []
    covered = expected.covered is not None and expected.covered < 1
    budget = f"; the budget ends at about {expected.covered:.0%} of the papers" if covered else ""
    rows: list[Row] = [("expected in all", dollars(expected.cost_usd) + budget)]
    if expected.wall_s is not None:
        up_to = "up to " if report.reused else ""  # results that are there are known as each paper is read
        need = up_to + counted(expected.papers, "paper needs", "papers need")
        rows.append(("time left", f"{duration(expected.wall_s)}, {need} a call"))
    return rows


def _per_paper(report: RunReport) -> str:
    """So far it holds calls of papers that have not ended, and the heaviest come first: beside it what it
    comes to."""
    so_far = f"${report.spend_usd / report.finished:.6f}" if report.finished else "-"
    if report.expected is None:
        return so_far
    return f"{so_far} so far, ${report.expected.cost_usd / report.papers:.6f} expected"


def _queue(report: RunReport) -> str:
    if report.queue is None:
        return "-"
    counts = (
        f"{counted(report.queue.visible, 'batch', 'batches')} visible, {report.queue.in_flight:,} in flight, "
        f"{report.queue.dead:,} dead"
    )
    return f"{counts} (of all runs that share it)" if report.queue.shared else counts


def _papers(report: RunReport) -> list[Row]:
    rows = [(status, f"{n:,}", _percent(n, report.papers)) for status, n in report.counts.items()]
    return [*rows, ("all", f"{report.papers:,}", _percent(report.papers, report.papers))]


def _calls(report: RunReport) -> list[Row]:
    counts = report.calls.model_dump()
    return [(name, f"{n:,}", _percent(n, report.calls.sent)) for name, n in counts.items() if n]


_JOB_COLUMNS = ("job", "ended", "time", "papers", "busy", "p50 / p90 / p99", "errors")


def _job(job: JobReport) -> Row:
    lost = f", {dollars(job.lost_usd)} lost" if job.lost_usd else ""
    return (
        job.id,
        (job.outcome or "running") + lost,
        duration(job.wall_s),
        f"{job.papers:,}",
        f"{job.utilization:.1%}",
        latency(job.latency_s),
        f"{sum(job.errors.values()):,}",
    )


def _ranked(counts: Mapping[str, int] | None) -> list[Row]:
    """The most frequent ones; the rest in one row."""
    pairs = list((counts or {}).items())
    rows: list[Row] = [(name, f"{n:,}") for name, n in pairs[:_MOST_CLASSES]]
    rest = pairs[_MOST_CLASSES:]
    return [*rows, (counted(len(rest), "other"), f"{sum(n for _, n in rest):,}")] if rest else rows


def _percent(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "-"
