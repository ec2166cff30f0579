"""A session's job summary: tables and Mermaid charts in Markdown, as GitHub draws them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from handlers.actions.artifact_storage import (
    CHECKPOINT_DAYS,
    FREE_GB,
    RESULT_DAYS,
    STATE_DAYS,
    gb_hours,
)
from handlers.actions.queue_times import QueueStatus
from handlers.actions.session_plan import JobState, SessionPlan
from handlers.actions.tiers import SessionResult, TierForecast, concurrency_text
from handlers.counted import counted, in_hours
from handlers.domain.money import budget_words, usd
from handlers.domain.paper import PaperStatus
from handlers.domain.run_report import RunReport
from handlers.reporting.markdown import to_markdown
from handlers.reporting.plain import markdown
from handlers.reporting.plan_table import money

TERMS = (
    "**GitHub's terms** for hosted runners leave out activity that is unrelated to the repository's own"
    " software project, and any burden out of proportion to its benefit"
    " ([Terms for Additional Products](https://docs.github.com/en/site-policy/github-terms/"
    "github-terms-for-additional-products-and-features#actions)). A large backfill belongs on self-hosted"
    " runners (`runs_on`) or on AWS (`backend: aws`)."
)
_STATUSES: tuple[PaperStatus, ...] = ("done", "flagged", "failed", "skipped", "pending")
_BARS = 40
_MUCH = 300_000_000
"""Bytes of a corpus that are too many to travel with each session."""


def plan_summary(plan: SessionPlan, parked: str) -> str:
    return "\n".join(_plan_lines(plan, parked)) + "\n"


def _plan_lines(plan: SessionPlan, parked: str) -> Iterator[str]:
    yield f"# Plan: {markdown(plan.run_id)}, tier {markdown(plan.tier)} ({markdown(plan.why)})\n"
    yield (
        f"{plan.pending:,} of {counted(plan.papers, 'paper')} pending; ${usd(plan.spent):,.4f} spent so far"
        + (f" of ${budget_words(usd(plan.budget))}." if plan.budget is not None else "; no budget is set.")
    )
    if parked:
        yield f"\n> **Nothing is started:** {markdown(parked)}"
    elif plan.jobs:
        yield (
            f"\n{concurrency_text(len(plan.jobs), plan.workers)}"
            + (f", {counted(plan.at_once, 'job')} of them at a time" if plan.at_once < len(plan.jobs) else "")
            + f". A checkpoint every {plan.checkpoint_seconds / 60:g} min."
            + f" About {counted(plan.verdict.minutes_per_session, 'runner minute')} a session."
        )
    if plan.pending:
        low, high = money(plan.verdict.cost_low_usd), money(plan.verdict.cost_high_usd)
        yield f"\nThe API costs about {money(plan.verdict.cost_usd)} more (90%: {low} to {high})."
        yield from _budget_reach(plan)
    yield f"\nWhat binds: {markdown(plan.verdict.binding)}.\n" if plan.pending else "\nNothing is pending.\n"
    yield from forecast_table(plan)
    yield ""
    yield (
        _last_session(plan.last)
        if plan.last and plan.last.papers_per_worker_hour
        else "Forecast as `paperfleet plan` makes it: by a pilot if one was made, else by assumptions, until"
        " a session has shown its pace."
    )
    if stored := gb_hours(plan):
        yield (
            f"\nIts artifacts take {stored:,.2f} GB-hours of storage at most, which private"
            f" repositories pay for (a free account has {FREE_GB * 1000:g} MB): plan and checkpoints are kept"
            f" for {CHECKPOINT_DAYS} days, results for {RESULT_DAYS}, the newest state for {STATE_DAYS}."
        )
    if plan.corpus_bytes > _MUCH:
        yield (
            f"\n**The corpus has {plan.corpus_bytes / 1e6:,.0f} MB**, and its results come to about as much:"
            " each session's artifacts carry both. With `backend: aws` they stay in a bucket."
        )
    if not plan.self_hosted:
        yield f"\n{TERMS}"


def _budget_reach(plan: SessionPlan) -> Iterator[str]:
    """Where the budget ends, if it ends before the papers do."""
    cost = plan.verdict.cost_usd
    left = cost if plan.budget is None else max(0.0, usd(plan.budget - plan.spent))
    if left < cost:
        enough = budget_words(usd(plan.spent) + plan.verdict.cost_high_usd)
        covers = f"{money(left)} of it are left, which covers about {left / cost:.0%} of that"
        yield f"\n**The budget ends first:** {covers}; budget_usd {enough} should last."


def _last_session(last: SessionResult) -> str:
    """What the pace in the table comes from, and how the queue was."""
    queue = (
        f"; GitHub ran {counted(last.slots, 'job')} at once, one waited {in_hours(last.waited_s or 0)}"
        if last.slots is not None
        else ""
    )
    return (
        f"Pace: {last.papers_per_worker_hour:,.1f} papers a worker and hour, as the last session showed: tier"
        f" {markdown(last.tier)}, {counted(last.papers, 'paper')}, workers busy {last.busy:.0%} of the time,"
        f" {last.throttled:.1%} of its calls throttled{queue}."
    )


def job_sentence(job: JobState) -> str:
    """How a job stands, for people."""
    name = f"job {job.job} of {job.session}"
    if job.stopped:
        return f"{name} stopped: {job.stopped.replace('_', ' ')}"
    if not job.step:
        return f"{name} has begun: `paperfleet actions work` works on it"
    return f"{name}: step {job.step} has ended; `paperfleet actions work` goes on"


def forecast_table(plan: SessionPlan) -> Iterator[str]:
    """The tiers beside each other, the session's own first if it is none of them."""
    rows: Sequence[TierForecast] = plan.table
    if all(row.tier != plan.verdict.tier for row in rows):
        rows = (plan.verdict, *rows)
    yield "| tier | jobs x workers | papers an hour | time | API cost | sessions | minutes | what binds |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
    for row in rows:
        mark = "**" if row.tier == plan.verdict.tier else ""
        yield (
            f"| {mark}{markdown(row.tier)}{mark} | {row.jobs} x {row.workers} | {row.papers_per_hour:,.0f} |"
            f" {in_hours(row.hours * 3600)} | {money(row.cost_usd)} | {row.sessions} | {row.minutes:,} |"
            f" {markdown(row.binding)} |"
        )


