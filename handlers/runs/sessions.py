"""When a run was worked on, and by how many: sessions closed or not, jobs with a session or without."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from handlers.domain.job import LEASE_TTL, JobRecord
from handlers.domain.run import SessionRecord


@dataclass(frozen=True)
class WorkPeriod:
    """A time in which ``workers`` (of all its jobs together) could have been busy; Unix seconds."""

    start: float
    end: float
    workers: float

    @property
    def wall(self) -> float:
        return max(0.0, self.end - self.start)


class IsAlive:
    """A job is alive if it and its session are open, its heartbeat is recent and its process runs."""

    def __init__(
        self, process_lives: Callable[[str], bool], sessions: Iterable[SessionRecord], now: float
    ) -> None:
        self._process_lives = process_lives
        self._closed = {each.session_id for each in sessions if each.ended_at is not None}
        self._now = now

    def __call__(self, job: JobRecord) -> bool:
        return (
            job.ended_at is None
            and job.session_id not in self._closed
            and self._now - job.heartbeat_at < LEASE_TTL
            and self._process_lives(job.owner)
        )


def job_end(job: JobRecord, alive: IsAlive, now: float) -> float:
    """Unix seconds of a job's end; of a job that died, of its last heartbeat."""
    if job.ended_at is None:
        return now if alive(job) else job.heartbeat_at
    return job.heartbeat_at if job.outcome == "killed" else job.ended_at


def work_periods(
    sessions: Sequence[SessionRecord], jobs: Sequence[JobRecord], alive: IsAlive, now: float
) -> list[WorkPeriod]:
    """One for each session that a job took part in, and one for the jobs of none (of a platform that
    starts jobs by itself). A session that found nothing to do is none: it changes no figure."""
    members: dict[str, list[JobRecord]] = {each.session_id: [] for each in sessions}
    others: list[JobRecord] = []
    for job in jobs:
        members.get(job.session_id, others).append(job)
    periods = [
        WorkPeriod(each.started_at, _session_end(each, mine, alive, now), each.jobs * each.workers)
        for each in sessions
        if (mine := members[each.session_id])
    ]
    if others:
        periods.append(_without_session(others, alive, now))
    return periods


def _session_end(session: SessionRecord, jobs: list[JobRecord], alive: IsAlive, now: float) -> float:
    """An open session without a live job ended with the last sign of one."""
    if session.ended_at is not None:
        return session.ended_at
    return max(job_end(job, alive, now) for job in jobs)


def _without_session(jobs: list[JobRecord], alive: IsAlive, now: float) -> WorkPeriod:
    start = min(job.started_at for job in jobs)
    end = max(job_end(job, alive, now) for job in jobs)
    busy = sum(job.workers * max(0.0, job_end(job, alive, now) - job.started_at) for job in jobs)
    return WorkPeriod(start, end, busy / (end - start) if end > start else 0.0)
