"""The state of a run, why it is in it, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from handlers.counted import counted, in_hours
from handlers.domain.batch import QueueCounts
from handlers.domain.job import JobRecord
from handlers.domain.run import READY, Control, RunState, RunTotals, SessionRecord
from handlers.runs.sessions import IsAlive

_STARTING = 30.0
"""Seconds from a session's start to the first heartbeat of a job."""
_WORKERS = "`paperfleet run` or `paperfleet work` does, a deployed stack by itself"
_SHARED = (
    "{} messages of the runs that share the queue are dead letters: `paperfleet redrive --list` shows this "
    "run's and why, `paperfleet redrive` sends them back"
)
_NEXT = {
    "limit": "limit: the session started as many papers as --limit allows; the same command goes on",
    "deadline": "deadline: the session's time was up; the same command goes on",
    "interrupted": "interrupted; the same command goes on",
    "finished": "the queue ran dry with papers pending; the same command sends their batches again",
}


@dataclass(frozen=True)
class Activity:
    """Who has worked on a run, and what waits for a worker, at a moment."""

    jobs: Sequence[JobRecord]
    sessions: Sequence[SessionRecord]
    queue: QueueCounts | None
    """None where nobody looks at the queue."""
    is_alive: IsAlive
    now: float
    """Unix seconds."""


def run_state(control: Control, totals: RunTotals, activity: Activity) -> tuple[RunState, str]:
    """(state, reason). What somebody or a fatal error decided comes first, then whether work is left,
    then whether anybody works on it."""
    if control.state == "cancelled":
        return "cancelled", f"{control.reason or 'cancelled'}; `paperfleet resume` re-arms it"
    if totals.counts["pending"] == 0:
        return "finished", ""
    if control.state == "parked":
        return "parked", control.reason
    if control.state == "paused":
        return "paused", f"{control.reason or 'paused'}; `paperfleet resume`, then work on it again"
    if any(map(activity.is_alive, activity.jobs)):
        return "running", ""
    if _is_starting(activity):
        return "running", "starting"
    return "paused", _why_nobody_works(activity, control, totals.counts["pending"])


def _is_starting(activity: Activity) -> bool:
    """A session just opened whose jobs have not had a batch yet."""
    if not activity.sessions or activity.sessions[-1].ended_at is not None:
        return False
    last = activity.sessions[-1]
    begun = any(job.session_id == last.session_id for job in activity.jobs)
    return activity.now - last.started_at < _STARTING and not begun


def _why_nobody_works(activity: Activity, control: Control, pending: int) -> str:
    queue = activity.queue
    if queue is None or not queue.dead:
        return _why_idle(activity, control, pending)
    if queue.shared:
        return f"{_why_idle(activity, control, pending)}; {_SHARED.format(queue.dead)}"
    return (
        f"{counted(queue.dead, 'batch is a dead letter', 'batches are dead letters')}: `paperfleet redrive"
        " --list` shows why, `paperfleet redrive` sends them back"
    )


def _why_idle(activity: Activity, control: Control, pending: int) -> str:
    """Why nobody works, dead letters apart."""
    sessions, jobs = activity.sessions, activity.jobs
    if not sessions and not jobs:
        return f"not started: {_messages(activity.queue)}no job has had a batch of it yet; {_WORKERS}"
    if not sessions or any(job.started_at > sessions[-1].started_at and not job.session_id for job in jobs):
        return _stalled(activity)
    last = sessions[-1]
    if last.ended_at is None:
        return "interrupted: no job is alive. Run the same command to resume."
    queue = activity.queue
    sent = queue is not None and queue.visible and not queue.shared
    if sent and (last.outcome == "finished" or control.at > last.ended_at):
        return f"{READY}{counted(pending, 'paper')}; the same command goes on"
    return _NEXT.get(last.outcome, f"{last.outcome}; the same command goes on")


def _stalled(activity: Activity) -> str:
    """Of jobs that no session started: a platform's, which starts them by itself while messages wait."""
    silent = activity.now - max(job.heartbeat_at for job in activity.jobs)
    stalled, queue = f"stalled: no job was heard of for {in_hours(silent)}", activity.queue
    if queue is not None and not queue.visible and not queue.in_flight:
        return f"{stalled} and no message waits; `paperfleet resume` sends the unfinished batches again"
    return f"{stalled}; {_messages(queue)}look at the function's log and its event source"


def _messages(queue: QueueCounts | None) -> str:
    if queue is None:
        return ""
    waits = counted(queue.visible, "message waits", "messages wait")
    return f"{waits} and {queue.in_flight:,} out in the queue; "
