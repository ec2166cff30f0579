"""How a message goes back to the queue: whose fault it was, and how long it stays hidden.

What the environment does (an outage, a missing permission, a lease that is live) is never a message's fault.
A holder that brings a batch forward is pardoned; one that dies, or gets nothing done in all its time, is not.
"""

from __future__ import annotations

import logging

from handlers.domain.batch import BatchMessage, QueueMessage
from handlers.domain.ledger import Attempt
from handlers.errors import (
    BadMessageError,
    DamagedObjectError,
    EarlierLayoutError,
    PaperfleetError,
    UnknownRunError,
)
from handlers.pipeline.pace import Pace
from handlers.ports import Backend

logger = logging.getLogger(__name__)

_LONGEST_DELAY = 900.0
"""Seconds: no queue delays a message for longer."""
_FIRST_DELAY = 30.0
"""Seconds before an outage is asked after, the first time."""
_DOUBLINGS = 12
_JITTER = 10.0
"""Seconds by which messages that wait for the same end come back apart."""


class Returns:
    """``most``: attempts after which a message is a dead letter."""

    def __init__(self, backend: Backend, pace: Pace, most: int) -> None:
        self._ledger = backend.ledger
        self._queue = backend.queue
        self._clock = backend.clock
        self._pace = pace
        self._most = most

    def attempt(self, message: BatchMessage, delivery: QueueMessage) -> Attempt:
        """What a lease is asked with."""
        return Attempt(f"{message.generation}/{delivery.id}", self._most)

    def unavailable(self, delivery: QueueMessage, error: Exception) -> bool:
        """The ledger, the queue or the store did not do it: most likely they will, in a while."""
        delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** min(delivery.receives, _DOUBLINGS))
        self._unblamed(delivery, delay, str(error)[:500])
        return False

    def blamed(self, delivery: QueueMessage, error: Exception, *, leased: bool) -> bool:
        """Something is wrong with the message, or with us. Its attempts tell how often; those of one that
        never came to a lease are its receives. True if it has served its purpose."""
        reason = f"{type(error).__name__}: {error}"[:500]
        if not leased and delivery.receives >= self._most:
            self._queue.bury(delivery, reason)
            return True
        slow = isinstance(error, PaperfleetError) and not isinstance(error, _ITS_OWN)
        first, longest = (_FIRST_DELAY, _LONGEST_DELAY) if slow else (0.25, 30.0)
        delay = min(longest, first * 2 ** min(delivery.receives, _DOUBLINGS))
        self._queue.release(delivery.receipt, delay=delay, reason=reason, body=delivery.body)
        return False

    def refused(self, message: BatchMessage, delivery: QueueMessage, *, grace: float = 0.0) -> bool:
        """The batch could not be leased. True if the message has served its purpose. ``grace``: seconds for
        which a lease that ran out is left to its holder."""
        run_id, batch_id, now = message.run_id, message.batch_id, self._clock.now()
        if self._ledger.finish_batch(run_id, batch_id, now=now):
            return True
        state = self._ledger.lease_state(run_id, batch_id)
        if state is None:
            return self.blamed(
                delivery, BadMessageError(f"run {run_id} has no batch {batch_id}"), leased=False
            )
        if state.lease_until > now:
            if self._is_double(state.message, message, delivery):
                logger.info("batch %s: another message of it is being worked on", batch_id)
                return True
            delay = min(state.lease_until - now, self._pace.longest_return)
            self._unblamed(delivery, delay + _JITTER * self._clock.random(), "leased by another job")
            return False
        if grace and state.lease_until:
            self._unblamed(delivery, grace + _JITTER * self._clock.random(), "its holder may be back at once")
            return False
        if state.attempts >= self._most:
            if not self._is_double(state.message, message, delivery):  # of several messages one is buried
                self._queue.bury(delivery, "")
            return True
        self._unblamed(delivery, self._pace.first_return, "its lease ended just now")
        return False

    def _is_double(self, holder: str, message: BatchMessage, delivery: QueueMessage) -> bool:
        """Of another generation it is no double: a retry emitted it while the one before was worked on."""
        generation, _, name = holder.partition("/")
        return generation == str(message.generation) and name != delivery.id

    def unfinished(
        self, message: BatchMessage, delivery: QueueMessage, reason: str, *, pardoned: bool, short: bool
    ) -> None:
        """Some of its papers are still pending. ``short`` of money: nothing is to be had at once."""
        delay = 0.0 if pardoned else self._pace.first_return
        if short:
            state = self._ledger.lease_state(message.run_id, message.batch_id)
            doublings = min(state.pardons, _DOUBLINGS) if state is not None else 0
            delay = min(self._pace.longest_return, self._pace.first_return * 2**doublings)
        if pardoned:
            self._unblamed(delivery, delay, reason)
        else:
            self._queue.release(delivery.receipt, delay=delay, reason=reason, body=delivery.body)

    def _unblamed(self, delivery: QueueMessage, delay: float, reason: str) -> None:
        self._queue.release(delivery.receipt, delay=delay, reason=reason, blame=False, body=delivery.body)


_ITS_OWN = (BadMessageError, DamagedObjectError, EarlierLayoutError, UnknownRunError)
"""What no delivery mends, unless somebody does something meanwhile."""
