"""How a session stands, while it runs: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from urllib.parse import urlsplit

from rich.console import Console

from handlers.counted import counted
from handlers.domain.job import JobRecord
from handlers.domain.ledger import BudgetState
from handlers.domain.money import NanoUsd, budget_words, dollars, usd
from handlers.domain.paper import TERMINAL
from handlers.domain.run import RunRecord, RunTotals
from handlers.ports import Ledger
from handlers.reporting.live_lines import LiveLines, bar, can_redraw
from handlers.reporting.plain import plain
from handlers.reporting.projection import project, project_run
from handlers.reporting.time_left import Forecast, Look, span

_PLAIN_EVERY = 5.0
_LATELY = 30.0
"""Seconds for which an error is news."""
_ERRORS_SHOWN = 3
_SILENT = 4.0
"""Seconds without an answer from which on a run that had none yet says whom it waits for."""
_PROJECTED_EVERY, _BATCHES_A_SECOND = 1.0, 5_000
"""Seconds between two looks at all batches: this, and more of them for many batches."""


@dataclass(frozen=True)
class JobPart:
    """A job's own part of a run, where its ledger knows how many papers the others have."""

    elsewhere: int
    """Pending papers of other jobs."""
    budget: NanoUsd | None
    """What the job may spend in all, however little of it the ledger grants at a time."""


class Progress:
    """Papers, rate, time left, slots, throttles, spend, errors. Refreshed by its caller, no thread. ``part``:
    what of the run is shown; all of it if none is given. ``endpoint``: the address that is asked, told while
    nothing answers there."""

    def __init__(self, console: Console, part: JobPart | None = None, *, endpoint: str = "") -> None:
        self._console = console
        self._part = part
        address = urlsplit(endpoint)
        self._endpoint = (
            f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}" if endpoint else ""
        )
        self._asked_at = math.inf
        self._forecast = Forecast()
        self._projection = project(())
        self._projected_at = 0.0
        self._record: RunRecord | None = None
        self._errors: deque[tuple[float, dict[str, int]]] = deque()
        self._said_at = 0.0
        self._under_way = False
        self._live = LiveLines(console) if can_redraw(console) else None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.end()

    def say(self, sentence: str) -> None:
        """One line that stays."""
        if self._live is not None:
            self._live.above(sentence)
        else:
            self._console.print(sentence, markup=False, highlight=False, soft_wrap=True)

    def update(self, ledger: Ledger, run_id: str, *, now: float) -> None:
        """Nothing is shown before the first job is at work."""
        if self._live is None and now - self._said_at < _PLAIN_EVERY:
            return
        live = [job for job in ledger.jobs(run_id) if job.ended_at is None]
        self._under_way = self._under_way or bool(live)
        if not self._under_way:
            return
        self._said_at = now
        totals = ledger.totals(run_id)
        if now - self._projected_at >= max(_PROJECTED_EVERY, totals.batches / _BATCHES_A_SECOND):
            self._record = self._record or ledger.run(run_id)
            self._projection = project_run(ledger, self._record, totals.calls.cost)
            self._projected_at = now
        budget = ledger.budget_state(run_id)
        if self._part is not None:
            own = max(0, totals.counts["pending"] - self._part.elsewhere)
            totals = replace(totals, counts={**totals.counts, "pending": own})
            budget = replace(budget, budget=self._part.budget)
        self._show(totals, live, budget, now)

    def _show(self, totals: RunTotals, live: Sequence[JobRecord], budget: BudgetState, now: float) -> None:
        pending = totals.counts["pending"]
        finished = sum(totals.counts[status] for status in TERMINAL)
        busy, workers = sum(job.stats.in_flight for job in live), sum(job.workers for job in live)
        limits = {name: limit for job in live for name, limit in job.stats.limits.items()}
        calls, tokens = totals.calls, totals.calls.prompt + totals.calls.completion
        self._forecast.add(Look(now, finished, calls.ok, busy, workers, calls.cost, tokens, limits))
        pace = f"{self._pace(finished, calls.ok)}, {self._left(totals, budget, finished)}"
        hedges = [f"{totals.calls.hedges:,} sent twice"] if totals.calls.hedges else []
        parts = [_slots(live), f"{totals.calls.throttled:,} throttled", *hedges, _money(totals, budget)]
        parts += [_outcomes(totals), _thoughts(live), self._lately(totals, now)]
        parts.append(self._silent(calls.ok, busy, now))
        details = ", ".join(filter(None, parts))
        count = f"{finished:,}/{counted(finished + pending, 'paper')}"
        if self._live is not None:
            self._live.draw([f"{bar(finished, finished + pending)} {count}", pace, details])
        else:
            self.say(f"{count}, {pace}, {details}")

    def _pace(self, finished: int, answered: int) -> str:
        """Of whole papers, which take many calls each, also how many of those are answered: that is what
        moves before the first of them has ended."""
        unknown = finished and not self._forecast.has_rate
        papers = "papers/h not known yet" if unknown else f"{self._forecast.rate * 3600:,.0f} papers/h"
        if self._record is None or not self._record.spec.full_text or not answered:
            return papers
        return f"{counted(answered, 'call')} answered, {papers if finished else 'no paper is whole yet'}"

    def _left(self, totals: RunTotals, state: BudgetState, finished: int) -> str:
        """The time until all is done, or until the budget ends."""
        if not totals.counts["pending"]:
            return "all done"
        rest = self._projection.rest
        left = None if state.budget is None else state.budget - totals.calls.taken
        if left is None or left >= rest.cost or not self._projection.known:
            return span(self._forecast.left(self._projection))
        paid = self._projection.within(left)
        share = (finished + paid.rest.papers) / max(1, finished + totals.counts["pending"])
        words = span(self._forecast.left(paid))
        return f"{words} until the budget ends at about {share:.0%} of the papers"

    def _silent(self, answered: int, in_flight: int, now: float) -> str:
        """Said of calls that have waited for some seconds without that one was ever answered."""
        if answered or not in_flight:
            return ""
        self._asked_at = min(self._asked_at, now)
        if not self._endpoint or now - self._asked_at < _SILENT:
            return ""
        return f"no answer for {now - self._asked_at:,.0f} s from {plain(self._endpoint)}"

    def _lately(self, totals: RunTotals, now: float) -> str:
        """The commonest error classes of the last half minute."""
        self._errors.append((now, totals.calls.errors))
        while len(self._errors) > 2 and now - self._errors[1][0] >= _LATELY:
            self._errors.popleft()
        before = self._errors[0][1]
        new = {name: count - before.get(name, 0) for name, count in totals.calls.errors.items()}
        worst = sorted((-count, name) for name, count in new.items() if count > 0)[:_ERRORS_SHOWN]
        return "lately " + " ".join(f"{plain(name)} x{-count:,}" for count, name in worst) if worst else ""


