"""The state of a run, why it is in it, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.domain.batch import QueueCounts
from handlers.domain.job import JobRecord
from handlers.domain.run import Control, RunState, RunTotals, SessionRecord
from handlers.runs.sessions import IsAlive

_STARTING = 30.0
"""Seconds that a session may take until its first job is heard of."""
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


def run_state(
    control: Control,
    totals: RunTotals,
    jobs: Sequence[JobRecord],
    sessions: Sequence[SessionRecord],
    waiting: QueueCounts | None,
    alive: IsAlive,
    now: float,
) -> tuple[RunState, str]:
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
    if any(alive(job) for job in jobs):
        return "running", ""
    if _is_starting(jobs, sessions, now):
        return "running", "starting"
    return "paused", _why_nobody_works(sessions, jobs, waiting, now)


def _is_starting(jobs: Sequence[JobRecord], sessions: Sequence[SessionRecord], now: float) -> bool:
    """A session just opened whose jobs have not had a batch yet."""
    if not sessions or sessions[-1].ended_at is not None:
        return False
    last = sessions[-1]
    return now - last.started_at < _STARTING and not any(job.session_id == last.session_id for job in jobs)


def _why_nobody_works(
    sessions: Sequence[SessionRecord], jobs: Sequence[JobRecord], waiting: QueueCounts | None, now: float
) -> str:
    if waiting is not None and waiting.dead and waiting.shared:
        return f"{_without_dead(sessions, jobs, waiting, now)}; {_SHARED.format(waiting.dead)}"
    if waiting is not None and waiting.dead:
        return (
            f"{waiting.dead} batches are dead letters: `paperfleet redrive --list` shows why, "
            "`paperfleet redrive` sends them back"
        )
    return _without_dead(sessions, jobs, waiting, now)


def _without_dead(
    sessions: Sequence[SessionRecord], jobs: Sequence[JobRecord], waiting: QueueCounts | None, now: float
) -> str:
    if not sessions and not jobs:
        return f"not started: {_messages(waiting)}no job has had a batch of it yet; {_WORKERS}"
    if not sessions or any(job.started_at > sessions[-1].started_at and not job.session_id for job in jobs):
        return _stalled(jobs, waiting, now)
    last = sessions[-1]
    if last.ended_at is None:
        return "interrupted: no job is alive. Run the same command to resume."
    return _NEXT.get(last.outcome, f"{last.outcome}; the same command goes on")


def _stalled(jobs: Sequence[JobRecord], waiting: QueueCounts | None, now: float) -> str:
    """Of jobs that no session started: a platform's, which starts them by itself while messages wait."""
    silent = now - max(job.heartbeat_at for job in jobs)
    stalled = f"stalled: no job was heard of for {silent:,.0f} s"
    if waiting is not None and not waiting.visible and not waiting.in_flight:
        return f"{stalled} and no message waits; `paperfleet resume` sends the unfinished batches again"
    return f"{stalled}; {_messages(waiting)}look at the function's log and its event source"


def _messages(waiting: QueueCounts | None) -> str:
    if waiting is None:
        return ""
    return f"{waiting.visible:,} messages wait and {waiting.in_flight:,} are out in the queue; "
