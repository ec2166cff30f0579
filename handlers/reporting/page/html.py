"""A run's page: one self-contained file without script, which asks nothing of any server."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from handlers.domain.plan import PlanOutline
from handlers.domain.run_report import RunReport
from handlers.extras import load
from handlers.reporting.page import palette
from handlers.reporting.page.figure import Figure, projected_usd, seconds, usd
from handlers.reporting.page.run_figures import figures
from handlers.reporting.page.survey import Survey
from handlers.reporting.tables import ReportTable, tables

_NOWHERE = "base-uri 'none'; form-action 'none'"
_TEMPLATES = Path(__file__).parents[1] / "templates"


def to_html(report: RunReport, survey: Survey, *, plan: PlanOutline | None = None) -> str:
    """The page of a run, beside ``plan`` if it has no forecast of its own. Every text of a paper or model is
    escaped. UsageError without the extra ``report``.
    """
    style = page_style("report.css", charts=True)
    sections = figures(report, survey)
    compared = _forecast(report) or (_against_plan(report, plan) if plan else None)
    page: str = (
        environment()
        .get_template("report.html")
        .render(
            report=report,
            survey=survey,
            figures=sections,
            contents=_contents(sections, survey, planned=compared is not None),
            facts=_facts(report),
            compared=compared,
            policy=f"default-src 'none'; style-src '{_hash(style)}'; img-src data:; {_NOWHERE}",
            style=load("markupsafe", extra="report").Markup(style),  # ours alone: no text of a paper
        )
    )
    return page


def environment() -> Any:
    """Jinja with escaping on for everything; an unknown name is an error, not an empty string."""
    jinja2 = load("jinja2", extra="report")
    jinja = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters["usd"] = usd
    jinja.filters["web"] = web_address
    return jinja


def page_style(name: str, *, charts: bool = False) -> str:
    """A style sheet with the palette of both themes before it."""
    light = palette.variables(palette.LIGHT, palette.PAPER["light"])
    dark = palette.variables(palette.DARK, palette.PAPER["dark"])
    repaint = palette.dark_rules() if charts else ""
    head = (
        f":root {{ color-scheme: light dark; {light} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{\n:root {{ {dark} }}\n{repaint}\n}}\n"
    )
    return head + (_TEMPLATES / name).read_text(encoding="utf-8")


def web_address(url: object) -> str | None:
    """The URL if it is one of the web, None for any other scheme."""
    text = url if isinstance(url, str) else ""
    return text if text.lower().startswith(("https://", "http://")) and len(text) < 2000 else None


def _hash(text: str) -> str:
    """CSP Level 3 hash source: the one style element that is allowed."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _contents(sections: Sequence[Figure], survey: Survey, *, planned: bool) -> list[tuple[str, str]]:
    """(id, title) of the page's sections, in its order."""
    lists = {
        ("plan", "Predicted against actual"): planned,
        ("slowest", "Slowest papers"): survey.slowest,
        ("dearest", "Dearest papers"): survey.dearest,
        ("flagged", "Flagged papers"): survey.flagged,
    }
    return [
        *((figure.key, figure.title) for figure in sections),
        *(name for name, there in lists.items() if there),
    ]


def _facts(report: RunReport) -> list[tuple[str, str, str]]:
    """(name, value, what stands under it) of the tiles at the page's head."""
    counts, budget = report.counts, report.budget_usd
    spent = f"of {usd(budget)} budget" if budget is not None else "no budget set"
    if report.held_usd:
        spent += f", {usd(report.held_usd)} held beside"
    if counts["pending"]:
        spent += f"; {usd(projected_usd(report))} expected in all"
    latency, calls = report.latency_s, report.calls
    faults = calls.transient + calls.fatal + calls.refused
    return [
        ("papers finished", f"{report.finished:,}", f"of {report.papers:,}; {counts['flagged']:,} flagged"),
        ("papers an hour", f"{report.papers_per_hour:,.0f}", f"in {_duration(report.wall_s)}"),
        ("spent", usd(report.spend_usd), spent),
        ("utilization", f"{100 * report.worker_utilization:.1f}%", f"{len(report.jobs):,} jobs"),
        (
            "response time",
            seconds(latency.p50),
            f"p90 {seconds(latency.p90)}, p99 {seconds(latency.p99)}",
        ),
        ("calls", f"{calls.sent:,}", f"{calls.throttled:,} throttled, {faults:,} failed"),
    ]


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _forecast(report: RunReport) -> ReportTable | None:
    """What the run's own plan said beside what came, as the other reports tell it."""
    return next((table for table in tables(report) if table.title == "Forecast"), None)


def _against_plan(report: RunReport, plan: PlanOutline) -> ReportTable | None:
    """The plan's recommended tier, or its first, beside what the run came to; None if it has no figures."""
    share = report.finished / report.papers if report.papers else 0.0
    hours = report.wall_s / 3600 / share if share else 0.0
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
