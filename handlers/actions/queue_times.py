"""How long GitHub let jobs wait, and how many of them it ran at the same time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from handlers.domain.value import Frozen


class JobTimes(Frozen):
    """One job of a workflow run. Unix seconds; None: not yet."""

    name: str
    attempt: int
    """Of the workflow run, counted from 1."""
    status: str
    conclusion: str | None
    """`success`, `failure`, `cancelled` or `skipped`; null until it ended."""
    queued_at: float | None
    """When it began to wait for a runner."""
    started_at: float | None
    ended_at: float | None

    def waited(self, now: float) -> float:
        """Seconds in the queue."""
        if self.queued_at is None:
            return 0.0
        return max(0.0, (self.started_at or now) - self.queued_at)


class QueueStatus(Frozen):
    """A workflow run's jobs, in sums. ``slots`` is the most that ran at the same time."""

    queued: int
    running: int
    ended: int
    slots: int
    """The most jobs that ran at the same time."""
    longest_wait_s: float
    """The longest that a job waited, or waits, for a runner."""
    runner_minutes: int
    """Each job's rounded up, as they are billed."""
    jobs: tuple[JobTimes, ...]


def queue_status(jobs: Sequence[JobTimes], now: float) -> QueueStatus:
    """Sums over jobs, those that were skipped left out."""
    real = [job for job in jobs if job.conclusion != "skipped"]
    spans = [(job.started_at, job.ended_at or now) for job in real if job.started_at is not None]
    return QueueStatus(
        queued=sum(job.started_at is None and job.ended_at is None for job in real),
        running=sum(job.started_at is not None and job.ended_at is None for job in real),
        ended=sum(job.ended_at is not None for job in real),
        slots=_most_at_once(spans),
        longest_wait_s=max((round(job.waited(now), 1) for job in real), default=0.0),
        runner_minutes=sum(max(1, -int(-(end - start) // 60)) for start, end in spans),
        jobs=tuple(real),
    )


def _most_at_once(spans: Iterable[tuple[float, float]]) -> int:
    """An end and a start in the same second do not overlap."""
    changes = sorted(change for start, end in spans for change in ((start, 1), (max(end, start + 0.5), -1)))
    most = running = 0
    for _at, change in changes:
        running += change
        most = max(most, running)
    return most
