"""What the papers of one run share within a job."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from handlers.domain.call import CallRecord, bucket_seconds, latency_bucket
from handlers.domain.job import JobStats
from handlers.domain.money import NanoUsd, Price
from handlers.domain.result import PartLine
from handlers.domain.run import Control, RunRecord
from handlers.llm.limits.limiter import Limiter
from handlers.llm.pricing import CostEstimator
from handlers.pipeline.budget_lease import BudgetLease
from handlers.pipeline.circuit_breaker import CircuitBreaker
from handlers.pipeline.failure_rate import FailureRate
from handlers.pipeline.paper_times import LatencyForecast
from handlers.pipeline.single_flight import SingleFlight
from handlers.pipeline.stop import Deadline, Pacer, StopSignal
from handlers.ports import ChatModel, Clock, Ledger, Task

logger = logging.getLogger(__name__)


class JobMeter:
    """Counts what a job does, for its heartbeat. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._papers = 0
        self._busy = 0.0
        self._waited = 0.0
        self._latency: dict[int, int] = {}
        self._errors: dict[str, int] = {}
        self._mean = 0.0
        self.note = ""
        """What the job last changed by itself, a line each: more than one may fall between two reports."""
        self.offered = 0.0
        """Worker-seconds that there were, where their number changes."""
        self.sent = 0
        self.throttled = 0
        self.cost = NanoUsd(0)
        """Booked for the calls of this job."""

    def paper(self, *, held: float, waited: float, finished: bool) -> None:
        """A worker let go of a paper that it held for ``held`` seconds, ``waited`` of them idle."""
        with self._lock:
            self._papers += finished
            self._busy += max(0.0, held - waited)
            self._waited += waited

    def call(self, record: CallRecord) -> None:
        with self._lock:
            self.sent += 1
            self.throttled += record.outcome == "throttled"
            self.cost = NanoUsd(self.cost + record.cost)
            if record.outcome == "ok":
                bucket = latency_bucket(record.latency)
                self._latency[bucket] = self._latency.get(bucket, 0) + 1
                self._mean += (record.latency - self._mean) * (0.02 if self._mean else 1.0)
            if record.code is not None:
                self._errors[record.code] = self._errors.get(record.code, 0) + 1

    @property
    def usual_latency(self) -> float:
        """Three times the moving mean of answered calls: few take longer."""
        return 3 * self._mean

    @property
    def latency(self) -> float:
        """Moving mean of answered calls, seconds."""
        return self._mean

    def snapshot(self, limiter: Limiter) -> JobStats:
        with self._lock:
            return JobStats(
                papers=self._papers,
                busy=self._busy,
                offered=self.offered,
                throttle_wait=self._waited,
                slots=limiter.slots,
                in_flight=limiter.in_flight,
                latency=dict(self._latency),
                errors=dict(self._errors),
                note=self.note,
                limits=limiter.stated,
            )


@dataclass
class RunContext:
    """One run as a job sees it; ``control`` is refreshed by the heartbeat."""

    record: RunRecord
    job_id: str
    session_id: str
    task: Task
    model: ChatModel
    price: Price
    estimator: CostEstimator
    limiter: Limiter
    budget: BudgetLease
    breaker: CircuitBreaker
    meter: JobMeter
    ledger: Ledger
    clock: Clock
    stop: StopSignal
    deadline: Deadline
    call_timeout: float
    limited: bool = False
    """True when the session may start only so many papers."""
    force: bool = False
    """True to pay again for what an earlier run has translated already."""
    short_of_money: bool = False
    """True once a paper was put back because the next call's reservation was not to be had."""
    forecast: LatencyForecast = field(default_factory=LatencyForecast)
    control: Control = field(default_factory=lambda: Control("active", "", 0.0))
    failures: FailureRate = field(default_factory=FailureRate)

    def __post_init__(self) -> None:
        self.pacer = Pacer(self.clock, self.stop, self.give_up)
        self.flights = SingleFlight()
        self.fingerprint = self.record.spec.fingerprints()

    @property
    def run_id(self) -> str:
        return self.record.run_id

    def give_up(self) -> bool:
        """True when no further call of this run may start."""
        return self.stop.draining or self.control.state != "active"

    @property
    def out_of_time(self) -> bool:
        """No call fits any more before the deadline of this invocation."""
        return self.deadline.is_near(self.call_timeout, self.meter.usual_latency)

    def call_seconds(self) -> float:
        """Seconds that a call may take which starts now; StoppedError if none fits."""
        return self.deadline.timeout(self.call_timeout, self.meter.usual_latency)

    def why(self) -> str:
        return self.stop.reason or f"{self.control.state}: {self.control.reason}"

    def park(self, reason: str) -> None:
        """Stop the run for every job, once: the first reason stands."""
        if self.control.state != "active":
            return
        self.control = Control("parked", reason, self.clock.now())
        self.ledger.park(self.run_id, self.control)
        logger.error("run %s parked: %s", self.run_id, reason)

    def watch_failures(self, line: PartLine | None) -> None:
        """Park the run if the papers that ended last tell that something is broken."""
        reason = self.failures.ended(line) if line is not None else None
        if reason is None:
            return
        try:
            self.park(reason)
        except Exception:  # the line itself is good: it goes on to be committed
            logger.warning("the ledger cannot be used to park run %s", self.run_id, exc_info=True)

    def stats(self) -> JobStats:
        """How this job stands with the run, for its heartbeat."""
        told = self.limiter.report(self.job_id)._asdict()
        return replace(self.meter.snapshot(self.limiter), overrun=self.estimator.overrun, **told)

    def observe(self, jobs: Sequence[JobStats]) -> None:
        """Reserve for calls what any of these jobs has seen one to cost."""
        self.estimator.allow_overrun(max((job.overrun for job in jobs), default=0))

    def refresh(self) -> None:
        self.control = self.ledger.control(self.run_id)


Contexts = Callable[[str], RunContext]
"""run id → its context in this job, made at first use."""


def quantile(histogram: dict[int, int], share: float) -> float:
    """Seconds below which that share of a latency histogram lies (upper bucket edge); 0 if empty."""
    total = sum(histogram.values())
    seen = 0
    for bucket in sorted(histogram):
        seen += histogram[bucket]
        if seen >= share * total:
            return bucket_seconds(bucket)
    return 0.0
