"""What the ledger takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from pydantic import Field

from handlers.domain.call import CallTotals
from handlers.domain.money import NanoUsd
from handlers.domain.paper import PaperStatus
from handlers.domain.result import MADE_UP, OF_FILE, OF_HEAD, REFUSED, PartPointer
from handlers.domain.value import Frozen

REPAIRER = "repair"
"""Job that stands in for those of a ledger that was made again from the parts: their calls are its own."""
REPAIR_PART = f"{REPAIRER}/{REPAIRER}-calls"
"""The part that all of them are booked in."""


class LedgerEntry(Frozen):
    """What a commit says of one paper."""

    paper_id: str
    generation: int
    status: PaperStatus
    weight: int = 1
    error: str | None = None
    fingerprint: str = ""
    reused: bool = False
    pointer: PartPointer
    cost: NanoUsd = NanoUsd(0)
    calls: int = 0
    busy_ms: int = 0
    """Milliseconds that its calls took."""
    flags: tuple[str, ...] = ()
    """Names of failed checks, for reports."""
    segments: dict[str, int] = Field(default_factory=dict)
    """Of a whole paper's body, for reports: ``Coverage.counts``; of an abstract empty."""
    supersedes: PartPointer | None = None
    """The result whose place it takes under its fingerprint, if that one still stands there; else the first
    result under a fingerprint stays."""

    @property
    def stands_under(self) -> str:
        """The name under which later runs find the result; "" if they do not. Answers to a task file are
        found when they were refused, too, and need not be paid for again; so are those to a whole paper's
        head, which is named in a line of the unfinished paper."""
        is_head = self.status == "pending" and self.fingerprint.startswith(OF_HEAD)
        if self.status == "done" or is_head:
            return self.fingerprint
        of_file = self.fingerprint.removeprefix(MADE_UP).startswith(OF_FILE)
        return REFUSED + self.fingerprint if self.status == "flagged" and of_file else ""


@dataclass(frozen=True)
class Commit:
    """One part of one batch, as the ledger hears of it after the part is durable."""

    run_id: str
    batch_id: str
    part_id: str
    """Unique over all jobs and epochs: ``<batch>/<epoch>-<job>-<n>``."""
    job_id: str
    entries: tuple[LedgerEntry, ...]
    calls: CallTotals
    at: float


class StoredAnswer(NamedTuple):
    """A line of an unfinished paper: calls whose answers are given again for nothing."""

    generation: int
    pointer: PartPointer


class PaperRow(NamedTuple):
    """What the ledger knows of a paper. A ``pending`` row points at the last line of what ``Ledger.answers``
    tells, and its generation is the one in which the paper was opened."""

    paper_id: str
    generation: int
    status: PaperStatus
    error: str | None
    pointer: PartPointer | None
    weight: int
    reused: bool
    cost: NanoUsd
    flags: tuple[str, ...]
    segments: Mapping[str, int] = MappingProxyType({})
    """What became of the body's segments: ``Coverage.counts``; empty of an abstract, and while pending."""


class Attempt(NamedTuple):
    """Who asks for a batch's lease: with which delivery, and how many attempts may have failed before."""

    message: str = ""
    """The message's generation and id."""
    most: int = 1 << 30
    overdue: float = 0.0
    """Seconds for which a lease must have run out that its holder did not end."""


ANY_ATTEMPT = Attempt()
"""Of whom nothing is known, and which nothing refuses."""


class LeaseState(NamedTuple):
    """What a batch's lease says to somebody who did not get it."""

    lease_until: float
    message: str
    """Of the last holder's ``Attempt``; "" if it is not known."""
    attempts: int
    """Holders, a live one among them, that did not bring the batch forward since somebody last mended it."""
    pardons: int
    """Times that a holder gave it back for no fault of its own."""


class BatchFigures(NamedTuple):
    """What a batch takes and has taken, whatever the number of its papers; followers are left out."""

    tokens: int
    """Estimated, of the papers that need a call."""
    papers: int
    settled: int
    """Papers in a terminal state, skipped and reused ones among them."""
    cost: NanoUsd
    """Of the settled papers; their calls, and the milliseconds of those, likewise."""
    calls: int
    busy_ms: int


@dataclass(frozen=True)
class Reusable:
    run_id: str
    paper_id: str
    pointer: PartPointer


@dataclass(frozen=True)
class BudgetState:
    """``drawn`` is what jobs took and did not give back; drawn - spend - held is outstanding with them."""

    budget: NanoUsd | None
    drawn: NanoUsd
    spend: NanoUsd
    held: NanoUsd = NanoUsd(0)
    """Beyond the spend: what calls of unknown cost may be billed for. It does not come back by itself."""
