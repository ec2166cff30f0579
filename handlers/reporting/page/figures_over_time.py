"""Figures over the time worked: papers an hour, slots, spend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from handlers.counted import in_hours
from handlers.domain.run_report import RunReport
from handlers.reporting.page.charts import TimeAxis, in_html
from handlers.reporting.page.figure import Figure, projected_usd, usd
from handlers.reporting.page.palette import LIGHT
from handlers.reporting.page.survey import Survey
from handlers.reporting.page.timeline import Moment

_TABLE_ROWS = 24


def _time_unit(moments: Sequence[Moment]) -> tuple[str, float]:
    longest = moments[-1].worked_s
    if longest < 180:
        return "seconds", 1.0
    return ("minutes", 60.0) if longest < 7200 else ("hours", 3600.0)


def time_axis(survey: Survey) -> tuple[TimeAxis, float]:
    """The axis of all charts over time, and its unit in seconds."""
    if not survey.moments:
        return TimeAxis("seconds worked", max((job[1] for job in survey.jobs.values()), default=1.0)), 1.0
    name, unit = _time_unit(survey.moments)
    seams = [seam / unit for seam in survey.seams]
    return TimeAxis(f"{name} worked", survey.moments[-1].worked_s / unit, seams), unit


def _time_rows(moments: Sequence[Moment], unit: float) -> list[dict[str, Any]]:
    return [{**vars(moment), "t": moment.worked_s / unit} for moment in moments]


def throughput(report: RunReport, survey: Survey) -> Figure | None:
    if not survey.moments:
        return None
    axis, unit = time_axis(survey)
    rows = [{"t": 0.0, "papers_per_hour": 0.0}, *_time_rows(survey.moments, unit)]
    says = (
        f"{report.papers_per_hour:,.0f} papers an hour over {in_hours(report.wall_s)} of sessions. "
        "The chart leaves out skipped papers, which take no call."
    )
    chart = in_html(lambda pen: pen.area(rows, "papers_per_hour", axis=axis, title="papers/h"), says)
    cells = tuple(
        (f"{end / unit:,.1f}", f"{papers:,.0f}", f"{rate:,.0f}")
        for end, papers, rate in _merged(survey.moments)
    )
    columns = (axis.title, "papers finished", "papers/h")
    return Figure("throughput", "Papers an hour", says, chart, columns, cells)


def _merged(moments: Sequence[Moment]) -> list[tuple[float, float, float]]:
    """(end, papers, papers/h) over neighbouring columns, for a table that can be read."""
    step = max(1, len(moments) // _TABLE_ROWS)
    rows = []
    for start in range(0, len(moments), step):
        some = moments[start : start + step]
        rate = sum(moment.papers_per_hour for moment in some) / len(some)
        rows.append((some[-1].worked_s, sum(moment.papers for moment in some), rate))
    return rows


def slots(report: RunReport, survey: Survey) -> Figure | None:
    if not survey.moments:
        return None
    axis, unit = time_axis(survey)
    rows = _time_rows(survey.moments, unit)
    series = {
        "calls_in_flight": ("calls in flight", LIGHT["blue"]),
        "workers": ("workers", LIGHT["purple"]),
    }
    says = f"Workers were busy {100 * report.worker_utilization:.1f}% of the time."
    drawn = [{**rows[0], "t": 0.0}, *rows]  # a row is the mean of what is before it
    chart = in_html(lambda pen: pen.lines(drawn, series, axis=axis, title="slots"), says)
    step = max(1, len(rows) // _TABLE_ROWS)
    cells = tuple(
        (f"{row['t']:,.1f}", f"{row['calls_in_flight']:,.1f}", f"{row['workers']:,.0f}")
        for row in rows[step - 1 :: step]
    )
    columns = (axis.title, "calls in flight", "workers")
    return Figure("slots", "Slots over time", says, chart, columns, cells)


def spend(report: RunReport, survey: Survey) -> Figure | None:
    if not survey.moments or not report.spend_usd:
        return None
    axis, unit = time_axis(survey)
    spent = [
        {"t": 0.0, "spend_usd": 0.0},
        *({"t": row["t"], "spend_usd": row["spend_usd"]} for row in _time_rows(survey.moments, unit)),
    ]
    series = {"spend_usd": ("spent", LIGHT["blue"])}
    ahead = _ahead(report, spent[-1])
    if ahead:
        series["ahead"] = ("projected", LIGHT["purple"])
        axis = replace(axis, end=max(axis.end, ahead[-1]["t"]))
    # A budget far above the spend would flatten the curve: then the sentence tells it alone.
    budget = report.budget_usd
    near = budget is not None and budget <= 3 * projected_usd(report)
    level = (budget, f"budget {usd(budget)}") if budget is not None and near else None
    says = _money_sentence(report, survey)
    rows = [*spent, *ahead]
    chart = in_html(lambda pen: pen.lines(rows, series, axis=axis, title="USD", level=level), says)
    cells = tuple((f"{row['t']:,.1f}", usd(row["spend_usd"])) for row in _thinned(spent))
    return Figure("spend", "Spend, budget and projection", says, chart, (axis.title, "spent"), cells)


def _ahead(report: RunReport, last: dict[str, float]) -> list[dict[str, float]]:
    """Both ends of the projection; none if nothing is pending or nothing is known yet."""
    if report.expected is None or not report.expected.papers:
        return []
    end = last["t"] * report.whole_over_so_far
    return [{"t": last["t"], "ahead": last["spend_usd"]}, {"t": end, "ahead": projected_usd(report)}]


def _thinned(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    """About two dozen rows, the last one among them."""
    step = max(1, len(rows) // _TABLE_ROWS)
    return rows[::-1][::step][::-1]


def _money_sentence(report: RunReport, survey: Survey) -> str:
    budget = report.budget_usd
    parts = [f"{usd(report.spend_usd)} spent"]
    if budget:
        share = f", {100 * report.spend_usd / budget:.1f}%" if report.spend_usd else ""
        parts.append(f"of a budget of {usd(budget)}{share}")
    if report.counts["pending"]:
        parts.append(f"; {usd(projected_usd(report))} expected for the whole corpus")
    sentence = " ".join(parts).replace(" ;", ";") + "."
    if survey.unplaced_usd > 0:
        sentence += f" {usd(survey.unplaced_usd)} of it is not in the curve: void attempts and lost jobs."
    return sentence
