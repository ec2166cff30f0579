"""A run's page: one self-contained file without script, which asks nothing of any server."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from handlers.domain.run_report import RunReport
from handlers.extras import load
from handlers.reporting.page import palette
from handlers.reporting.page.figure import Figure, Report, projected_usd, seconds, usd
from handlers.reporting.page.figures import figures
from handlers.reporting.page.survey import Survey
from handlers.reporting.tables import Table, tables

_NOWHERE = "base-uri 'none'; form-action 'none'"
_TEMPLATES = Path(__file__).parents[1] / "templates"


def to_html(run: RunReport, survey: Survey, *, plan: Mapping[str, Any] | None = None) -> str:
    """The page of a run. ``plan`` is the parsed JSON of ``paperfleet plan --json``. Every text of a paper
    or model is escaped. UsageError without the extra ``report``.
    """
    report: Report = run.model_dump(mode="json")
    style = page_style("report.css", charts=True)
    drawn = figures(report, survey)
    compared = _forecast(run) or (_against_plan(report, plan) if plan else None)
    page: str = (
        environment()
        .get_template("report.html")
        .render(
            report=report,
            survey=survey,
            figures=drawn,
            contents=_contents(drawn, survey, planned=compared is not None),
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
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["usd"] = usd
    made.filters["web"] = web_address
    return made


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


def _contents(drawn: Sequence[Figure], survey: Survey, *, planned: bool) -> list[tuple[str, str]]:
    """(id, title) of the page's sections, in its order."""
    lists = {
        ("plan", "Predicted against actual"): planned,
        ("slowest", "Slowest papers"): survey.slowest,
        ("dearest", "Dearest papers"): survey.dearest,
        ("flagged", "Flagged papers"): survey.flagged,
    }
    return [
        *((figure.key, figure.title) for figure in drawn),
        *(name for name, there in lists.items() if there),
    ]


def _facts(report: Report) -> list[tuple[str, str, str]]:
    """(name, value, what stands under it) of the tiles at the page's head."""
    counts, papers = report["counts"], report["papers"]
    finished = papers - counts["pending"]
    budget = report["budget_usd"]
    spent = f"of {usd(budget)} budget" if budget is not None else "no budget set"
    if counts["pending"]:
        spent += f"; {usd(projected_usd(report))} expected in all"
    latency, calls = report["latency_s"], report["calls"]
    faults = calls["transient"] + calls["fatal"] + calls["refused"]
    return [
        ("papers finished", f"{finished:,}", f"of {papers:,}; {counts['flagged']:,} flagged"),
        ("papers an hour", f"{report['papers_per_hour']:,.0f}", f"in {_duration(report['wall_s'])}"),
        ("spent", usd(report["spend_usd"]), spent),
        ("utilization", f"{100 * report['worker_utilization']:.1f}%", f"{len(report['jobs']):,} jobs"),
        (
            "response time",
            seconds(latency["p50"]),
            f"p90 {seconds(latency['p90'])}, p99 {seconds(latency['p99'])}",
        ),
        ("calls", f"{calls['sent']:,}", f"{calls['throttled']:,} throttled, {faults:,} failed"),
    ]


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _forecast(run: RunReport) -> Table | None:
    """What the run's own plan said beside what came, as the other reports tell it."""
    return next((table for table in tables(run) if table.title == "Forecast"), None)


def _against_plan(report: Report, plan: Mapping[str, Any]) -> Table | None:
    """The plan's recommended tier, or its first, beside what the run came to; None if it has no figures."""
    rows: Sequence[Mapping[str, Any]] = plan.get("rows") or ()
    row = next((row for row in rows if row.get("tier") == plan.get("recommended")), rows[0] if rows else {})
    pending, papers = report["counts"]["pending"], report["papers"]
    share = (papers - pending) / papers if papers else 0.0
    actual = {
        "papers_per_hour": ("papers an hour", report["papers_per_hour"], "{:,.0f}"),
        "hours": ("hours", report["wall_s"] / 3600 / share if share else 0.0, "{:,.2f}"),
        "cost_usd": ("cost in USD", projected_usd(report), "{:,.4f}"),
    }
    found = []
    for key, (name, value, form) in actual.items():
        predicted = row.get(key)
        if isinstance(predicted, int | float) and predicted > 0:
            percent = f"{100 * value / predicted:.0f}%"
            found.append((name, form.format(predicted), form.format(value), percent))
    return Table("", ("of the whole corpus", "predicted", "actual", "of the plan"), found) if found else None
