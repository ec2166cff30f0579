"""A job's part of the fleet's budget: drawn in small grants, reserved before a call, settled after it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from handlers.domain.money import NanoUsd, usd
from handlers.errors import BudgetSpentError, StoppedError
from handlers.pipeline.calls.spending_rate import SpendingRate
from handlers.pipeline.pace import EMBEDDED, Pace
from handlers.ports import Clock, Drawn, Ledger

_LOOK_UP = 0.5
"""Seconds after which a waiting thread looks whether to give up; settled money wakes it sooner."""
_BUSY = 0.1, 0.4
"""Seconds at least and at most before a draw is tried again that others were faster than."""
_GROWTH = 1.7
_TIGHT = 5.0
"""Seconds after a refusal in which nothing is drawn ahead, where nobody else says that money is short."""
_HELD = (
    " (${held:.6f} of it is held for calls whose cost is unknown: `paperfleet audit --bill FILE"
    " --release-held` lets go what the provider's bill does not have)"
)
_SHORT = "the budget is short and calls of this paper are to be booked"


class BudgetLease:
    """What this job may spend. Thread-safe; only one thread at a time talks to the ledger.

    A grant is drawn for the calls of all threads that wait and for some seconds of work ahead, so that a job
    which dies leaves little more than its calls in flight to be booked as indeterminate.
    """

    def __init__(
        self, ledger: Ledger, run_id: str, job_id: str, clock: Clock, *, pace: Pace = EMBEDDED
    ) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._job_id = job_id
        self._clock = clock
        self._pace = pace
        self._changed = threading.Condition()
        self._rate = SpendingRate(clock.monotonic)
        self.jobs = 1
        """At work for the run, about."""
        self.is_said_short = False
        """What all jobs of the run heard: less is left of the budget than somebody asked for."""
        self._pool = 0
        self._seq = 0
        self._wanted = 0
        """What threads wait for, in all."""
        self._dearest = 0
        """The most that a call was reserved for."""
        self._talking = False
        """Whether a thread talks to the ledger."""
        self._dry = False
        """Whether the last draw brought nothing."""
        self._wait = pace.asks_again[0]
        self._asks_at = self._tight_until = -1.0
        """When a draw is tried again after a refusal (this process's seconds); until when nothing is drawn
        ahead (the clock's)."""
        self._unanswered_draw: tuple[int, NanoUsd] | None = None
        self._unanswered_return: tuple[int, NanoUsd] | None = None
        """Sequence number and amount of a draw, and of a return, that the ledger has not answered."""

    @property
    def is_short(self) -> bool:
        """Whether somebody waits for money that is not to be had now."""
        return self._wanted > 0 and self._dry

    @property
    def is_tight(self) -> bool:
        """Whether nothing may lie idle, for others need it."""
        return self.is_said_short or self._clock.monotonic() < self._tight_until

    def reserve(self, amount: NanoUsd, give_up: Callable[[], bool], *, patient: bool = True) -> None:
        """Set ``amount`` aside. Waits while money is outstanding elsewhere that may come back.

        BudgetSpentError if nothing can be reserved and nothing is outstanding (what is held for calls of
        unknown cost is not: it does not come back by itself). StoppedError if
        ``give_up`` says so first, or if it would have to wait and is not ``patient``: a paper that has
        calls to book must not wait, for what is not booked counts as outstanding, and all would wait for
        each other.
        """
        with self._changed:
            self._dearest = max(self._dearest, amount)
            self._wanted += amount
            try:
                while self._pool < amount:
                    self._get(amount, give_up, patient=patient)
                self._pool -= amount
            finally:
                self._wanted -= amount
            self._changed.notify()

    def _get(self, amount: NanoUsd, give_up: Callable[[], bool], *, patient: bool) -> None:
        """Draw what is missing, or wait for it a little."""
        if give_up():
            raise StoppedError("stopped while waiting for the budget")
        wait = self._asks_at - time.monotonic()
        if self._talking or wait > 0:
            if self._dry and not patient:  # its turn to draw may never come
                raise StoppedError(_SHORT)
            self._changed.wait(_LOOK_UP if self._talking else min(wait, _LOOK_UP))
            return
        with self._outside():
            word = self._draw(amount)
        if word == "spent":
            raise BudgetSpentError(self._spent(amount))
        if self._dry and not patient:
            raise StoppedError(_SHORT)

    def settle(self, reserved: NanoUsd, taken: NanoUsd) -> None:
        """Put back what a call does not take; a dearer one makes the pool negative: drawn next."""
        with self._changed:
            self._pool += reserved - taken
            self._rate.add(taken)
            self._changed.notify()

    def return_unused(self) -> None:
        """Give back what no call has reserved, so that other jobs can draw it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._talking)
            with self._outside():
                self._return_pool(0)

    def trim(self) -> None:
        """At each report: give back what is far more than the work ahead needs; all of it where money is
        short, or where asking for it again costs nothing."""
        with self._changed:
            ahead = self._rate.ahead(self.jobs) if self._pace.spare and not self.is_tight else 0
            enough = ahead * self._pace.spare + (self._dearest if ahead else 0)
        if ahead == 0 or self._pool > enough:
            self._return_down_to(ahead)

    def tidy(self) -> None:
        """Each second or two: where money is short, nothing lies idle and all is told."""
        if self.is_tight:
            self._return_down_to(0)
            with self._changed:
                if not self._talking:
                    with self._outside():
                        self._ledger.tidy_budget(self._run_id, self._job_id)

    def _return_down_to(self, keep: int) -> None:
        with self._changed:
            if not self._talking:
                with self._outside():
                    self._return_pool(keep)

    @contextmanager
    def _outside(self) -> Iterator[None]:
        """Called with the lock held; releases it while the ledger is asked."""
        self._talking = True
        self._changed.release()
        try:
            yield
        finally:
            self._changed.acquire()
            self._talking = False
            self._changed.notify()

    def _draw(self, amount: int) -> Drawn:
        """For all threads that wait and for the work ahead; else for the next call alone."""
        with self._changed:
            missing, one = max(self._wanted, amount) - self._pool, amount - self._pool
            wanted = missing + (0 if self.is_tight else self._rate.ahead(self.jobs))
        if one <= 0:
            return "drawn"  # settled meanwhile
        word = self._try(wanted)
        if word in ("short", "spent") and wanted > one:
            word = self._try(one)
        self._heed(word)
        return word

    def _heed(self, word: Drawn) -> None:
        """When to ask again, and what to do meanwhile."""
        self._dry = word in ("short", "closed")
        if word == "drawn":
            self._wait, self._asks_at = self._pace.asks_again[0], -1.0
        elif word == "busy":
            least, most = _BUSY
            self._asks_at = time.monotonic() + least + (most - least) * self._clock.random()
        else:
            self._tight_until = self._clock.monotonic() + _TIGHT
            self._asks_at = time.monotonic() + self._wait * (0.5 + self._clock.random() / 2)
            self._wait = min(self._pace.asks_again[1], self._wait * _GROWTH)
            self._return_pool(0)

    def _try(self, amount: int) -> Drawn:
        """The amount goes to the pool, or that of a request whose answer was lost. That request is repeated
        first: the ledger may have carried it out, and then nobody else knows of the money."""
        self._confirm()
        if self._unanswered_draw is None:
            self._seq += 1
            self._unanswered_draw = (self._seq, NanoUsd(amount))
        wanted = self._unanswered_draw[1]
        word = self._ledger.draw(self._run_id, self._job_id, *self._unanswered_draw)
        self._unanswered_draw = None
        if word == "drawn":
            with self._changed:
                self._pool += wanted
        return word

    def _spent(self, amount: NanoUsd) -> str:
        """Why the run is to be parked, for whoever does it: to reckon what is held takes many reads."""
        said = f"less is left of the budget than ${usd(amount):.6f}, which the next call may cost"
        if self._ledger.control(self._run_id).state != "active":
            return said
        held = self._ledger.budget_state(self._run_id).held
        return said + (_HELD.format(held=usd(held)) if held > 0 else "")

    def _return_pool(self, keep: int) -> None:
        self._confirm()
        if self._unanswered_draw is not None:
            # A later number would pass for an answer to it, and what it brought must come back as well.
            self._try(0)
        with self._changed:
            owed = max(0, -self._pool)
        if owed:
            # Calls were dearer than reserved: the difference is drawn now and not with the next call, or
            # others would spend the same money. If it cannot be drawn, the next reservation parks the run.
            self._try(owed)
        with self._changed:
            left = max(0, self._pool - keep)
            if left:
                self._pool -= left
                self._seq += 1
                self._unanswered_return = (self._seq, NanoUsd(left))
        self._confirm()

    def _confirm(self) -> None:
        """Repeat a return whose answer was lost: under the same number it changes nothing twice."""
        if self._unanswered_return is not None:
            self._ledger.give_back(self._run_id, self._job_id, *self._unanswered_return)
            self._unanswered_return = None
