"""Where jobs run, and what that allows, takes and costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

from handlers.planning.assumptions import Assumptions
from handlers.planning.platform_limits import platform_limits

PlatformName = Literal["laptop", "actions", "lambda"]
_MARGIN = 300.0
"""Seconds that an Actions job keeps for its end: commit, artifact."""
_MEMORY = ((20, 512), (50, 1024))
"""Workers up to → MB of a function; one whole CPU's beyond, as in template.yaml."""
_ONE_CPU = 1769
"""MB of a function that has one."""


@dataclass(frozen=True)
class Span:
    """How a stretch of work goes on a platform. Seconds, USD."""

    wall: float
    sessions: int
    minutes: float
    """Job-minutes that the platform counts."""
    usd: float


class Platform(Protocol):
    """What a plan asks of a place to run at."""

    @property
    def account(self) -> str: ...

    def jobs(self, wanted: int, /) -> int:
        """Those that run at once."""

    @property
    def start(self) -> float:
        """Seconds from the command to a job's first call."""

    def calls_per_second(self, jobs: int, workers: int, /) -> float:
        """What the processors carry."""

    def ramp(self, jobs: int, /) -> float:
        """Seconds of the whole fleet's work lost while jobs start one after the other."""

    def span(self, jobs: int, workers: int, work: float, papers: int, /) -> Span:
        """``work`` seconds of the fleet, start excluded, as sessions."""

    def papers_per_second(self, passages: float, /) -> float | None:
        """What the ledger takes, if a paper has so many (1 without its text); None: no such limit."""

    @property
    def free_minutes(self) -> float | None:
        """Minutes a month without charge; None: no such limit."""


@dataclass(frozen=True)
class Laptop:
    """A machine of one's own."""

    assumptions: Assumptions
    account: str = ""

    def jobs(self, wanted: int) -> int:
        return wanted

    @property
    def start(self) -> float:
        return self.assumptions.laptop_start_s

    def calls_per_second(self, jobs: int, _workers: int, /) -> float:
        return min(jobs, self.assumptions.cores) * self.assumptions.calls_per_core_second

    def ramp(self, _jobs: int, /) -> float:
        return 0.0

    def span(self, _jobs: int, _workers: int, work: float, _papers: int, /) -> Span:
        return Span(work, 1, 0.0, 0.0)

    def papers_per_second(self, _passages: float, /) -> float | None:
        return None

    @property
    def free_minutes(self) -> float | None:
        return None


@dataclass(frozen=True)
class Actions:
    """GitHub Actions on standard hosted runners."""

    assumptions: Assumptions
    account: str
    private: bool

    def jobs(self, wanted: int) -> int:
        limits = platform_limits().actions
        slots = self.assumptions.concurrent_jobs or limits.plan(self.account).concurrent_jobs
        return min(wanted, slots, limits.matrix_jobs)

    @property
    def start(self) -> float:
        return self.assumptions.actions_start_s

    def calls_per_second(self, jobs: int, _workers: int, /) -> float:
        return jobs * self.assumptions.calls_per_core_second  # one process a runner: one core of it

    def ramp(self, _jobs: int, /) -> float:
        return 0.0

    def span(self, jobs: int, _workers: int, work: float, _papers: int, /) -> Span:
        """A session is one workflow run whose jobs end before they are killed."""
        usable = max(60.0, self.assumptions.job_hours * 3600 - self.start - _MARGIN)
        sessions = max(1, math.ceil(work / usable - 1e-9))
        wall = work + sessions * self.start
        minutes = float(jobs * sessions * math.ceil(wall / sessions / 60))
        free = self.free_minutes
        over = 0.0 if free is None else max(0.0, minutes - free)
        return Span(wall - self.start, sessions, minutes, over * self.assumptions.minute_usd)

    def papers_per_second(self, _passages: float, /) -> float | None:
        return None

    @property
    def free_minutes(self) -> float | None:
        if not self.private:
            return None
        if self.assumptions.included_minutes is not None:
            return self.assumptions.included_minutes
        return float(platform_limits().actions.plan(self.account).minutes)


@dataclass(frozen=True)
class Lambda:
    """AWS Lambda behind an SQS event source mapping."""

    assumptions: Assumptions
    account: str = ""

    def jobs(self, wanted: int) -> int:
        return min(wanted, self.assumptions.lambda_max_concurrency)

    @property
    def start(self) -> float:
        return self.assumptions.lambda_start_s

    def calls_per_second(self, jobs: int, workers: int) -> float:
        return jobs * min(1.0, _memory(workers) / _ONE_CPU) * self.assumptions.calls_per_core_second

    def ramp(self, jobs: int) -> float:
        """The integral of what is missing while concurrency grows by the minute."""
        missing = max(0, jobs - self.assumptions.lambda_start_concurrency)
        per_second = self.assumptions.lambda_ramp_per_minute / 60
        return missing**2 / (2 * per_second * jobs) if jobs else 0.0

    def span(self, jobs: int, workers: int, work: float, papers: int) -> Span:
        seconds = jobs * (work - self.ramp(jobs) + self.start)
        usd = seconds * _memory(workers) / 1024 * self.assumptions.lambda_gb_second_usd
        usd += papers / 1000 * self.assumptions.lambda_other_usd_per_1000_papers
        return Span(work, 1, seconds / 60, usd)

    def papers_per_second(self, passages: float) -> float | None:
        table = platform_limits().aws_lambda.table
        writes = max(table.writes_per_paper, table.writes_per_passage * passages)
        return self.assumptions.lambda_table_writes / writes

    @property
    def free_minutes(self) -> float | None:
        return None


def _memory(workers: int) -> int:
    return next((mb for most, mb in _MEMORY if workers <= most), _ONE_CPU)


def platform_of(name: PlatformName, account: str, assumptions: Assumptions, *, private: bool) -> Platform:
    """UsageError for an account plan that is not known."""
    platform_limits().actions.plan(account or "free")
    if name == "actions":
        return Actions(assumptions, account, private)
    return Lambda(assumptions) if name == "lambda" else Laptop(assumptions)
