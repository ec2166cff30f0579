"""A leased batch while its papers are with workers and committer."""

from __future__ import annotations

import math
import threading

from handlers.domain.batch import BatchMessage
from handlers.domain.paper import TERMINAL
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
        self.progress = False
        """Whether a paper ended or a call was answered under this lease."""
        context.short_of_money = False
        self._at_work = 0
        self._changed = threading.Condition()

    def more(self, papers: int = 1) -> None:
        """So many papers go to workers or committer."""
        with self._changed:
            self._at_work += papers
        self._committer.expect(papers)

    def paper_done(self) -> None:
        """A paper stays pending: nobody works on it any more."""
        self._committer.expect(-1)
        self._done()

    def _done(self) -> None:
        with self._changed:
            self._at_work -= 1
            if self._at_work <= 0:
                self._changed.notify_all()

    def finish(self, line: PartLine, weight: int) -> None:
        """A paper's last line: the paper is done once it is committed."""
        if line.status in TERMINAL or any(call.outcome == "ok" for call in line.calls):
            self.progress = True
        self._committer.add(FinishedPaper(line, self.lease.epoch, weight, self._done))

    def put(self, line: PartLine, weight: int) -> None:
        """A line of a paper that goes on."""
        self.more()
        self.finish(line, weight)

    def wait(self) -> None:
        """Until every paper is done."""
        with self._changed:
            while self._at_work > 0:
                self._changed.wait()

    @property
    def short(self) -> bool:
        """Whether money was short for one of the run's calls since it was opened."""
        return self.context.short_of_money

    @property
    def pardoned(self) -> bool:
        """Whether its attempt is no failed one: it came forward, or no call was due."""
        job = self.context.job
        no_call_due = job.stop.draining or self.context.control.state != "active" or self.short
        return self.progress or no_call_due or job.backend.ledger.away_for() > 0

    @property
    def why_unfinished(self) -> str:
        job = self.context.job
        if job.stop.reason:
            return job.stop.reason
        if not self.context.out_of_time:
            return "some papers are still pending"
        seconds, invocation = job.call_timeout, job.deadline.invocation
        if self.progress or not invocation < math.inf:
            return "deadline"
        return f"no call of {seconds:g} s was answered in a function of {invocation:.0f} s"
