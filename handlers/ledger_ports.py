"""Notes that a ledger keeps beside its runs' papers and money."""

from __future__ import annotations

from typing import Literal, Protocol

from handlers.domain.ledger import BudgetState
from handlers.domain.money import NanoUsd
from handlers.domain.run import OpenRun

Drawn = Literal["drawn", "busy", "closed", "short", "spent"]
"""What became of a draw. "busy": others were faster, again at once. "closed": others ended the job. "short":
less is to be had now, and some is out that may come back. "spent": less is left, and nothing is out."""


class EndpointNotes(Protocol):
    """What is remembered of an endpoint, under a key of the caller's. Every method is atomic."""

    def recall(self, key: str) -> str | None:
        """What is noted, or None."""

    def note(self, key: str, text: str, *, known: str | None) -> bool:
        """Note ``text`` in place of what was recalled, ``known``; False if something else stands by now."""


class OpenRuns(Protocol):
    """Runs that somebody is to look at: from their making, and again from whatever re-arms them (an active
    control item, a retry), until they are closed."""

    def open_runs(self) -> list[OpenRun]:
        """The newest first."""

    def looked_at(self, run: OpenRun, *, at: float) -> None:
        """Note a look, in Unix seconds."""

    def counts_now(self, run_id: str, *, at: float, every: float) -> bool:
        """Whether the caller is to count the run's papers, who wants to know whether it is at its end: one of
        all its jobs in ``every`` seconds, where each count is billed."""

    def close_run(self, run: OpenRun) -> None:
        """Nothing happens if it was re-armed since it was read."""


class RunMoney(Protocol):
    """A run's budget. Every method is atomic."""

    def set_budget(self, run_id: str, budget: NanoUsd | None, *, at: float | None = None) -> None:
        """``at`` is when somebody said so: among ledgers that are merged the last word counts. None for a
        share, which is no word on the run's own budget."""

    def draw(self, run_id: str, job_id: str, seq: int, amount: NanoUsd) -> Drawn:
        """Take a grant of ``amount`` from the budget, unless less remains. ``seq`` grows with
        every draw or return of a job, so that a repeated request changes nothing twice."""

    def give_back(self, run_id: str, job_id: str, seq: int, amount: NanoUsd) -> None: ...

    def tidy_budget(self, run_id: str, job_id: str) -> None:
        """While money is short, each second or two: tell what the job has booked, and let what lies idle
        between jobs go where all can have it. Not while the job draws or gives back."""

    def budget_state(self, run_id: str) -> BudgetState:
        """For reports: a fleet's is read in many places, and of each at another moment."""

    def release_held(self, run_id: str, *, keep: NanoUsd = NanoUsd(0)) -> NanoUsd:
        """Give back to the budget what is held for calls of unknown cost, but for ``keep`` (default 0).
        Durable when it returns; returns how much."""
