"""A job as the ledger knows it: one process with a pool of workers."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic_core import from_json

from handlers.domain.money import NanoUsd

LEASE_TTL = 120.0
"""Seconds that a job's lease of a batch lasts without a heartbeat."""


@dataclass(frozen=True)
class JobStats:
    """What a job says of itself at each heartbeat; absolute, not increments."""

    papers: int = 0
    busy: float = 0.0
    """Worker-seconds spent on papers, waiting for slots, backoff and budget left out."""
    offered: float = 0.0
    """Worker-seconds that there were, where their number is the job's own choice (``--workers auto``);
    otherwise 0."""
    throttle_wait: float = 0.0
    slots: int = 0
    in_flight: int = 0
    latency: dict[int, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    note: str = ""
    """What the job last changed by itself, and why."""
    limits: dict[str, int] = field(default_factory=dict)
    """What the API's headers state: ``requests_per_minute``, ``tokens_per_day`` ... → the limit."""
    overrun: int = 0
    """The most tokens that a call has used beyond what it was reckoned to use at worst: others reserve for
    as many."""
    room: int = 0
    """Tokens that are added to an answer's for a model's thoughts; 0 if it does not think."""
    job: str = ""
    """Its id. It and the next four are ``handlers.llm.limits.gossip.LimiterReport``."""
    answered: int = 0
    throttled: int = 0
    level: float = 0.0
    ceiling: int = 0

    @classmethod
    def parse(cls, text: str) -> JobStats:
        """From the JSON object of its fields; those that this release does not know are left out, for jobs of
        a later one may share the run."""
        known = cls.__dataclass_fields__
        stats = {name: value for name, value in from_json(text).items() if name in known}
        stats["latency"] = {int(bucket): n for bucket, n in stats.get("latency", {}).items()}
        return cls(**stats)


@dataclass(frozen=True)
class JobRecord:
    job_id: str
    run_id: str
    session_id: str
    owner: str
    """Which process it is (``bootstrap.host.process_owner``), so that a restart can tell whether it lives."""
    workers: int
    started_at: float
    heartbeat_at: float
    ended_at: float | None
    outcome: str
    """"" while it runs; then ``finished``, ``drained``, ``killed`` ..."""
    stats: JobStats
    lost: NanoUsd = NanoUsd(0)
    """Booked as indeterminate because the job died holding them."""
