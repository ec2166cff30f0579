"""A simulation's counters, and its result made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from handlers.simulation.sim_job import SimJob
from handlers.simulation.sim_setup import Sample, SimResult, SimSetup

_BINDS = 0.2
"""Share of the workers' or the jobs' time, or of a call's, from which on a limit counts as what binds."""
_MOST_SAMPLES = 800


@dataclass(slots=True)
class SimCounts:
    """Sums in papers, calls or seconds."""

    setup: SimSetup
    ended: int = 0
    failed: int = 0
    calls: int = 0
    throttled: int = 0
    transient: int = 0
    repairs: int = 0
    hedges: int = 0
    repeated: int = 0
    died: int = 0
    expired: int = 0
    busy: float = 0.0
    """Worker-seconds with a call in flight."""
    lag: float = 0.0
    """Seconds that calls waited for a processor."""
    latency: float = 0.0
    answers: int = 0
    samples: list[Sample] = field(default_factory=list)
    sample_every: float = 0.25
    """Seconds."""
    _waiting: float = 0.0
    _missing: float = 0.0
    _looks: int = 0

    def look(self, jobs: Sequence[SimJob], now: float) -> None:
        """Take a sample, and count who waits for what."""
        setup = self.setup
        in_flight = sum(job.gate.in_flight for job in jobs)
        held_back = sum(job.workers - job.idle for job in jobs) - in_flight
        self._waiting += held_back / (setup.jobs * setup.workers)
        self._missing += 1 - len(jobs) / setup.jobs
        self._looks += 1
        self.samples.append(
            Sample(
                at=round(now, 3),
                done=self.done,
                throttled=self.throttled,
                slots=sum(job.gate.slots(now) for job in jobs),
                in_flight=in_flight,
                jobs=len(jobs),
            )
        )
        if len(self.samples) > _MOST_SAMPLES:  # however long it takes, memory is bounded
            self.samples = self.samples[1::2]
            self.sample_every *= 2

    @property
    def done(self) -> int:
        """Papers with an end."""
        return min(self.setup.papers, self.ended)

    def binding(self) -> str:
        """What set the pace."""
        looks = max(1, self._looks)
        if self.lag > _BINDS * self.latency:
            return "machine"
        if self._waiting / looks > _BINDS:
            return "rate_limit"
        return "ramp" if self._missing / looks > _BINDS else "workers"

    def result(self, wall: float, events: int) -> SimResult:
        setup = self.setup
        capacity = max(1e-9, setup.jobs * setup.workers * wall)
        return SimResult(
            papers=setup.papers,
            failed=min(setup.papers, self.failed),
            wall_s=round(wall, 3),
            papers_per_hour=round(3600 * setup.papers / wall, 1) if wall else 0.0,
            calls=self.calls,
            throttled=self.throttled,
            transient=self.transient,
            repairs=self.repairs,
            hedges=self.hedges,
            repeated=self.repeated,
            throttle_rate=round(self.throttled / max(1, self.calls), 5),
            cost_usd=round(setup.usd_per_paper * (self.answers + self.hedges), 6),
            worker_utilization=round(min(1.0, self.busy / capacity), 4),
            latency_mean_s=round(self.latency / max(1, self.answers + self.transient), 4),
            jobs_died=self.died,
            jobs_ended=self.expired,
            binding=self.binding(),
            samples=tuple(self.samples),
            events=events,
        )
