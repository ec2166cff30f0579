"""What ledger and store keep of runs, papers, jobs and sessions: the values that the ports give and take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic_core import from_json

from handlers.domain.models import ControlState, PaperStatus, PartPointer, RunSpec
from handlers.domain.totals import CallTotals

REPAIRER = "repair"
"""Job that stands in for those of a ledger that was made again from the parts: their calls are its own."""
REPAIR_PART = f"{REPAIRER}/{REPAIRER}-calls"
"""The part that all of them are booked in."""


@dataclass(frozen=True)
class Part:
    """Lines to be made durable together; ``name`` is unique over jobs and epochs."""

    run_id: str
    name: str
    lines: tuple[bytes, ...]
    """Each ends in a newline."""


@dataclass(frozen=True)
class RunRecord:
    run_id: str
    spec: RunSpec
    papers: int
    """All papers of the corpus, ``same_as`` followers included."""
    same_as: int
    created_at: float
    budget: int | None
    """nano-USD, cumulative over sessions; None is no limit."""


@dataclass(frozen=True)
class Control:
    state: ControlState
    reason: str
    at: float


class PaperRow(NamedTuple):
    """What the ledger knows of a paper. ``pending`` rows point at the answers got so far."""

    paper_id: str
    generation: int
    status: PaperStatus
    error: str | None
    pointer: PartPointer | None
    weight: int
    reused: bool
    cost: int
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Reusable:
    run_id: str
    paper_id: str
    pointer: PartPointer


@dataclass(frozen=True)
class BudgetState:
    """nano-USD. ``held`` is drawn and not given back; held - spend is outstanding with jobs."""

    budget: int | None
    held: int
    spend: int


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
    job: str = ""
    """Its id, with what it knows of a limit that nobody declared; see ``handlers.llm.limits.gossip.Told``."""
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
    """``host:pid:process start`` of the process, so that a restart can tell whether it lives."""
    workers: int
    started_at: float
    heartbeat_at: float
    ended_at: float | None
    outcome: str
    """"" while it runs; then ``finished``, ``drained``, ``killed`` ..."""
    stats: JobStats
    lost: int = 0
    """nano-USD booked as indeterminate because the job died holding them."""


@dataclass(frozen=True)
class SessionRecord:
    session_id: str
    run_id: str
    jobs: int
    workers: int
    started_at: float
    ended_at: float | None
    outcome: str
    limit: int | None = None
    """Papers that may be started in this session."""
    started: int = 0


@dataclass(frozen=True)
class RunTotals:
    """Sums over batches and parts, never over papers."""

    counts: dict[PaperStatus, int]
    reused: int
    calls: CallTotals
    batches: int
    batches_finished: int


@dataclass(frozen=True)
class QueueMessage:
    """A delivery. ``receives`` counts this one; ``receipt`` is void once another delivery was made."""

    id: str
    receipt: str
    body: str
    receives: int


@dataclass(frozen=True)
class DeadLetter:
    """A message that was received too often, with the last reason given for returning it."""

    id: str
    body: str
    receives: int
    reason: str


@dataclass(frozen=True)
class QueueCounts:
    visible: int
    in_flight: int
    dead: int
    shared: bool = field(default=False, compare=False)
    """Whether several runs use the queue, so that the counts are of all of them together."""
