"""What people should hear of a run, each thing once: its budget is nearly used, its gate refuses much, it
is parked. CloudWatch's alarms are about the stack, and name no run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from handlers.bootstrap.metrics import ENOUGH, percent
from handlers.domain.run_report import RunReport
from handlers.reporting.webhook import SentEvents

_NEARLY, _REFUSED = 90, 5
"""Percent: of the budget, and of the answered papers that are flagged."""


def tell(report: RunReport, sent: Callable[[], SentEvents], publish: Callable[[str, str], object]) -> None:
    """``publish`` takes subject and text of what was not told yet; ``sent`` is asked only if there is any."""
    for key, subject, text in _due(report):
        if sent().claim(key):
            publish(f"Paperfleet: {subject}", f"{text}\n\n{_progress(report)}")


def _due(report: RunReport) -> Iterator[tuple[str, str, str]]:
    """(key, subject, text)"""
    run, budget = f"run {report.run_id}", report.budget_usd or 0
    used = percent(report.spend_usd + report.held_usd, budget)
    if used >= _NEARLY and report.counts["pending"]:
        text = f"The {run} has used {used:.0f}% of its budget of ${budget:,.2f}."
        yield f"notice-budget-{budget:.9f}", f"{run} has used {_NEARLY}% of its budget", text
    answered = report.counts["done"] + report.counts["flagged"]
    flagged = percent(report.counts["flagged"], answered if answered >= ENOUGH else 0)
    if flagged >= _REFUSED and report.state == "running":
        advice = "pause it and read some with `paperfleet review`"
        text = f"Of the {run}'s papers {flagged:.0f}% are flagged by the gate: {advice}."
        yield "notice-flagged", f"{run} has {flagged:.0f}% flagged papers", text
    if report.state == "parked":
        why = hashlib.sha256(report.reason.encode()).hexdigest()[:16]
        yield f"notice-parked-{why}", f"{run} is parked", f"The {run} is parked: {report.reason}."


def _progress(report: RunReport) -> str:
    counts = ", ".join(f"{count:,} {status}" for status, count in report.counts.items() if count)
    return f"{report.papers:,} papers: {counts}; ${report.spend_usd:,.4f} spent."
