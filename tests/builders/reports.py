"""A run's report, and what a terminal shows of it."""

from __future__ import annotations

import io

from rich.console import Console

from handlers.domain.run_report import CallCounts, JobReport, Latency, QueueReport, RunReport, TokenCounts
from handlers.reporting.terminal import render

HOSTILE = "[red]x[/red] <script>alert(1)</script> | a | `b` \x1b[31m \u202e $x$ [l](http://e.org)"


def report(**changes: object) -> RunReport:
    job = JobReport(
        id="job-1", session="s1", outcome="finished", workers=10, started_at="2024-01-01T00:00:00+00:00",
        ended_at="2024-01-01T00:01:40+00:00", wall_s=100.0, papers=7, utilization=0.9, throttle_wait_s=3.0,
        latency_s=Latency(p50=1.0, p90=2.0, p99=3.0), errors={"http_500": 2}, lost_usd=0.0,
    )  # fmt: skip
    whole = RunReport(
        run_id="june", state="finished", reason="", outcome="finished", model="model-a", papers=10,
        counts={"done": 7, "flagged": 1, "failed": 1, "skipped": 1, "pending": 0}, same_as=1, reused=2,
        spend_usd=0.5, spend_nano_usd=500_000_000, indeterminate_usd=0.25, budget_usd=2.0,
        calls=CallCounts(sent=12, ok=8, throttled=2, transient=2, fatal=0, refused=0, repairs=1),
        tokens=TokenCounts(prompt=1000, completion=500, cached=100, reasoning=0),
        latency_s=Latency(p50=1.0, p90=2.0, p99=3.0), papers_per_hour=360.0, worker_utilization=0.875,
        jobs=(job,), lost_jobs=(), queue=QueueReport(visible=0, in_flight=0, dead=1),
        errors={"http_500": 2}, failed_checks={"numbers": 1}, paper_errors={"numbers": 1},
        warnings=("1 dead letters in the queue",), started_at="2024-01-01T00:00:00+00:00",
        finished_at="2024-01-01T00:01:40+00:00", wall_s=100.0,
    )  # fmt: skip
    return whole.model_copy(update=changes)


def terminal(shown: RunReport, *, width: int = 100) -> str:
    file = io.StringIO()
    render(shown, Console(file=file, width=width, force_terminal=True, color_system=None))
    return file.getvalue()
