"""What the Lambda entry points tell CloudWatch, as embedded metric format (EMF) lines on stdout.

The only dimension is the service (the stack): a run's id would be a metric of its own, and billed as
one, so it is metadata, for Logs Insights to ask for.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from handlers.models import NANO
from handlers.pipeline.context import RunContext, quantile
from handlers.pipeline.summarise import RunReport

_SHARES = (0.5, 0.9, 0.99)


def publish_invocation(contexts: Sequence[RunContext], *, workers: int, wall: float) -> None:
    """What one invocation did for each run: ``wall`` seconds with ``workers`` threads."""
    for context in contexts:
        stats = context.meter.snapshot(context.limiter)
        metrics = EphemeralMetrics()
        metrics.add_metric("Papers", MetricUnit.Count, stats.papers)
        metrics.add_metric("Calls", MetricUnit.Count, context.meter.sent)
        metrics.add_metric("Throttles", MetricUnit.Count, context.meter.throttled)
        metrics.add_metric("SpendUsd", MetricUnit.NoUnit, context.meter.cost / NANO)
        metrics.add_metric("Utilization", MetricUnit.Percent, _percent(stats.busy, workers * wall))
        if stats.latency:
            for share in _SHARES:
                name = f"LatencyP{share * 100:.0f}"
                metrics.add_metric(name, MetricUnit.Milliseconds, 1000 * quantile(stats.latency, share))
        _flush(metrics, context.run_id)


def publish_report(report: RunReport) -> None:
    """How a run stands, against its budget and its gate."""
    answered = report.counts["done"] + report.counts["flagged"]
    metrics = EphemeralMetrics()
    metrics.add_metric("PendingPapers", MetricUnit.Count, report.counts["pending"])
    metrics.add_metric("FailedPapers", MetricUnit.Count, report.counts["failed"])
    metrics.add_metric("FlaggedShare", MetricUnit.Percent, _percent(report.counts["flagged"], answered))
    metrics.add_metric("RunSpendUsd", MetricUnit.NoUnit, report.spend_usd)
    metrics.add_metric("BudgetUsed", MetricUnit.Percent, _percent(report.spend_usd, report.budget_usd or 0))
    _flush(metrics, report.run_id)


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 2) if whole > 0 else 0.0


def _flush(metrics: EphemeralMetrics, run_id: str) -> None:
    metrics.add_metadata("run_id", run_id)
    metrics.flush_metrics()
