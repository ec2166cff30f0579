"""Runs without a parent process: the schedule reports them, closes dead jobs and sends lost batches again."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from handlers.domain.job import LEASE_TTL
from handlers.domain.run import OpenRun
from handlers.domain.run_report import RunReport
from handlers.errors import EarlierLayoutError
from handlers.ports import Backend
from handlers.runs.control import dead_batches
from handlers.runs.submit import queue_entry
from handlers.runs.summarise import summarise
from handlers.state_paths import run_key

logger = logging.getLogger(__name__)

_REST = 3600.0
"""Seconds between two looks at a run that somebody stopped."""
_LAST_LOOK = 30.0
"""Seconds that a look may take."""
DEAD_AFTER = 2 * LEASE_TTL
"""Seconds without a heartbeat after which a job's grant is booked: its calls have long been cut off."""


def watch(backend: Backend, *, time_left: Callable[[], float] = lambda: math.inf) -> list[RunReport]:
    """Report the runs that are open, the newest first, and once more those that have ended; each report is
    kept under ``runs/<run>/reports/`` and returned.

    A run that somebody stopped is looked at once an hour. It ends in time: ``time_left`` is in seconds.
    """
    reports = []
    for run in backend.ledger.open_runs():
        if time_left() < _LAST_LOOK:
            logger.warning("no time to look at the runs from %s on: the next look does", run.run_id)
            break
        try:
            report = _look(backend, run)
        except EarlierLayoutError as error:
            logger.warning("%s", error)
            backend.ledger.close_run(run)
            continue
        if report is not None:
            reports.append(report)
    return reports


def _look(backend: Backend, run: OpenRun) -> RunReport | None:
    """None if there is nothing new."""
    ledger, now = backend.ledger, backend.clock.now()
    stopped = ledger.control(run.run_id).state in ("parked", "paused")
    if stopped and now - run.looked_at < _REST:
        return None
    close_dead_jobs(backend, run.run_id)
    ledger.recount_jobs(run.run_id)
    report = summarise(backend, run.run_id, is_alive=lambda _owner: True)
    is_new = store_report(backend, report, stopped=stopped)
    if is_new:
        send_lost_batches(backend, report)
    if stopped:
        ledger.looked_at(run, at=now)
    elif not is_new and all(job.ended_at is not None for job in ledger.jobs(run.run_id)):
        ledger.close_run(run)  # it has ended, and nobody could book anything any more
    return report if is_new else None


def close_dead_jobs(backend: Backend, run_id: str) -> None:
    """Close jobs without a recent heartbeat and book what they held; a late result takes that back."""
    now = backend.clock.now()
    for job in backend.ledger.jobs(run_id):
        if job.ended_at is None and now - job.heartbeat_at > DEAD_AFTER:
            backend.ledger.end_job(run_id, job.job_id, at=now, outcome="killed", stats=None)


def send_lost_batches(backend: Backend, report: RunReport) -> int:
    """Emit again what is unfinished while no message is anywhere and no job works; returns how many.

    A message deleted under a pause that was lifted in the same seconds is such a loss. Batches among the
    dead letters stay there, for somebody has to mend the reason; other runs' dead letters hold up nothing.
    """
    waiting, run_id = report.queue, report.run_id
    if waiting is None or waiting.visible or waiting.in_flight:
        return 0
    if report.state != "paused" or backend.ledger.control(run_id).state != "active":
        return 0
    dead = dead_batches(backend.queue, run_id) if waiting.dead else frozenset()
    unfinished = backend.ledger.unfinished_batches(run_id)
    return backend.queue.send(queue_entry(batch) for batch in unfinished if batch.batch_id not in dead)


def store_report(backend: Backend, report: RunReport, *, stopped: bool = False) -> bool:
    """Store a report; False if it says of an ended or stopped run what one that lies there says already."""
    open_at = datetime.fromtimestamp(backend.clock.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
    rests = stopped or report.state in ("finished", "cancelled")
    name = f"{report.state}-{report.counts['pending']}-{report.calls.sent}" if rests else open_at
    key = run_key(report.run_id, "reports", f"{name}.json")
    if rests and backend.store.exists(key):
        return False
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        path.write_text(report.model_dump_json(indent=2), encoding="utf-8")
        backend.store.put_file(key, path)
    return True
