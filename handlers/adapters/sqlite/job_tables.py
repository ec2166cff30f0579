"""Jobs and the sessions they belong to."""

from __future__ import annotations

import json
import sqlite3

from handlers.adapters.sqlite.database import Database
from handlers.adapters.sqlite.paper_tables import book_part
from handlers.domain.call import CallTotals
from handlers.domain.job import JobRecord, JobStats
from handlers.domain.money import NanoUsd
from handlers.domain.run import SessionRecord


class JobTables:
    _db: Database

    def open_session(self, session: SessionRecord) -> None:
        with self._db.write() as db:
            db.execute(
                "INSERT OR IGNORE INTO session (session_id, run_id, jobs, workers, started_at, max_papers)"
                " VALUES (?,?,?,?,?,?)",
                (
                    session.session_id,
                    session.run_id,
                    session.jobs,
                    session.workers,
                    session.started_at,
                    session.limit,
                ),
            )

    def close_session(self, session_id: str, *, at: float, outcome: str) -> None:
        with self._db.write(durable=True) as db:
            db.execute(
                "UPDATE session SET ended_at = ?, outcome = ? WHERE session_id = ? AND ended_at IS NULL",
                (at, outcome, session_id),
            )

    def take_start(self, session_id: str) -> bool:
        with self._db.write() as db:
            update = db.execute(
                "UPDATE session SET started = started + 1"
                " WHERE session_id = ? AND (max_papers IS NULL OR started < max_papers)",
                (session_id,),
            )
            return update.rowcount == 1

    def start_job(self, job: JobRecord) -> None:
        with self._db.write() as db:
            db.execute(
                "INSERT OR IGNORE INTO job (job_id, run_id, session_id, owner, workers, started_at,"
                " heartbeat_at)"
                " VALUES (?,?,?,?,?,?,?)",
                (
                    job.job_id,
                    job.run_id,
                    job.session_id,
                    job.owner,
                    job.workers,
                    job.started_at,
                    job.heartbeat_at,
                ),
            )

    def beat(self, run_id: str, job_id: str, *, at: float, stats: JobStats) -> bool:
        with self._db.write() as db:
            update = db.execute(
                "UPDATE job SET heartbeat_at = ?, stats = ? WHERE job_id = ? AND run_id = ?"
                " AND ended_at IS NULL",
                (at, json.dumps(vars(stats)), job_id, run_id),
            )
            return update.rowcount == 1

    def live_jobs(self, run_id: str, job_id: str | None, *, since: float) -> list[JobStats]:
        del job_id  # all jobs of a machine are next to each other
        rows = self._db.rows(
            "SELECT stats FROM job WHERE run_id = ? AND ended_at IS NULL AND heartbeat_at > ?",
            (run_id, since),
        )
        return [JobStats.parse(stats) for (stats,) in rows]

    def jobs_at_work(self, run_id: str) -> int:
        del run_id  # each job hears of all others
        return 0

    def recount_jobs(self, run_id: str) -> None:
        """Nothing is counted apart."""

    def most_overrun(self, run_id: str) -> int:
        return self._most(run_id, "overrun")

    def most_room(self, run_id: str) -> int:
        return self._most(run_id, "room")

    def _most(self, run_id: str, name: str) -> int:
        """The largest of a number in the jobs' stats; those of an earlier release may lack it."""
        ((most,),) = self._db.rows(
            "SELECT MAX(json_extract(stats, ?)) FROM job WHERE run_id = ?", (f"$.{name}", run_id)
        )
        return int(most or 0)

    def end_job(
        self, run_id: str, job_id: str, *, at: float, outcome: str, stats: JobStats | None
    ) -> NanoUsd:
        with self._db.write(durable=True) as db:
            job = db.execute(
                "SELECT * FROM job WHERE job_id = ? AND run_id = ? AND ended_at IS NULL", (job_id, run_id)
            ).fetchone()
            if job is None:
                return NanoUsd(0)
            lost = job["held"] - job["spent"]
            if lost > 0:
                book_part(db, run_id, f"lost/{job_id}", job_id, at, CallTotals(cost=lost, indeterminate=lost))
            elif lost < 0:  # calls dearer than their reservation: the budget is charged all the same
                db.execute("UPDATE run SET held = held - ? WHERE run_id = ?", (lost, run_id))
            db.execute(
                "UPDATE job SET ended_at = ?, outcome = ?, lost = ?, stats = COALESCE(?, stats)"
                " WHERE run_id = ? AND job_id = ?",
                (
                    at,
                    outcome,
                    max(0, lost),
                    None if stats is None else json.dumps(vars(stats)),
                    run_id,
                    job_id,
                ),
            )
            return NanoUsd(max(0, lost))

    def jobs(self, run_id: str) -> list[JobRecord]:
        rows = self._db.rows("SELECT * FROM job WHERE run_id = ? ORDER BY started_at, job_id", (run_id,))
        return [_job(row) for row in rows]

    def sessions(self, run_id: str) -> list[SessionRecord]:
        rows = self._db.rows(
            "SELECT * FROM session WHERE run_id = ? ORDER BY started_at, session_id", (run_id,)
        )
        return [
            SessionRecord(
                row["session_id"],
                row["run_id"],
                row["jobs"],
                row["workers"],
                row["started_at"],
                row["ended_at"],
                row["outcome"],
                row["max_papers"],
                row["started"],
            )
            for row in rows
        ]


def _job(row: sqlite3.Row) -> JobRecord:
    return JobRecord(
        row["job_id"],
        row["run_id"],
        row["session_id"],
        row["owner"],
        row["workers"],
        row["started_at"],
        row["heartbeat_at"],
        row["ended_at"],
        row["outcome"],
        JobStats.parse(row["stats"]),
        row["lost"],
    )
