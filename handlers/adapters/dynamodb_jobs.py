"""Jobs, the sessions they belong to, and what they take from the budget."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict

from handlers.adapters.dynamodb_budget import Budgets
from handlers.adapters.dynamodb_table import Table, run_key
from handlers.adapters.dynamodb_tally import Tallies
from handlers.adapters.dynamodb_values import Item
from handlers.records import BudgetState, JobRecord, JobStats, SessionRecord

_KEPT = 90 * 86400
"""Seconds after its last heartbeat that a job's item may be dropped; its sums stay in its tally."""


class JobItems:
    _table: Table
    _tallies: Tallies
    _budgets: Budgets

    def set_budget(self, run_id: str, budget: int | None, *, at: float | None = None) -> None:
        del at  # one table for all jobs: nothing is merged
        self._budgets.set(run_id, budget)

    def draw(self, run_id: str, job_id: str, seq: int, amount: int) -> bool:
        return self._budgets.draw(run_id, job_id, seq, amount)

    def give_back(self, run_id: str, job_id: str, seq: int, amount: int) -> None:
        self._budgets.give_back(run_id, job_id, seq, amount)

    def budget_state(self, run_id: str) -> BudgetState:
        return self._budgets.state(run_id, self._tallies)

    def open_session(self, session: SessionRecord) -> None:
        self._table.put_new(
            {
                "pk": f"SESSION#{session.session_id}",
                "sk": "SESSION",
                "session_id": session.session_id,
                "run_id": session.run_id,
                "jobs": session.jobs,
                "workers": session.workers,
                "started_at": session.started_at,
                "max_papers": session.limit,
                "started": 0,
            }
        )
        self._table.put_new({"pk": run_key(session.run_id), "sk": f"SESSION#{session.session_id}"})

    def close_session(self, session_id: str, *, at: float, outcome: str) -> None:
        self._table.update(
            f"SESSION#{session_id}",
            "SESSION",
            values={"ended_at": at, "outcome": outcome},
            condition="attribute_exists(pk) AND attribute_not_exists(#ended_at)",
        )

    def take_start(self, session_id: str) -> bool:
        mark, key = secrets.token_hex(8), f"SESSION#{session_id}"
        taken = self._table.update(
            key,
            "SESSION",
            values={"mark": mark},
            plus={"started": 1},
            condition="attribute_exists(pk) AND (attribute_not_exists(#max_papers) OR #started < #max_papers)"
            " AND (attribute_not_exists(#mark) OR #mark <> :mark)",
            arguments={"mark": mark},
        )
        if taken is not None:
            return True
        return (self._table.get(key, "SESSION") or {}).get("mark") == mark

    def start_job(self, job: JobRecord) -> None:
        self._table.put_new(
            {
                "pk": run_key(job.run_id),
                "sk": f"JOB#{job.job_id}",
                "job_id": job.job_id,
                "session_id": job.session_id,
                "owner": job.owner,
                "workers": job.workers,
                "started_at": job.started_at,
                "heartbeat_at": job.heartbeat_at,
                "stats": json.dumps(asdict(JobStats())),
                "ttl": int(job.heartbeat_at) + _KEPT,
            }
        )

    def beat(self, run_id: str, job_id: str, *, at: float, stats: JobStats) -> None:
        self._table.update(
            run_key(run_id),
            f"JOB#{job_id}",
            values={"heartbeat_at": at, "stats": json.dumps(asdict(stats)), "ttl": int(at) + _KEPT},
            condition="attribute_exists(pk)",
        )

    def end_job(self, run_id: str, job_id: str, *, at: float, outcome: str, stats: JobStats | None) -> int:
        """Each step can be repeated after a crash; the job counts as open until the last is done."""
        where = (run_key(run_id), f"JOB#{job_id}")
        job = self._table.get(*where)
        if job is None or "ended_at" in job:
            return 0
        held = int(self._budgets.item(run_id).get(f"h:{job_id}", 0))
        clean = stats is not None and held == self._tallies.of(run_id, job_id).calls.cost
        self._budgets.close(run_id, job_id, self._tallies.close(run_id, job_id, exact=not clean).calls.cost)
        tally = self._tallies.of(run_id, job_id)
        self._budgets.book_overrun(run_id, job_id, tally.calls.cost)  # of a part booked meanwhile
        self._table.update(
            *where,
            values={"ended_at": at, "outcome": outcome}
            | ({} if stats is None else {"stats": json.dumps(asdict(stats))}),
            condition="attribute_not_exists(#ended_at)",
        )
        return self._budgets.lost(run_id, {job_id: tally}).get(job_id, 0)

    def jobs(self, run_id: str) -> list[JobRecord]:
        items = list(self._table.query(run_key(run_id), "JOB#"))
        lost = self._budgets.lost(run_id, self._tallies.all(run_id)) if items else {}
        jobs = [_job(run_id, item, lost.get(item["job_id"], 0)) for item in items]
        return sorted(jobs, key=lambda job: (job.started_at, job.job_id))

    def sessions(self, run_id: str) -> list[SessionRecord]:
        found = self._table.query(run_key(run_id), "SESSION#")
        keys = [(str(item["sk"]), "SESSION") for item in found]
        sessions = [_session(item) for item in self._table.get_many(keys).values()]
        return sorted(sessions, key=lambda session: (session.started_at, session.session_id))


def _job(run_id: str, item: Item, lost: int) -> JobRecord:
    stats = json.loads(item["stats"])
    stats["latency"] = {int(bucket): n for bucket, n in stats.get("latency", {}).items()}
    return JobRecord(
        item["job_id"],
        run_id,
        item["session_id"],
        item["owner"],
        item["workers"],
        float(item["started_at"]),
        float(item["heartbeat_at"]),
        float(item["ended_at"]) if "ended_at" in item else None,
        item.get("outcome", ""),
        JobStats(**stats),
        lost,
    )


def _session(item: Item) -> SessionRecord:
    return SessionRecord(
        item["session_id"],
        item["run_id"],
        item["jobs"],
        item["workers"],
        float(item["started_at"]),
        float(item["ended_at"]) if "ended_at" in item else None,
        item.get("outcome", ""),
        item.get("max_papers"),
        item["started"],
    )