def session_summary(plan: SessionPlan, report: RunReport, queue: QueueStatus | None, verdict: str) -> str:
    return "\n".join(_session_lines(plan, report, queue, verdict)) + "\n"


def _session_lines(
    plan: SessionPlan, report: RunReport, queue: QueueStatus | None, verdict: str
) -> Iterator[str]:
    ended = plan.pending - report.counts["pending"]
    yield f"# Session {markdown(plan.session)}: {counted(ended, 'paper')}\n"
    yield markdown(verdict) + "\n"
    yield from _pie(report)
    yield from _bars(plan, report)
    if queue is not None:
        yield from queue_lines(queue)
    yield to_markdown(report)


def _pie(report: RunReport) -> Iterator[str]:
    yield "```mermaid\npie showData title Papers"
    for status in _STATUSES:
        if report.counts[status]:
            yield f'    "{status}" : {report.counts[status]}'
    yield "```\n"


def _bars(plan: SessionPlan, report: RunReport) -> Iterator[str]:
    """Papers of each Actions job of this session; jobs of one process each are added up."""
    papers: dict[str, int] = {}
    for job in report.jobs:
        if job.session == plan.session and job.workers:
            papers[job.id] = job.papers
    if not papers:
        return
    shown = list(papers.values())[:_BARS]
    yield '```mermaid\nxychart-beta\n    title "Papers a step of a job"'
    yield f"    x-axis [{', '.join(str(number + 1) for number in range(len(shown)))}]"
    yield f"    bar [{', '.join(map(str, shown))}]"
    yield "```\n"


def queue_lines(queue: QueueStatus) -> Iterator[str]:
    """Waiting and running of a workflow run's jobs, as a table and a Gantt chart."""
    yield (
        f"{counted(queue.slots, 'job')} at once, longest wait {in_hours(queue.longest_wait_s)},"
        f" {counted(queue.runner_minutes, 'runner minute')}; {queue.queued} queued,"
        f" {queue.running} running, {queue.ended} ended.\n"
    )
    timed = [job for job in queue.jobs if job.queued_at is not None]
    if not timed:
        return
    now = max(job.ended_at or job.started_at or job.queued_at or 0.0 for job in timed)
    yield "| job | attempt | state | waited s | ran s |\n| --- | ---: | --- | ---: | ---: |"
    for job in timed[:_BARS]:
        ran = (job.ended_at or now) - job.started_at if job.started_at else 0.0
        name, state = markdown(job.name), markdown(job.conclusion or job.status)
        yield f"| {name} | {job.attempt} | {state} | {job.waited(now):,.0f} | {ran:,.0f} |"
    yield "\n```mermaid\ngantt\n    dateFormat YYYY-MM-DDTHH:mm:ss\n    axisFormat %H:%M"
    for job in timed[:_BARS]:
        name = "".join(letter if letter.isalnum() or letter == " " else " " for letter in job.name)
        if job.started_at:
            end = max(job.ended_at or now, job.started_at + 1)
            yield f"    {name} : {_stamp(job.started_at)}, {_stamp(end)}"
    yield "```\n"


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