def _slots(live: Sequence[JobRecord]) -> str:
    busy = sum(job.stats.in_flight for job in live)
    slots, ceiling = sum(job.stats.slots for job in live), sum(job.workers for job in live)
    if not slots:
        return f"{counted(len(live), 'job')} starting" if live else "no job is at work"
    return (
        f"{counted(busy, 'call')} in {slots:,} of {counted(ceiling, 'slot')} of {counted(len(live), 'job')}"
    )


def _thoughts(live: Sequence[JobRecord]) -> str:
    room = max((job.stats.room for job in live), default=0)
    return f"room to think: {room:,} tokens" if room else ""


def _money(totals: RunTotals, state: BudgetState) -> str:
    spent = dollars(usd(totals.calls.cost))
    if state.held:
        spent += f" and {dollars(usd(state.held))} held"
    if state.budget is None:
        return spent
    share = f" ({totals.calls.taken / state.budget:.0%})" if state.budget else ""
    return f"{spent} of ${budget_words(usd(state.budget))}{share}"


def _outcomes(totals: RunTotals) -> str:
    flagged, failed = totals.counts["flagged"], totals.counts["failed"]
    answered = flagged + totals.counts["done"]
    share = f" ({flagged / answered:.1%})" if flagged else ""
    return f"{flagged:,} flagged{share}, {failed:,} failed"
