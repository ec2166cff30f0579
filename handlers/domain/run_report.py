"""A run in figures: what ``run``, ``status`` and ``report`` print as JSON."""

from __future__ import annotations

import operator
from typing import Literal

from pydantic import Field

from handlers.domain.paper import PaperStatus
from handlers.domain.run import RunState
from handlers.domain.value import Frozen


def _is_none(value: object) -> bool:
    return value is None


class CallCounts(Frozen):
    """Calls by how they ended; ``repairs`` and ``hedges`` are kinds and count across the others."""

    sent: int
    ok: int
    throttled: int
    transient: int
    fatal: int
    refused: int
    repairs: int
    hedges: int = 0
    """Sent beside a slow call with the same request (``--hedge``)."""


class TokenCounts(Frozen):
    """Tokens as the API reported them; ``cached`` is part of ``prompt``, ``reasoning`` of ``completion``."""

    prompt: int
    completion: int
    cached: int
    reasoning: int


class Latency(Frozen):
    """Seconds below which that share of answered calls lies (5% resolution); 0 without any."""

    p50: float
    p90: float
    p99: float


class JobReport(Frozen):
    """One job: a process, with its share of the work."""

    id: str
    session: str
    outcome: str
    """"" while it runs."""
    workers: int
    started_at: str
    ended_at: str | None
    wall_s: float
    papers: int
    utilization: float
    throttle_wait_s: float
    """Worker-seconds spent waiting for slots, budget and backoff."""
    latency_s: Latency
    errors: dict[str, int]
    lost_usd: float
    """Booked as indeterminate because the job died holding it."""


class QueueReport(Frozen):
    """Messages, dead letters among them. On AWS the queue is ``shared`` by all runs of the stack, and so are
    these counts; ``paperfleet redrive --list`` tells the letters of one run."""

    visible: int
    in_flight: int
    dead: int
    shared: bool = False


class ForecastFigure(Frozen):
    """One figure as it was planned and as it came. ``low`` and ``high`` bound the 90% interval (None:
    none was given); ``error`` is actual / predicted - 1 (None: nothing was predicted)."""

    name: str
    """``hours``, ``papers_per_hour``, ``cost_usd``, ``tokens_prompt``, ``tokens_completion`` or ``calls``."""
    predicted: float
    low: float | None
    high: float | None
    actual: float
    error: float | None


class RunForecast(Frozen):
    """The plan that ``run --plan`` executed, beside the run."""

    plan: str
    """The plan file's hash."""
    tier: str
    jobs: int
    workers: int
    binding: str
    """The limit that was expected to set the pace."""
    complete: bool
    """False: the run is not finished, and what there is of it is projected to the whole."""
    figures: tuple[ForecastFigure, ...]


class RunExpectation(Frozen):
    """What a run with papers pending comes to, by the sizes of those papers."""

    cost_usd: float
    """In all, the spend so far included."""
    papers: int
    """Pending ones that need a call."""
    calls: int
    """Calls that they take."""
    wall_s: float | None
    """Seconds until they are done by the jobs at work; None if nobody works."""
    worked: float
    """Share of the calls' time in all that has passed."""
    covered: float | None
    """Share of all papers at which the budget ends; 1 if it lasts, None without one."""
    enough_usd: float
    """A budget that finishes the run."""


class SegmentCounts(Frozen):
    """What became of the bodies of whole papers that have ended. A block is kept byte for byte."""

    translated: int = 0
    """Segments: headings, paragraphs, captions, items of lists, cells of tables."""
    kept: int = 0
    """Blocks."""
    flagged: int = 0
    """Segments that the gate refused."""
    failed: int = 0
    """Segments whose calls failed."""
    rules: dict[str, int] = Field(default_factory=dict)
    """Part of ``kept``: rule → blocks."""
    notes: dict[str, int] = Field(default_factory=dict)
    """What was odd in the sources → how often."""


