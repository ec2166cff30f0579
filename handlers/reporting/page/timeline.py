"""A run over time: what a page of it needs beyond sums, gathered in one pass over its papers.

Memory is bounded by the number of jobs and bins, never by papers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from handlers.domain.call import CallRecord
from handlers.domain.job import JobRecord
from handlers.domain.money import usd

BINS = 96
"""Columns of the charts over time."""

Interval = tuple[float, float]

_BREATH = 5.0
"""Seconds: a shorter gap between jobs is no gap."""


class Axis:
    """Unix time → seconds worked. Gaps in which no job ran are left out: a run of five nights is one
    stretch of work, with the seams between sessions known.
    """

    def __init__(self, intervals: Iterable[Interval]) -> None:
        self._starts: list[float] = []
        self._ends: list[float] = []
        for start, end in sorted(intervals):
            if self._ends and start <= self._ends[-1] + _BREATH:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(max(start, end))
        self._before = [0.0]
        for start, end in zip(self._starts, self._ends, strict=True):
            self._before.append(self._before[-1] + end - start)

    @property
    def length(self) -> float:
        """Seconds worked in all."""
        return self._before[-1]

    @property
    def seams(self) -> list[float]:
        """Seconds worked at which a gap was left out."""
        return self._before[1:-1]

    def at(self, moment: float) -> float:
        """Seconds worked until ``moment``; what falls into a gap belongs to the stretch before it."""
        stretch = bisect_right(self._starts, moment) - 1
        if stretch < 0:
            return 0.0
        return self._before[stretch] + min(moment, self._ends[stretch]) - self._starts[stretch]


class Columns:
    """Amounts over an axis, in equal columns. ``width`` is in seconds worked."""

    def __init__(self, axis: Axis, count: int = BINS) -> None:
        self._axis = axis
        self.width = axis.length / count if axis.length else 1.0
        self.values = [0.0] * count

    def add(self, moment: float, amount: float) -> None:
        """All of it in the column of one moment."""
        self.values[self._column(self._axis.at(moment))] += amount

    def spread(self, start: float, end: float, level: float) -> None:
        """``level`` held from start to end: each column gets its mean share."""
        begin, stop = self._axis.at(start), self._axis.at(end)
        for column in range(self._column(begin), self._column(stop) + 1):
            low, high = column * self.width, (column + 1) * self.width
            shared = min(stop, high) - max(begin, low)
            if shared > 0:
                self.values[column] += level * shared / self.width

    def _column(self, worked: float) -> int:
        return min(len(self.values) - 1, int(worked / self.width))


@dataclass(frozen=True)
class Moment:
    """One column of a run's timeline. Rates and levels are means over the column."""

    worked_s: float
    """Seconds worked at the column's end."""
    papers: float
    """Papers that were done, flagged or failed in the column."""
    papers_per_hour: float
    calls_in_flight: float
    workers: float
    """Workers of the jobs that ran."""
    spend_usd: float
    """Spent until the column's end."""


class Timeline:
    """Collects papers, calls and spend over the time that the jobs worked."""

    def __init__(self, jobs: Iterable[JobRecord]) -> None:
        known = [(job, _interval(job)) for job in jobs]
        self.axis = Axis(interval for _, interval in known)
        self._papers = Columns(self.axis)
        self._spend = Columns(self.axis)
        self._calls = Columns(self.axis)
        self._workers = Columns(self.axis)
        for job, (start, end) in known:
            self._workers.spread(start, end, job.workers)
        self.jobs = {job.job_id: (self.axis.at(start), self.axis.at(end)) for job, (start, end) in known}
        """Job → seconds worked at its start and its end."""
        self._end = max((end for _, (_, end) in known), default=0.0)
        self.spend = 0
        """Cost of the calls seen."""

    def paper(self, at: float, weight: int) -> None:
        """What was finished since the last heartbeat of a job at work is left out: all of it would stand in
        the last column, as if the pace had soared."""
        if at <= self._end:
            self._papers.add(at, weight)

    def call(self, call: CallRecord) -> None:
        end = call.started_at + call.latency
        self._calls.spread(call.started_at, end, 1.0)
        self._spend.add(end, call.cost)
        self.spend += call.cost

    def moments(self) -> list[Moment]:
        """The columns in order; none if no job ever ran."""
        if not self.axis.length:
            return []
        width, spent = self._papers.width, 0.0
        moments = []
        for column, papers in enumerate(self._papers.values):
            spent += self._spend.values[column]
            moments.append(
                Moment(
                    worked_s=(column + 1) * width,
                    papers=papers,
                    papers_per_hour=papers * 3600 / width,
                    calls_in_flight=self._calls.values[column],
                    workers=self._workers.values[column],
                    spend_usd=usd(spent),
                )
            )
        return moments


def _interval(job: JobRecord) -> Interval:
    return job.started_at, max(job.started_at, job.ended_at or job.heartbeat_at)
