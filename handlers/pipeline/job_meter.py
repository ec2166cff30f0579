"""What a job counts of itself for a run."""

from __future__ import annotations

import threading

from handlers.domain.call import CallRecord, latency_bucket
from handlers.domain.job import JobStats
from handlers.domain.money import NanoUsd
from handlers.llm.limits.limiter import Limiter


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
        """The job's last own changes, a line each: several may fall between two heartbeats."""
        self.offered = 0.0
        """Worker-seconds available, where the number of workers changes."""
        self.sent = 0
        self.throttled = 0
        self.lost = 0
        """Calls that got no answer because too many were in flight."""
        self.cost = NanoUsd(0)
        """Booked for the calls of this job."""

    def paper(self, *, seconds: float, waited: float, finished: bool) -> None:
        """A worker is done with a paper after ``seconds``, ``waited`` of them idle."""
        with self._lock:
            self._papers += finished
            self._busy += max(0.0, seconds - waited)
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
