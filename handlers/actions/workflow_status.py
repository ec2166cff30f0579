"""``paperfleet actions status``: how the runs of a workflow queue, by GitHub's REST API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from handlers.actions.environment import GitHubEnvironment
from handlers.actions.queue_times import JobTimes, QueueStatus, queue_status
from handlers.adapters.github_api import GitHubApi, WorkflowJob, WorkflowRun
from handlers.bootstrap.state import SystemClock
from handlers.counted import in_hours
from handlers.domain.value import Frozen


class RunStatus(Frozen):
    """One workflow run, a session as a rule."""

    id: int
    attempt: int
    """Counted from 1; each re-run is one more."""
    event: str
    """What started it, as `workflow_dispatch` or `schedule`."""
    status: str
    conclusion: str | None
    """`success`, `failure` or `cancelled`; null until it ended."""
    url: str
    queue: QueueStatus


def queue_of(github: GitHubEnvironment, run_id: int) -> QueueStatus:
    """The jobs of one run, over all of its attempts."""
    with github.api() as api:
        return _queue(api, run_id)


def statuses(github: GitHubEnvironment, most: int) -> list[RunStatus]:
    """The newest runs of the workflow, newest first."""
    with github.api() as api:
        return [_status(api, run) for run in islice(api.runs(github.workflow), most)]


def status_lines(run: RunStatus) -> Iterator[str]:
    """A workflow run in Markdown."""
    queue = run.queue
    yield f"## Run {run.id}, attempt {run.attempt}: {run.conclusion or run.status} ({run.event})\n"
    yield (
        f"{queue.queued} queued, {queue.running} running, {queue.ended} ended; {queue.slots} at once;"
        f" longest wait {in_hours(queue.longest_wait_s)}; {queue.runner_minutes:,} runner minutes\n"
    )
    yield "| job | attempt | state | waited s |"
    yield "| --- | ---: | --- | ---: |"
    now = SystemClock().now()
    for job in queue.jobs:
        yield f"| {job.name} | {job.attempt} | {job.conclusion or job.status} | {job.waited(now):,.0f} |"


def _status(api: GitHubApi, run: WorkflowRun) -> RunStatus:
    return RunStatus(
        id=run.id,
        attempt=run.run_attempt,
        event=run.event,
        status=run.status or "unknown",
        conclusion=run.conclusion,
        url=run.html_url,
        queue=_queue(api, run.id),
    )


def _queue(api: GitHubApi, run_id: int) -> QueueStatus:
    return queue_status([_times(job) for job in api.jobs(run_id)], SystemClock().now())


def _times(job: WorkflowJob) -> JobTimes:
    return JobTimes(
        name=job.name,
        attempt=job.run_attempt,
        status=job.status,
        conclusion=job.conclusion,
        queued_at=_seconds(job.created_at),
        started_at=_seconds(job.started_at) if job.runner_name else None,
        ended_at=_seconds(job.completed_at),
    )


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
