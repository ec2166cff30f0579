"""A plan, and what a pilot measured, as JSON: what ``plan`` prints and ``run --plan`` executes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, PositiveInt

from handlers.counted import counted
from handlers.domain.paper import PaperStatus
from handlers.domain.value import Frozen
from handlers.errors import UsageError

Binding = Literal[
    "workers",
    "rpm",
    "tpm",
    "slots",
    "job_time",
    "minutes",
    "lambda_ramp",
    "budget",
    "machine",
    "table",
    "nothing",
]
"""``table``: the write units a second of the ledger's table. ``nothing``: no paper needs a call."""
Risk = Literal["low", "medium", "high"]


class LinearFit(Frozen):
    """Per request and per token of size; ``residual`` is the standard deviation around it."""

    per_request: float
    per_token: float
    residual: float

    def total(self, requests: float, size: float) -> float:
        return self.per_request * requests + self.per_token * size


class PilotFigures(Frozen):
    """Measured on papers of one corpus, with one model and one set of fixed settings. Seconds, tokens."""

    papers: int
    counts: dict[PaperStatus, int]
    done: int
    """Papers whose results later runs take over at no cost."""
    done_requests: float
    """Requests that those papers took."""
    done_size: float
    """Tokens of their texts."""
    calls: int
    spend_usd: float
    prompt: LinearFit
    completion: LinearFit
    seconds: LinearFit
    """What a paper's calls take, one after the other."""
    seconds_per_paper: float
    """Of the whole corpus, by the sizes of its papers."""
    latency_sigma: float
    """Spread of a call's latency about its forecast, as the sigma of a lognormal distribution."""
    longest_call_s: float
    """The longest call that was seen."""
    cached_share: float
    """Prompt tokens that the API billed as cached, of all."""
    reasoning_share: float
    """Completion tokens spent on thinking, of all."""
    indeterminate_share: float
    """Cost of calls that may not have been charged, as a share of what was surely charged."""
    repair_share: float
    """Repair calls for each that a corpus without refused answers needs."""
    retry_share: float
    """Calls that failed and were sent once more, by the same measure."""
    throttled_share: float
    """Calls that the API refused for its limits, of all that were sent."""
    flag_share: float
    """Papers that were flagged, of those that ended."""
    cost_error: float
    """Half of the 90% interval of the corpus's cost, as a share of it; of the time likewise."""
    time_error: float
    """Half of the 90% interval of the corpus's time, as a share of it."""
    worker_s_per_paper: float
    """A worker's own seconds beyond the calls of a paper (of a whole one's passage): the lower quartile of
    those that never waited."""
    limits: dict[str, PositiveInt] = Field(default_factory=dict)
    """What the API's headers state: ``requests_per_minute``, ``tokens_per_day`` ... → the limit."""
    limits_on: str = ""
    """The day on which they did, ISO 8601."""


class CorpusCounts(Frozen):
    """What becomes of a corpus's papers."""

    papers: int
    same_as: int
    sent: int
    done: int
    """Papers whose results are there already, of a pilot or a run before: they cost nothing more."""
    skipped: dict[str, int] = Field(default_factory=dict)
    """Why no call is made → papers."""
    passages: int = Field(default=0, exclude_if=lambda passages: not passages)
    """Of whole papers that are sent: the pieces in which they are asked; left out of other plans."""

    def __str__(self) -> str:
        """``100 to send, 30,502 with a result already``."""
        parts = [f"{self.sent:,} to send" + (f" in {self.passages:,} passages" if self.passages else "")]
        parts += [f"{self.done:,} with a result already"] if self.done else []
        parts += [f"{self.same_as:,} of equal text"] if self.same_as else []
        if self.skipped:
            reasons = sorted(self.skipped.items(), key=lambda each: (-each[1], each[0]))
            why = ", ".join(f"{papers:,} {reason}" for reason, papers in reasons)
            parts.append(f"{sum(self.skipped.values()):,} skipped ({why})")
        return f"{counted(self.papers, 'paper')}: {', '.join(parts)}"


