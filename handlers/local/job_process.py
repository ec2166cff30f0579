"""A local job: one process that feeds the process handler from the queue."""

from __future__ import annotations

import gc
import math
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from handlers import process
from handlers.bootstrap import log, wiring
from handlers.bootstrap.host import SIGNALS, set_environment
from handlers.local.event_source import IDLE, EventSource
from handlers.pipeline.job_runner import Job
from handlers.ports import Ledger

logger = log.logger()

_COLLECTED_EVERY = 10_000
"""New objects: a paper makes thousands, hardly any of them in cycles. Collecting at every 700th, as is usual,
takes 4% of a job's CPU."""
FAILED = 5
"""Exit code of a job that could not keep its results."""
_COUNTED_EVERY = 10.0
"""Seconds between two counts of a run's papers by those who wait for its end."""


def job_main(environment: dict[str, str], log: Path, parent: int) -> None:
    """The whole life of a job's process. ``parent`` is a pipe's end that closes when the parent dies."""
    early: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: early.append(number))
    for number in SIGNALS - {signal.SIGTERM}:
        signal.signal(number, signal.SIG_IGN)  # they reach the whole group; the parent decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    _redirect(log)
    set_environment(environment)
    gc.set_threshold(_COLLECTED_EVERY)
    job = wiring.job()
    signal.signal(signal.SIGTERM, _on_signal(job))
    if early:  # while it was being wired
        job.stop.drain("interrupted")
    threading.Thread(target=_watch, args=(parent, job), name="parent", daemon=True).start()
    try:
        sys.exit(work(job))
    except (sqlite3.Error, OSError):
        # A full disk, as a rule: another job would fare no better.
        logger.exception("ledger, queue or store cannot be used")
        os._exit(FAILED)


def work(job: Job) -> int:
    """Take batches until the queue is empty or the job drains; returns the exit code."""
    settings = wiring.own_settings()
    source = EventSource(
        job,
        process.handler,
        ends_at=settings.ends_at or math.inf,
        idle=IDLE[settings.backend],
        settled=lambda: _settled(job.ledger, settings.run_id, now=job.clock.now()),
    )
    source.run()
    job.close(job.failure or job.stop.reason or "finished", patient=True)
    return FAILED if job.failure else 0


def _settled(ledger: Ledger, run_id: str, *, now: float) -> bool:
    """Whether the run is at its end, or nobody may go on with it. Of the jobs that wait for the last messages
    one reads the whole run at a time."""
    if ledger.control(run_id).state != "active":
        return True
    return (
        ledger.counts_now(run_id, at=now, every=_COUNTED_EVERY)
        and not ledger.totals(run_id).counts["pending"]
    )


def _on_signal(job: Job) -> Callable[[int, FrameType | None], None]:
    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if job.stop.draining:
            job.stop.abandon("interrupted")
        else:
            job.stop.drain("interrupted")

    return on_signal


def _watch(parent: int, job: Job) -> None:
    """Without a parent nobody would free this job's leases or restart it: cut off, commit and end."""
    os.read(parent, 1)
    job.stop.abandon("the parent process died")


def _redirect(log: Path) -> None:
    """Logs go to a file of the job's own; the terminal is the progress display's."""
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
