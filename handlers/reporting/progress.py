"""How a session stands, while it runs: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

from collections import deque
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from handlers.models import NANO, TERMINAL
from handlers.ports import Ledger, RunTotals

_PLAIN_EVERY = 5.0
_WINDOW = 30.0
"""Seconds over which the rate is measured."""


class Progress:
    """Shows papers, rate, time left, slots, throttles and spend. Refreshed by its caller, no thread."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._seen: deque[tuple[float, int]] = deque()
        self._said_at = 0.0
        self._bar: Bar | None = None
        if console.is_terminal and not quiet:
            self._bar = Bar(
                BarColumn(bar_width=30),
                MofNCompleteColumn(),
                TextColumn("{task.description}"),
                console=console,
                auto_refresh=False,
            )
            self._task = self._bar.add_task("starting", total=None)

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, sentence: str) -> None:
        """One line that stays."""
        self._console.print(escape(sentence), highlight=False, soft_wrap=True)

    def update(self, ledger: Ledger, run_id: str, *, now: float) -> None:
        if self._quiet or (self._bar is None and now - self._said_at < _PLAIN_EVERY):
            return
        self._said_at = now
        totals = ledger.totals(run_id)
        finished = sum(totals.counts[status] for status in TERMINAL)
        papers = finished + totals.counts["pending"]
        text = self._line(totals, self._rate(now, finished), ledger, run_id)
        if self._bar is not None:
            self._bar.update(self._task, total=papers, completed=finished, description=text, refresh=True)
        else:
            self.say(f"{finished}/{papers} papers, {text}")

    def _rate(self, now: float, finished: int) -> float:
        """Papers a second over the last half minute."""
        self._seen.append((now, finished))
        while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW:
            self._seen.popleft()
        since, before = self._seen[0]
        return (finished - before) / (now - since) if now > since else 0.0

    def _line(self, totals: RunTotals, rate: float, ledger: Ledger, run_id: str) -> str:
        state = ledger.budget_state(run_id)
        live = [job for job in ledger.jobs(run_id) if job.ended_at is None]
        left = f"{totals.counts['pending'] / rate:.0f} s left" if rate else "-"
        budget = "" if state.budget is None else f" of ${state.budget / NANO:.2f}"
        slots = sum(job.stats.slots for job in live)
        busy = sum(job.stats.in_flight for job in live)
        return (
            f"{rate * 3600:,.0f}/h, {left}, {busy}/{slots} slots in {len(live)} jobs, "
            f"{totals.calls.throttled} throttled, ${totals.calls.cost / NANO:.4f}{budget}, "
            f"{totals.counts['flagged']} flagged, {totals.counts['failed']} failed"
        )
