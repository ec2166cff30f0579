"""A simulation's settings and its result."""

from __future__ import annotations

import math

from pydantic import ConfigDict, Field, model_validator

from handlers.domain.value import Frozen
from handlers.pipeline.heartbeat import BEAT

LONGEST = 400 * 86_400.0
"""Seconds after which a simulated fleet is taken never to come to an end."""
_SURVIVING = 3.0
"""Lives of a job that a call may take at most: one in twenty is answered then."""

DEFAULT_SIZES = (20.0, 90.0, 160.0, 220.0, 270.0, 330.0, 390.0, 460.0, 560.0, 720.0, 1600.0)
"""Deciles of an abstract's size in tokens, as in a corpus of 11,000 Chinese abstracts."""


class SimSetup(Frozen):
    """Seconds, tokens, USD. Each field makes a flag of ``paperfleet simulate``."""

    model_config = ConfigDict(allow_inf_nan=False)

    papers: int = Field(default=10_000, ge=1, le=10**8, description="papers that are sent")
    jobs: int = Field(default=1, ge=1, le=10_000, description="processes, runners or invocations at once")
    workers: int = Field(default=10, ge=1, le=10_000, description="threads of each job")
    batch_papers: int = Field(default=20, ge=1, description="papers a batch at most")
    step: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="one job stands for so many: coarser and faster, see docs/how-to/plan.md",
    )
    seed: int = Field(default=1, description="seed of latency, faults and jitter")
    sizes: tuple[float, ...] = Field(
        default=DEFAULT_SIZES, description="quantiles of a paper's size in tokens, evenly spaced"
    )
    passage_tokens: float = Field(
        default=0.0, ge=0, description="tokens of a passage of whole papers; 0: a paper is one call"
    )

    latency: float = Field(default=1.0, ge=0, description="median seconds of a call, apart from its size")
    latency_per_token: float = Field(default=0.0, ge=0, description="more of them for each token of size")
    sigma: float = Field(default=0.4, ge=0, le=3, description="spread of the lognormal noise")
    worker_s: float = Field(default=0.004, ge=0, description="a worker's own seconds on each call")
    cpu_s: float = Field(default=0.004, ge=0, description="processor seconds of each call")
    cores: float = Field(
        default=0.0, ge=0, description="processors that all jobs share; 0: each job has one of its own"
    )
    prompt_tokens: float = Field(default=500.0, ge=0, description="tokens of every prompt, the text aside")
    completion_share: float = Field(default=1.1, ge=0, description="answer tokens for each token of size")
    usd_per_paper: float = Field(default=0.0, ge=0, description="cost of one answered call in USD")

    rpm: float | None = Field(default=None, gt=0, description="declared limit: requests a minute, all jobs")
    tpm: float | None = Field(default=None, gt=0, description="declared limit: tokens a minute, all jobs")
    api_rpm: float | None = Field(default=None, gt=0, description="requests a minute before the API says 429")
    api_tpm: float | None = Field(default=None, gt=0, description="tokens a minute before the API says 429")
    api_in_flight: int | None = Field(default=None, ge=1, description="calls at once before the API says 429")
    api_burst: float = Field(default=10.0, gt=0, description="seconds of a limit that may be used at once")

    transient: float = Field(
        default=0.0, ge=0, le=0.9, description="share of calls that fail and are repeated"
    )
    stall: float = Field(default=0.0, ge=0, le=0.9, description="share of calls that are never answered")
    faults: float = Field(
        default=0.0,
        ge=0,
        le=0.07,
        description="rate of each of the model server's 15 faults, as its --faults",
    )
    read_timeout: float = Field(default=120.0, gt=0, description="seconds after which such a call is cut")
    hedge: float = Field(
        default=0.0, ge=0, le=0.05, description="share of the calls that may be sent twice, at the end"
    )
    repair: float = Field(default=0.0, ge=0, le=0.9, description="share of answers that the gate sends back")

    deaths: float = Field(default=0.0, ge=0, description="deaths of a job an hour of its life")
    restart_s: float = Field(default=1.0, ge=0, description="seconds until another takes a job's place")
    lease_s: float = Field(
        default=0.0, ge=0, description="seconds until a dead job's batches are delivered again; 0: at once"
    )
    job_s: float | None = Field(default=None, gt=0, description="seconds after which a job ends by itself")
    start_s: float = Field(default=1.0, ge=0, description="seconds to a job's first call")
    heartbeat_s: float = Field(
        default=BEAT, ge=0, description="seconds between two hearings of the other jobs' refusals; 0: none"
    )
    ramp_start: int | None = Field(default=None, ge=1, description="jobs at first; none: all at once")
    ramp_per_minute: float = Field(default=300.0, gt=0, description="more of them a minute")

    @model_validator(mode="after")
    def _adds_up(self) -> SimSetup:
        if self.jobs * self.workers > 200_000:
            raise ValueError(f"{self.jobs} x {self.workers} is more than 200,000 workers")
        if self.transient_rate + self.stall_rate >= 0.95 or self.repair_rate >= 0.95:
            raise ValueError("transient, stall, repair and faults together leave no paper done")
        if not self.sizes or min(self.sizes) < 0 or max(self.sizes) > 1e9:
            raise ValueError("sizes: tokens wanted, from 0 to a billion, such as 100,400,1600")
        for trouble in (self._too_short_lives(), self._too_slow()):
            if trouble:
                raise ValueError(trouble)
        return self

    def _too_short_lives(self) -> str:
        """What keeps calls from ever being answered, with the number that would work."""
        call = self.latency + self.worker_s
        if self.deaths * call > _SURVIVING * 3600:
            most = int(_SURVIVING * 3600 / call)
            return (
                f"deaths {self.deaths:g}: jobs die before a call of {call:g} s is answered;"
                f" give {most} or fewer"
            )
        if self.job_s is not None and self.job_s < call:
            return (
                f"job_s {self.job_s:g}: half of the calls take longer ({call:g} s); give {math.ceil(call)} or"
                " more"
            )
        return ""

    def _too_slow(self) -> str:
        """A rate at which the papers take longer than anybody waits, with the one that would work."""
        for name, needed in (("rpm", 1.0), ("tpm", self.prompt_tokens)):
            for flag in (name, f"api_{name}"):
                rate, least = getattr(self, flag), self.papers * needed * 60 / LONGEST
                if rate is not None and rate < least:
                    return (
                        f"{flag} {rate:g}: {self.papers:,} papers take over {LONGEST / 86_400:.0f} days; give"
                        f" {least:.3g} or more"
                    )
        return ""

    @property
    def transient_rate(self) -> float:
        """Of all calls: five of the server's faults are such errors."""
        return self.transient + 5 * self.faults

    @property
    def stall_rate(self) -> float:
        return self.stall + self.faults

    @property
    def repair_rate(self) -> float:
        """Of the answers: seven of the faults spoil one, and an eighth those of bodies alone."""
        return self.repair + 7 * self.faults / (1 - 7 * self.faults)

    def starts_at(self, number: int) -> float:
        """Seconds until job ``number`` (from 0) is there: all at once, or as a platform ramps up."""
        if self.ramp_start is None or number < self.ramp_start:
            return self.start_s
        return self.start_s + 60 * (number + 1 - self.ramp_start) / self.ramp_per_minute

    @property
    def factor(self) -> float:
        """Jobs for each one that is simulated."""
        return self.jobs / max(1, round(self.jobs / self.step))

    def part(self) -> SimSetup:
        """The part of the fleet that ``step`` leaves, with its part of papers, limits and processors: each
        of its jobs meets what it would meet in the whole."""
        factor = self.factor
        if factor == 1:
            return self
        shared = ("cores", "rpm", "tpm", "api_rpm", "api_tpm", "ramp_per_minute")
        scaled = {name: value / factor for name in shared if (value := getattr(self, name)) is not None}
        counts = {
            name: max(1, round(value / factor))
            for name in ("jobs", "papers", "api_in_flight", "ramp_start")
            if (value := getattr(self, name)) is not None
        }
        return self.model_copy(update={**scaled, **counts, "step": 1})


