"""What a Lambda sandbox keeps from one invocation of the process handler to the next."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType

from handlers.bootstrap import wiring
from handlers.bootstrap.host import new_id, on_lambda
from handlers.bootstrap.metrics import figures, publish_invocation, publish_refused
from handlers.bootstrap.state import end_with, take_refused
from handlers.errors import UnavailableError
from handlers.pipeline.job_runner import Job

logger = logging.getLogger(__name__)

RESTED = 10.0
"""Seconds without an invocation after which an endpoint may have closed the connections."""

_CUTS = 10


@contextmanager
def invocation(time_left: Callable[[], float]) -> Iterator[Job]:
    """The job that an invocation of the process handler works for: on a machine, this process's.
    ``time_left``: the invocation's, in seconds."""
    if not on_lambda():
        yield wiring.job()
        return
    end_with(time_left)
    with _sandbox().invocation() as job:
        yield job


class Sandbox:
    """Lambda freezes a process between two invocations and may never thaw it: a job holds no money then,
    and one that rested for long is replaced, with its connections and what it knew of its runs."""

    def __init__(self) -> None:
        self._job: Job | None = None
        self._used = 0.0
        self._left: list[Job] = []
        """Jobs that have ended and are still open: the ledger was away."""

    @contextmanager
    def invocation(self) -> Iterator[Job]:
        job = self._take()
        since = job.clock.monotonic()
        before = {context.run_id: figures(context) for context in job.contexts}
        try:
            yield job
        finally:
            _rest(job)
            self._used = job.clock.now()
            wall = job.clock.monotonic() - since
            publish_refused(take_refused())
            publish_invocation(job.contexts, before, workers=job.pool.workers, wall=wall)

    def _take(self) -> Job:
        job = self._job
        if job is not None and (job.stop.draining or job.clock.now() - self._used > RESTED):
            self._job = None
            self._left.append(job)
        while self._left and _is_closed(self._left[-1]):  # the newest first: its threads end in any case
            self._left.pop()
        if self._job is None:
            self._job = wiring.new_job(new_id("job"))
            _cut_off_at_sigterm(self._job)
        return self._job


@cache
def _sandbox() -> Sandbox:
    return Sandbox()


def _rest(job: Job) -> None:
    """What is not given back now is given back with the next invocation, or at the job's end."""
    try:
        job.rest()
    except UnavailableError:
        logger.warning("the ledger does not hear that job %s rests", job.id, exc_info=True)


def _is_closed(job: Job) -> bool:
    """False where the ledger is away, which must not keep the job's successor from its message: the next
    invocation tries again, or others close the job by its age."""
    try:
        job.close(job.failure or job.stop.reason or "finished")
    except UnavailableError:
        logger.warning("job %s is left open", job.id, exc_info=True)
        return False
    return True


def _cut_off(job: Job) -> None:
    """More than once: a call may be just about to start."""
    for _ in range(_CUTS):
        job.cut_off()
        job.clock.sleep(0.05)


def _cut_off_at_sigterm(job: Job) -> None:
    """Cut the calls off while there is time to book them. Lambda warns a process that ends only where an
    extension is registered; without one a job holds no money between two invocations (``Job.rest``)."""
    if threading.current_thread() is not threading.main_thread():
        return

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        job.stop.abandon("the platform ends this job")
        threading.Thread(target=_cut_off, args=(job,), name="cut-off", daemon=True).start()

    signal.signal(signal.SIGTERM, on_signal)