class PlanCorpus(CorpusCounts):
    """The papers with what those to be sent take."""

    calls: int
    tokens_prompt: int
    tokens_completion: int
    sha256: str = ""
    sizes: tuple[float, ...] = ()
    """Quantiles of a paper's size in tokens."""
    passage_sizes: tuple[float, ...] = Field(default=(), exclude_if=lambda sizes: not sizes)
    """Of whole papers: the same of a passage's."""


class PlanRow(Frozen):
    """A fleet: hours from the first job's start to the last paper; USD; papers of the whole run an hour."""

    tier: str
    jobs: int
    workers: int
    """Of each job."""
    papers_per_hour: float
    hours: float
    hours_low: float
    hours_high: float
    """90% interval."""
    cost_usd: float
    """The API's."""
    cost_low_usd: float
    cost_high_usd: float
    platform_usd: float
    platform_minutes: float
    sessions: int
    binding: Binding
    ceilings: dict[str, float]
    """Limit → papers an hour that it would allow were it the only one."""
    utilization: float
    """Share of the workers' time spent on papers."""
    risk: Risk
    risk_reason: str

    @property
    def total_usd(self) -> float:
        return self.cost_usd + self.platform_usd


class PlanTier(Frozen):
    """What the same calls cost in one tier or at some hours; None, and what is missing, if nobody knows."""

    tier: str
    """``standard``, ``flex`` or ``offpeak``."""
    cost_usd: float | None
    missing: str = ""
    """What is not known, and how to give it; "" if nothing is."""


class FirstStep(Frozen):
    """One of the phases that are proposed before everything is let loose."""

    papers: int
    tier: str
    hours: float
    cost_usd: float
    why: str


class Elsewhere(Frozen):
    """The chosen fleet on another platform."""

    platform: str
    account: str
    hours: float
    papers_per_hour: float
    cost_usd: float
    platform_usd: float
    platform_minutes: float
    sessions: int
    binding: str


class Plan(Frozen):
    """All that ``paperfleet plan`` says. ``recommended`` and ``chosen`` are tiers of ``rows``."""

    corpus: PlanCorpus
    model: str
    platform: str
    account: str
    private: bool
    measured: PilotFigures | None
    assumptions: dict[str, Any]
    origins: dict[str, str]
    """Assumption → where its figure comes from."""
    rows: tuple[PlanRow, ...]
    recommended: str | None
    reason: str
    chosen: str | None
    """What the plan file executes: the fleet asked for, else the recommended one."""
    platforms: tuple[Elsewhere, ...]
    first_steps: tuple[FirstStep, ...]
    tiers: tuple[PlanTier, ...] = ()
    warnings: tuple[str, ...]

    def row(self, tier: str | None) -> PlanRow | None:
        return next((row for row in self.rows if row.tier == tier), None)


class PlanFile(Plan):
    """``run`` has the settings by name; ``hash`` seals all the rest."""

    v: int = 1
    run: dict[str, Any]
    hash: str

    @property
    def row_chosen(self) -> PlanRow:
        """UsageError if there is none."""
        row = self.row(self.chosen)
        if row is None:
            raise UsageError(f"the plan has no row {self.chosen!r} to be executed: plan again")
        return row


_FigureOrNone = Annotated[
    float | None, BeforeValidator(lambda value: value if isinstance(value, int | float) else None)
]


class RowOutline(BaseModel):
    """What a fleet was predicted to take; None: the plan has no figure of it."""

    tier: Any = None
    papers_per_hour: _FigureOrNone = None
    hours: _FigureOrNone = None
    cost_usd: _FigureOrNone = None


class PlanOutline(BaseModel):
    """As much of a plan as a run is set against. Whatever else the JSON says is left unread, so that plans of
    other versions and made by hand will do."""

    rows: tuple[RowOutline, ...] = ()
    recommended: Any = None

    @property
    def row(self) -> RowOutline:
        """The recommended one, else the first, else an empty one."""
        first = self.rows[0] if self.rows else RowOutline()
        return next((row for row in self.rows if row.tier == self.recommended), first)
