"""A paper's first call: counted once, whoever makes it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from handlers.errors import BudgetSpentError, StoppedError
from handlers.pipeline.context import RunContext

logger = logging.getLogger(__name__)


class PaperStart:
    """Counts a paper against the session's limit by its first call, whichever of its passages makes that."""

    def __init__(self, context: RunContext, *, made: bool) -> None:
        """``made``: an interrupted attempt has calls."""
        self._context = context
        self._made = made
        self._lock = threading.Lock()

    def make(self) -> None:
        """Before each call. StoppedError if it may not be made."""
        if self._context.give_up():
            raise StoppedError(self._context.why())
        if not self._made:
            with self._lock:
                self._made = self._made or self._count()

    def _count(self) -> bool:
        context, job = self._context, self._context.job
        if job.stop.closed:
            raise StoppedError(context.why())
        with pending_without_ledger():
            may_start = not job.limited or job.backend.ledger.take_start(job.session_id)
        if not may_start:
            job.stop.close("limit")
            raise StoppedError("limit")
        return True


@contextmanager
def pending_without_ledger() -> Iterator[None]:
    """An error of the ledger is not the paper's: StoppedError, and it stays pending."""
    try:
        yield
    except (BudgetSpentError, StoppedError):
        raise
    except Exception as error:
        logger.warning("the ledger cannot be used", exc_info=True)
        raise StoppedError(f"the ledger cannot be used: {error}") from error