class AnswerFigures(Frozen):
    """One field of a task's answers, over the done papers; what does not apply is left out."""

    type: Literal["enum", "boolean", "number", "list"]
    """By the schema; ``number`` for whole ones too."""
    answered: int
    """Papers whose answer has the field."""
    counts: dict[str, int] = Field(default_factory=dict, exclude_if=operator.not_)
    """Of an enum or a truth value: value → papers, in the schema's order."""
    min: float | None = Field(default=None, exclude_if=_is_none)
    """The least of the numbers."""
    max: float | None = Field(default=None, exclude_if=_is_none)
    """The largest of them."""
    mean: float | None = Field(default=None, exclude_if=_is_none)
    """Their mean."""
    bins: tuple[int, ...] = Field(default=(), exclude_if=operator.not_)
    """Papers in parts of equal width between ``edges``."""
    edges: tuple[float, float] | None = Field(default=None, exclude_if=_is_none)
    """The schema's bounds, or else the spread of the first thousand answers."""
    lengths: dict[str, int] = Field(default_factory=dict, exclude_if=operator.not_)
    """Of a list: entries → papers."""


class RunReport(Frozen):
    """A run in figures. Times are ISO 8601 in UTC, durations seconds, money USD exact to the nano."""

    run_id: str
    state: RunState
    reason: str
    """Why it is in this state and what to do next; "" when there is nothing to do."""
    outcome: str
    """How its last session ended: ``finished``, ``limit``, ``deadline``, ``interrupted`` ...; "" if open."""
    model: str
    papers: int
    counts: dict[PaperStatus, int]
    same_as: int
    reused: int
    spend_usd: float
    spend_nano_usd: int
    spend_by_tier: dict[str, float] = Field(default_factory=dict)
    """Part of the spend: tier (``flex``, ``standard``, ``offpeak``, ``peak`` ...) → USD; empty where a model
    has but one price."""
    indeterminate_usd: float
    """Part of the spend: calls that may not have been charged, at their estimate."""
    held_usd: float = 0.0
    """Beside the spend: taken from the budget for what calls of unknown cost may be billed for."""
    in_hand_usd: float = 0.0
    """Part of the spend: of whole papers that have not ended. Their answered passages are stored."""
    budget_usd: float | None
    calls: CallCounts
    tokens: TokenCounts
    latency_s: Latency
    papers_per_hour: float
    worker_utilization: float
    jobs: tuple[JobReport, ...]
    lost_jobs: tuple[str, ...]
    """Ids of the jobs that died holding money."""
    queue: QueueReport | None
    errors: dict[str, int]
    """Class → calls that ended in it, most frequent first."""
    failed_checks: dict[str, int] | None
    """Gate check → papers that failed it; None unless asked for in detail."""
    paper_errors: dict[str, int] | None
    """Error class → failed and flagged papers; None unless asked for in detail."""
    warnings: tuple[str, ...]
    started_at: str | None
    finished_at: str | None
    wall_s: float
    """Sum of the sessions' times."""
    skip_reasons: dict[str, int] | None = None
    """Why papers were skipped → papers, most frequent first; None if nobody asked."""
    segments: SegmentCounts | None = None
    """None: no whole paper has ended, or nobody asked for it in detail."""
    answers: dict[str, AnswerFigures] | None = None
    """Of a task file's run, by field of its answers; None of a translation's, or without detail."""
    forecast: RunForecast | None = None
    """Predicted beside actual; None for a run that was started without a plan file."""

    expected: RunExpectation | None = None
    """None: nothing is pending, or no paper has told yet what papers cost."""

    @property
    def whole_over_so_far(self) -> float:
        """Time of the whole run over that so far, by the calls' time that is left."""
        return 1 / self.expected.worked if self.expected is not None and self.expected.worked else 1.0

    @property
    def finished(self) -> int:
        """Papers that are no longer pending."""
        return self.papers - self.counts["pending"]
