"""A job's purse: small grants from the fleet's budget, reserved before a call and settled after it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from handlers.errors import BudgetSpentError, StoppedError
from handlers.ports import Ledger

_POLL = 0.1
"""Seconds between two looks at a budget that others hold."""


class Purse:
    """nano-USD that this job may spend. Thread-safe; only one thread at a time talks to the ledger.

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

    def reserve(self, amount: int, give_up: Callable[[], bool]) -> None:
        """Set ``amount`` aside. Waits while money is outstanding elsewhere that may come back.

        BudgetSpentError if nothing can be reserved and nothing is outstanding; StoppedError if
        ``give_up`` says so first.
        """
        with self._changed:
            while True:
                if self._pool >= amount:
                    self._pool -= amount
                    return
                if give_up():
                    raise StoppedError("stopped while waiting for the budget")
                if self._drawing:
                    self._changed.wait(_POLL)
                    continue
                self._draw_unlocked(amount - self._pool, amount)

    def settle(self, reserved: int, cost: int) -> None:
        """Put back what a call did not cost (a dearer one makes the pool negative: drawn next)."""
        with self._changed:
            self._pool += reserved - cost
            self._changed.notify_all()

    def trim(self) -> None:
        """Give back what lies idle, so that other jobs can have it."""
        with self._changed:
            if self._drawing or self._pool <= 0:
                return
            amount, self._pool = self._pool, 0
            self._seq += 1
            self._ledger.give_back(self._run_id, self._job_id, self._seq, amount)

    def _draw_unlocked(self, missing: int, amount: int) -> None:
        """Called with the lock held; releases it while the ledger is asked."""
        self._drawing = True
        self._changed.release()
        try:
            drawn = self._try(missing + self._ahead * amount) or self._try(missing)
            spent = not drawn and self._is_spent(missing)
        finally:
            self._changed.acquire()
            self._drawing = False
            self._changed.notify_all()
        if drawn:
            self._pool += drawn
        elif spent:
            raise BudgetSpentError("the budget's remainder is smaller than one call's reservation")
        else:
            self._return_pool()
            self._changed.wait(_POLL)

    def _try(self, amount: int) -> int:
        self._seq += 1
        return amount if self._ledger.draw(self._run_id, self._job_id, self._seq, amount) else 0

    def _is_spent(self, missing: int) -> bool:
        """True when even all that is held, once settled, leaves less than is missing."""
        state = self._ledger.budget_state(self._run_id)
        if state.budget is None or state.budget - state.held >= missing:
            return False
        return state.held <= state.spend

    def _return_pool(self) -> None:
        if self._pool > 0:
            self._seq += 1
            self._ledger.give_back(self._run_id, self._job_id, self._seq, self._pool)
            self._pool = 0
