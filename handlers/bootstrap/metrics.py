"""What the Lambda entry points tell CloudWatch, as embedded metric format (EMF) lines on stdout.

The only dimension is the service (the stack): a run's id would be a metric of its own, and billed as
one, so it is metadata, for Logs Insights to ask for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from handlers.domain.call import quantile
from handlers.domain.money import NanoUsd, usd
from handlers.domain.run_report import RunReport
from handlers.pipeline.context import RunContext

_SHARES = (0.5, 0.9, 0.99)
ENOUGH = 20
"""Answered papers from which a share of them says something: fewer would set off the alarm by chance."""


@dataclass(frozen=True)
class Figures:
    """What a job has done for a run so far."""

    papers: int = 0
    calls: int = 0
    throttles: int = 0
    cost: NanoUsd = NanoUsd(0)
    busy: float = 0.0
    """Worker-seconds."""
    latency: Mapping[int, int] = field(default_factory=dict)
    """Histogram of answered calls."""

    def since(self, before: Figures) -> Figures:
        return Figures(
            papers=self.papers - before.papers,
            calls=self.calls - before.calls,
            throttles=self.throttles - before.throttles,
            cost=NanoUsd(self.cost - before.cost),
            busy=self.busy - before.busy,
            latency={
                bucket: more
                for bucket, count in self.latency.items()
                if (more := count - before.latency.get(bucket, 0))
            },
        )


def figures(context: RunContext) -> Figures:
    stats, meter = context.meter.snapshot(context.job.limiter), context.meter
    return Figures(stats.papers, meter.sent, meter.throttled, meter.cost, stats.busy, stats.latency)


def publish_invocation(
    contexts: Sequence[RunContext], before: Mapping[str, Figures], *, workers: int, wall: float
) -> None:
    """What one invocation did for each run in ``wall`` seconds with ``workers`` threads.

    ``before`` is run id → what the job had done when it began.
    """
    for context in contexts:
        done = figures(context).since(before.get(context.run_id, Figures()))
        if not done.papers and not done.calls:
            continue
        metrics = EphemeralMetrics()
        metrics.add_metric("Papers", MetricUnit.Count, done.papers)
        metrics.add_metric("Calls", MetricUnit.Count, done.calls)
        metrics.add_metric("Throttles", MetricUnit.Count, done.throttles)
        metrics.add_metric("SpendUsd", MetricUnit.NoUnit, usd(done.cost))
        metrics.add_metric("Utilization", MetricUnit.Percent, percent(done.busy, workers * wall))
        if done.latency:
            for share in _SHARES:
                name = f"LatencyP{share * 100:.0f}"
                metrics.add_metric(name, MetricUnit.Milliseconds, 1000 * quantile(dict(done.latency), share))
        _flush(metrics, context.run_id)


def publish_refused(count: int) -> None:
    """AWS refused so many requests after it had served some: somebody took a permission or a thing away."""
    if count:
        metrics = EphemeralMetrics()
        metrics.add_metric("Refused", MetricUnit.Count, count)
        metrics.flush_metrics()


def publish_report(report: RunReport) -> None:
    """Publish a run's counts and, while it runs, its spend against its budget and its gate."""
    answered = report.counts["done"] + report.counts["flagged"]
    metrics = EphemeralMetrics()
    metrics.add_metric("PendingPapers", MetricUnit.Count, report.counts["pending"])
    metrics.add_metric("FailedPapers", MetricUnit.Count, report.counts["failed"])
    metrics.add_metric("RunSpendUsd", MetricUnit.NoUnit, report.spend_usd)
    metrics.add_metric("RunHeldUsd", MetricUnit.NoUnit, report.held_usd)
    if report.state == "running":  # one that rests would keep its alarm on for as long as it does
        flagged = percent(report.counts["flagged"], answered if answered >= ENOUGH else 0)
        metrics.add_metric("FlaggedShare", MetricUnit.Percent, flagged)
        taken = report.spend_usd + report.held_usd
        metrics.add_metric("BudgetUsed", MetricUnit.Percent, percent(taken, report.budget_usd or 0))
    _flush(metrics, report.run_id)


def percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 2) if whole > 0 else 0.0


def _flush(metrics: EphemeralMetrics, run_id: str) -> None:
    metrics.add_metadata("run_id", run_id)
    metrics.flush_metrics()
