"""A run beside what was predicted of it."""

from __future__ import annotations

from handlers.domain.plan import PlanOutline
from handlers.domain.run_report import RunReport
from handlers.reporting.page.figure import projected_usd
from handlers.reporting.tables import ReportTable, tables


def comparison(report: RunReport, plan: PlanOutline | None = None) -> ReportTable | None:
    """Beside its own forecast, else beside ``plan``; None where there is neither."""
    return _forecast(report) or (_against_plan(report, plan) if plan else None)


def _forecast(report: RunReport) -> ReportTable | None:
    """What the run's own plan said beside what came, as the other reports tell it."""
    return next((table for table in tables(report) if table.title == "Forecast"), None)


def _against_plan(report: RunReport, plan: PlanOutline) -> ReportTable | None:
    """The plan's recommended tier, or its first, beside what the run came to; None if it has no figures."""
    hours = report.wall_s / 3600 * report.whole_over_so_far
    figures = (
        ("papers an hour", "{:,.0f}", plan.row.papers_per_hour, report.papers_per_hour),
        ("hours", "{:,.2f}", plan.row.hours, hours),
        ("cost in USD", "{:,.4f}", plan.row.cost_usd, projected_usd(report)),
    )
    rows = [
        (name, form.format(predicted), form.format(actual), f"{100 * actual / predicted:.0f}%")
        for name, form, predicted, actual in figures
        if predicted is not None and predicted > 0
    ]
    return (
        ReportTable("", ("of the whole corpus", "predicted", "actual", "of the plan"), rows) if rows else None
    )
