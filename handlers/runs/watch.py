"""Runs without a parent process: the schedule reports them, closes dead jobs and sends lost batches again."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from handlers.domain.job import LEASE_TTL
from handlers.domain.run_report import RunReport
from handlers.ports import Backend
from handlers.runs.control import dead_batches
from handlers.runs.submit import queue_entry
from handlers.runs.summarise import summarise
from handlers.state_paths import run_key

DEAD_AFTER = 2 * LEASE_TTL
"""Seconds without a heartbeat after which a job's grant is booked: its calls have long been cut off."""


def watch(backend: Backend) -> list[RunReport]:
    """Report every run that is open, or has ended since the last look; each report is kept under
    ``runs/<run>/reports/`` and returned."""
    reports = []
    for run_id in backend.ledger.run_ids():
        close_dead_jobs(backend, run_id)
        report = summarise(backend, run_id, is_alive=lambda _owner: True)
        if store_report(backend, report):
            reports.append(report)
            send_lost_batches(backend, report)
    return reports


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


def store_report(backend: Backend, report: RunReport) -> bool:
    """Store a report; False if it is the last one of an ended run and lies there already."""
    open_at = datetime.fromtimestamp(backend.clock.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
    ended = report.state in ("finished", "cancelled")
    name = f"{report.state}-{report.counts['pending']}-{report.calls.sent}" if ended else open_at
    key = run_key(report.run_id, "reports", f"{name}.json")
    if ended and backend.store.exists(key):
        return False
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        path.write_text(report.model_dump_json(indent=2), encoding="utf-8")
        backend.store.put_file(key, path)
    return True
