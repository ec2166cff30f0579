"""A leased batch while its papers are with workers and committer."""

from __future__ import annotations

import threading

from handlers.domain.batch import BatchMessage
from handlers.domain.result import PartLine
from handlers.pipeline.committer import Committer, FinishedPaper
from handlers.pipeline.context import RunContext
from handlers.pipeline.heartbeat import BatchLease


class OpenBatch:
    """Counts what is at work for it: its papers, and the lines on their way to the ledger."""

    def __init__(
        self, context: RunContext, message: BatchMessage, lease: BatchLease, committer: Committer
    ) -> None:
        self.context = context
        self.message = message
        self.lease = lease
        self._committer = committer
        self._at_work = 0
        self._changed = threading.Condition()

    def more(self, papers: int = 1) -> None:
        """So many papers go to workers or committer."""
        with self._changed:
            self._at_work += papers

    def paper_done(self) -> None:
        """A paper is committed, or stays pending: nobody works on it any more."""
        with self._changed:
            self._at_work -= 1
            if self._at_work <= 0:
                self._changed.notify_all()

    def finish(self, line: PartLine, weight: int) -> None:
        """A paper's last line: the paper is done once it is committed."""
        self._committer.add(FinishedPaper(line, self.lease.epoch, weight, self.paper_done))

    def put(self, line: PartLine, weight: int) -> None:
        """A line of a paper that goes on."""
        self.more()
        self.finish(line, weight)

    def wait(self) -> None:
        """Until every paper is done."""
        with self._changed:
            while self._at_work > 0:
                self._changed.wait()
