"""A job's part of the fleet's budget: drawn in small grants, reserved before a call, settled after it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from handlers.domain.ledger import BudgetState
from handlers.domain.money import NanoUsd, usd
from handlers.errors import BudgetSpentError, StoppedError
from handlers.ports import Ledger

_POLL = 0.1
"""Seconds between two looks at a budget that other jobs have drawn."""
_LOOK_UP = 0.5
"""Seconds after which a waiting thread looks whether to give up; settled money wakes it sooner."""
_HELD = (
    " (${held:.6f} of it is held for calls whose cost is unknown: `paperfleet audit --bill FILE"
    " --release-held` lets go what the provider's bill does not have)"
)
_SHORT = "the budget is short and calls of this paper are to be booked"


class BudgetLease:
    """What this job may spend. Thread-safe; only one thread at a time talks to the ledger.

    A grant is drawn for the calls at hand and for ``ahead`` more of the same size, so that a job
    which dies leaves little more than its calls in flight to be booked as indeterminate.
    """

    def __init__(self, ledger: Ledger, run_id: str, job_id: str, *, ahead: int = 4) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._job_id = job_id
        self._ahead = ahead
        self._changed = threading.Condition()
        self._pool = 0
        self._seq = 0
        self._drawing = False
        self._dry = False
        """Whether the last draw brought nothing."""
        self._unanswered_draw: tuple[int, NanoUsd] | None = None
        self._unanswered_return: tuple[int, NanoUsd] | None = None
        """Sequence number and amount of a draw, and of a return, that the ledger has not answered."""

    @property
    def is_short(self) -> bool:
        """Whether somebody waits for money that is not to be had now."""
        return self._drawing and self._dry

    def reserve(self, amount: NanoUsd, give_up: Callable[[], bool], *, patient: bool = True) -> None:
        """Set ``amount`` aside. Waits while money is outstanding elsewhere that may come back.

        BudgetSpentError if nothing can be reserved and nothing is outstanding (what is held for calls of
        unknown cost is not: it does not come back by itself). StoppedError if
        ``give_up`` says so first, or if it would have to wait and is not ``patient``: a paper that has
        calls to book must not wait, for what is not booked counts as outstanding, and all would wait for
        each other.
        """
        with self._changed:
            while self._pool < amount:
                if give_up():
                    raise StoppedError("stopped while waiting for the budget")
                if self._drawing:
                    if self._dry and not patient:  # its turn to draw may never come
                        raise StoppedError(_SHORT)
                    self._changed.wait(_LOOK_UP)
                    continue
                self._drawing = True
                try:
                    drawn = self._draw_unlocked(amount - self._pool, amount)
                    if not drawn and not patient:
                        raise StoppedError(_SHORT)
                    if not drawn:
                        self._changed.wait(_POLL)
                finally:
                    self._drawing = False
                    self._changed.notify()
            self._pool -= amount
            self._changed.notify()

    def settle(self, reserved: NanoUsd, taken: NanoUsd) -> None:
        """Put back what a call does not take; a dearer one makes the pool negative: drawn next."""
        with self._changed:
            self._pool += reserved - taken
            self._changed.notify()

    def return_unused(self) -> None:
        """Give back what no call has reserved, so that other jobs can draw it."""
        with self._changed:
            if not self._drawing:
                self._return_pool()

    def _draw_unlocked(self, missing: int, amount: NanoUsd) -> bool:
        """Called with the lock held; releases it while the ledger is asked. False: nothing to be had now."""
        self._changed.release()
        try:
            drawn = self._try(missing + self._ahead * amount) or self._try(missing)
            spent = None if drawn else self._spent(missing)
        finally:
            self._changed.acquire()
        self._pool += drawn
        self._dry = not drawn
        if spent is not None:
            raise BudgetSpentError(
                f"less is left of the budget than ${usd(amount):.6f}, which the next call may cost"
                + (_HELD.format(held=usd(spent.held)) if spent.held > 0 else "")
            )
        if not drawn:
            self._return_pool()
        return drawn > 0

    def _try(self, amount: int) -> int:
        """What was drawn: ``amount``, nothing, or the amount of a request whose answer was lost. That request
        is repeated first: the ledger may have carried it out, and then nobody else knows of the money."""
        self._confirm()
        if self._unanswered_draw is None:
            self._seq += 1
            self._unanswered_draw = (self._seq, NanoUsd(amount))
        wanted = self._unanswered_draw[1]
        drawn = self._ledger.draw(self._run_id, self._job_id, *self._unanswered_draw)
        self._unanswered_draw = None
        return wanted if drawn else 0

    def _spent(self, missing: int) -> BudgetState | None:
        """The budget's state when less is left than is missing, and nothing that is drawn may come back."""
        state = self._ledger.budget_state(self._run_id)
        if state.budget is None or state.budget - state.drawn >= missing:
            return None
        return state if state.drawn <= state.spend + state.held else None

    def _return_pool(self) -> None:
        self._confirm()
        if self._pool < 0:
            self._draw_debt()
        if (
            self._pool > 0 and self._unanswered_draw is None
        ):  # a later number would pass for an answer to that draw
            self._seq += 1
            self._unanswered_return, self._pool = (self._seq, NanoUsd(self._pool)), 0
            self._confirm()

    def _draw_debt(self) -> None:
        """Calls were dearer than reserved: the difference is drawn now and not with the next call, or other
        jobs would spend the same money. If it cannot be drawn, the next reservation parks the run."""
        self._pool += self._try(-self._pool)

    def _confirm(self) -> None:
        """Repeat a return whose answer was lost: under the same number it changes nothing twice."""
        if self._unanswered_return is not None:
            self._ledger.give_back(self._run_id, self._job_id, *self._unanswered_return)
            self._unanswered_return = None
