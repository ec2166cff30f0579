"""A run's page: one self-contained file without script, which asks nothing of any server."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handlers.counted import counted
from handlers.domain.plan import PlanOutline
from handlers.domain.run_report import RunReport
from handlers.extras import load
from handlers.reporting.page import palette
from handlers.reporting.page.comparison import comparison
from handlers.reporting.page.figure import Figure, percent, projected_usd, seconds, usd
from handlers.reporting.page.run_figures import figures
from handlers.reporting.page.run_settings import Setting
from handlers.reporting.page.survey import Survey
from handlers.reporting.tables import standing

_NOWHERE = "base-uri 'none'; form-action 'none'"
_TEMPLATES = Path(__file__).parents[1] / "templates"


@dataclass(frozen=True)
class Beside:
    """What a page tells beside the run's figures."""

    plan: PlanOutline | None = None
    """A forecast, for a run that has none of its own."""
    settings: Sequence[Setting] = ()
    reviews: Mapping[str, str] = field(default_factory=dict)
    """Paper's id → address of its review, relative to the page."""


def to_html(report: RunReport, survey: Survey, beside: Beside | None = None) -> str:
    """The page of a run. Texts of papers and models are escaped. UsageError without the extra ``report``."""
    beside = beside or Beside()
    style = page_style("report.css", charts=True)
    sections = figures(report, survey)
    compared = comparison(report, beside.plan)
    page: str = (
        environment()
        .get_template("report.html")
        .render(
            report=report,
            survey=survey,
            figures=sections,
            contents=_contents(sections, survey, beside, planned=compared is not None),
            verdict=verdict(report),
            facts=_facts(report),
            compared=compared,
            beside=beside,
            policy=f"default-src 'none'; style-src '{_hash(style)}'; img-src data:; {_NOWHERE}",
            style=load("markupsafe", extra="report").Markup(style),  # ours alone: no text of a paper
        )
    )
    return page


def verdict(report: RunReport) -> tuple[str, str]:
    """(class, words) of the mark beside the run's name: finished is not all well where papers are not."""
    counts = report.counts
    bad = {name: counts[name] for name in ("flagged", "failed") if counts[name]}
    shares = ", ".join(f"{percent(count, report.papers)} {name}" for name, count in bad.items())
    words = f"{standing(report)}, {shares}" if shares else standing(report)
    return ("finished-badly" if shares and report.state == "finished" else report.state), words


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
    jinja.filters["percent"] = percent
    jinja.filters["counted"] = counted
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


def _contents(
    sections: Sequence[Figure], survey: Survey, beside: Beside, *, planned: bool
) -> list[tuple[str, str]]:
    """(id, title) of the page's sections, in its order."""
    lists = {
        ("plan", "Predicted against actual"): planned,
        ("flagged", "Flagged papers"): survey.flagged,
        ("slowest", "Slowest papers"): survey.slowest,
        ("dearest", "Dearest papers"): survey.dearest,
        ("settings", "Settings"): beside.settings,
    }
    return [
        *((figure.key, figure.title) for figure in sections),
        *(name for name, there in lists.items() if there),
    ]


def _facts(report: RunReport) -> list[tuple[str, str, str, str]]:
    """(name, value, what stands under it, class) of the tiles at the page's head."""
    counts, latency, calls = report.counts, report.latency_s, report.calls
    faults = calls.transient + calls.fatal + calls.refused
    flagged = counts["flagged"]
    under = f"of {report.papers:,}; {flagged:,} flagged ({percent(flagged, report.papers)})"
    return [
        ("papers finished", f"{report.finished:,}", under, "flagged" if flagged else ""),
        ("papers an hour", f"{report.papers_per_hour:,.0f}", f"in {_duration(report.wall_s)}", ""),
        _spent(report),
        ("utilization", percent(report.worker_utilization, 1.0), counted(len(report.jobs), "job"), ""),
        (
            "response time",
            seconds(latency.p50),
            f"p90 {seconds(latency.p90)}, p99 {seconds(latency.p99)}",
            "",
        ),
        ("calls", f"{calls.sent:,}", f"{calls.throttled:,} throttled, {faults:,} failed", ""),
    ]


def _spent(report: RunReport) -> tuple[str, str, str, str]:
    budget = report.budget_usd
    over = report.spend_usd - budget if budget is not None else 0.0
    under = f"of {usd(budget)} budget" if budget is not None else "no budget set"
    if over > 0:
        under += f": {usd(over)} over it"
    if report.held_usd:
        under += f", {usd(report.held_usd)} held beside"
    if report.counts["pending"]:
        under += f"; {usd(projected_usd(report))} expected in all"
    return "spent", usd(report.spend_usd), under, "failed" if over > 0 else ""


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