class Sample(Frozen):
    """One moment of a simulation: seconds since its start, sums since its start, levels of the moment."""

    at: float
    done: int
    throttled: int
    slots: int
    """Calls that the limiters of all jobs allowed at once."""
    in_flight: int
    jobs: int


class SimResult(Frozen):
    """Times in virtual seconds; calls are sent ones. ``repeated``: papers done twice, for a job died."""

    papers: int
    failed: int
    """Papers that every attempt failed."""
    wall_s: float
    papers_per_hour: float
    calls: int
    throttled: int
    transient: int
    repairs: int
    hedges: int = 0
    """Calls that were sent a second time."""
    repeated: int
    """Papers (of whole ones, passages) done twice, since the job that did them died before its commit."""
    throttle_rate: float
    """Throttled calls for each call sent."""
    cost_usd: float
    worker_utilization: float
    latency_mean_s: float
    """Of a call."""
    jobs_died: int
    """Without a last commit."""
    jobs_ended: int
    """By their own time limit."""
    binding: str
    """What set the pace: ``workers``, ``rate_limit``, ``machine`` or ``ramp``."""
    samples: tuple[Sample, ...]
    events: int
    """Steps of the virtual clock that were simulated."""
    cpu_s: float = 0.0
    """Processor time of the simulation, in real seconds."""
    peak_mb: float = 0.0
    """Most memory of the simulation."""

    def of_whole(self, setup: SimSetup) -> SimResult:
        """The same of the whole fleet, if ``setup.part()`` was simulated."""
        factor = setup.factor
        if factor == 1:
            return self
        sums = (
            "failed",
            "calls",
            "throttled",
            "transient",
            "repairs",
            "hedges",
            "repeated",
            "jobs_died",
            "jobs_ended",
        )
        return self.model_copy(
            update={
                **{name: round(getattr(self, name) * factor) for name in sums},
                "papers": setup.papers,
                "papers_per_hour": round(self.papers_per_hour * setup.papers / self.papers, 1),
                "cost_usd": round(self.cost_usd * factor, 6),
                "samples": tuple(_of_whole(each, setup) for each in self.samples),
            }
        )


def _of_whole(sample: Sample, setup: SimSetup) -> Sample:
    counts = ("done", "throttled", "slots", "in_flight", "jobs")
    scaled = {name: round(getattr(sample, name) * setup.factor) for name in counts}
    return Sample(at=sample.at, **scaled | {"done": min(setup.papers, scaled["done"])})
