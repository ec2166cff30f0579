"""Jobs and sessions in a merge, and the money that follows from them."""

from __future__ import annotations

import sqlite3

from handlers.adapters.sqlite.paper_tables import add_to_totals
from handlers.domain.call import CallTotals

_COLUMNS = (
    "session_id", "owner", "workers", "started_at", "heartbeat_at", "ended_at", "outcome", "stats", "seq",
    "held",
)  # fmt: skip
_ORDER = (
    "({0}.outcome NOT IN ('', 'killed'), {0}.heartbeat_at, {0}.seq, {0}.held, {0}.ended_at IS NOT NULL,"
    " {0}.stats)"
)
_TAKE_JOBS = (
    "INSERT INTO main.job SELECT j.* FROM src.job j WHERE j.run_id = :run"
    " ON CONFLICT (run_id, job_id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)
    + f" WHERE {_ORDER.format('excluded')} > {_ORDER.format('job')}"
)
"""A job that ended by itself goes before one declared dead; then the later heartbeat goes first."""
_SUM_UP = (
    "UPDATE main.job SET spent = 0 WHERE run_id = :run",
    "UPDATE main.job SET spent = p.cost FROM (SELECT job_id, SUM(cost + held) AS cost FROM main.part"
    " WHERE run_id = :run AND part_id NOT LIKE 'lost/%' GROUP BY job_id) p"
    " WHERE run_id = :run AND p.job_id = job.job_id",
    "UPDATE main.job SET ended_at = heartbeat_at, outcome = 'killed'"
    " WHERE run_id = :run AND ended_at IS NULL",
    "UPDATE main.job SET lost = MAX(0, held - spent) WHERE run_id = :run",
    "UPDATE main.run SET held = (SELECT COALESCE(SUM(MAX(held, spent)), 0) FROM main.job j"
    " WHERE j.run_id = run.run_id) - (SELECT COALESCE(SUM(released), 0) FROM main.part p"
    " WHERE p.run_id = run.run_id) WHERE run_id = :run",
)
_LOST = "run_id = :run AND part_id LIKE 'lost/%'"

_TAKE_SESSIONS = (
    "INSERT INTO main.session SELECT s.* FROM src.session s WHERE s.run_id = :run"
    " ON CONFLICT (session_id) DO UPDATE SET"
    " started_at = MIN(session.started_at, excluded.started_at), jobs = MAX(session.jobs, excluded.jobs),"
    " workers = MAX(session.workers, excluded.workers), started = MAX(session.started, excluded.started),"
    " max_papers = MAX(session.max_papers, excluded.max_papers),"
    " outcome = CASE WHEN (COALESCE(excluded.ended_at, 0), excluded.outcome) >"
    " (COALESCE(session.ended_at, 0), session.outcome) THEN excluded.outcome ELSE session.outcome END,"
    " ended_at = COALESCE(MAX(session.ended_at, excluded.ended_at), session.ended_at, excluded.ended_at)"
)
_CLOSE_SESSIONS = (
    "UPDATE main.session SET ended_at = MAX(COALESCE(session.ended_at, session.started_at), j.at),"
    " outcome = CASE session.outcome WHEN '' THEN 'interrupted' ELSE session.outcome END"
    " FROM (SELECT session_id, MAX(COALESCE(ended_at, 0)) AS at FROM main.job WHERE run_id = :run"
    " GROUP BY session_id) j WHERE run_id = :run AND j.session_id = session.session_id",
    "UPDATE main.session SET ended_at = started_at, outcome = 'interrupted'"
    " WHERE run_id = :run AND ended_at IS NULL",
)


def merge_jobs(db: sqlite3.Connection, run_id: str) -> None:
    """Take the later record of each job, close those left open, and book what they lost."""
    db.execute(_TAKE_JOBS, {"run": run_id})
    for statement in _SUM_UP:
        db.execute(statement, {"run": run_id})
    _book_losses(db, run_id)


def _book_losses(db: sqlite3.Connection, run_id: str) -> None:
    """What a job held and did not book is spend until somebody shows otherwise."""
    before = db.execute(f"SELECT COALESCE(SUM(cost), 0) FROM main.part WHERE {_LOST}", {"run": run_id})
    lost = -int(before.fetchone()[0])
    db.execute(f"DELETE FROM main.part WHERE {_LOST}", {"run": run_id})
    db.execute(
        "INSERT INTO main.part (run_id, part_id, job_id, at, cost, indeterminate)"
        " SELECT run_id, 'lost/' || job_id, job_id, ended_at, lost, lost FROM main.job"
        " WHERE run_id = :run AND lost > 0",
        {"run": run_id},
    )
    after = db.execute(f"SELECT COALESCE(SUM(cost), 0) FROM main.part WHERE {_LOST}", {"run": run_id})
    lost += int(after.fetchone()[0])
    add_to_totals(db, run_id, CallTotals(cost=lost, indeterminate=lost))


def merge_sessions(db: sqlite3.Connection, run_id: str) -> None:
    """A session lasts from the first start to the last end that anybody saw."""
    db.execute(_TAKE_SESSIONS, {"run": run_id})
    for statement in _CLOSE_SESSIONS:
        db.execute(statement, {"run": run_id})
