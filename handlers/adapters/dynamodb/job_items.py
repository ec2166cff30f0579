"""Jobs, the sessions they belong to, and what they take from the budget.

The items of jobs that are not closed have partitions of their own, ``LIVE#<run>#<group>``, some thirty jobs
each: a heartbeat reads no others, however many jobs a run has and has had (on Lambda, thousands). When a job
is closed, its record goes to its totals and its item is deleted, as nothing else ever is.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict

from handlers.adapters.dynamodb.control_items import ControlItems
from handlers.adapters.dynamodb.job_totals import JobTotalsItems
from handlers.adapters.dynamodb.money.budget_items import Budgets
from handlers.adapters.dynamodb.money.job_places import JobPlaces
from handlers.adapters.dynamodb.money.money_paths import group_of
from handlers.adapters.dynamodb.table import Table, run_key
from handlers.adapters.dynamodb.values import Item, Key
from handlers.domain.job import JobRecord, JobStats
from handlers.domain.ledger import BudgetState
from handlers.domain.money import NanoUsd
from handlers.domain.run import SessionRecord
from handlers.ledger_ports import Drawn

_KEPT = 90 * 86400
"""Seconds after its last heartbeat that the item of a job which nobody closed may be dropped; its sums stay
in its totals."""

_RECORD = ("job_id", "session_id", "owner", "workers", "started_at", "heartbeat_at", "stats")
"""What is kept of a closed job, beside its end."""


def live_key(run_id: str, group: str) -> str:
    return f"LIVE#{run_id}#{group}"


class JobItems(ControlItems):
    _table: Table
    _places: JobPlaces
    _job_totals: JobTotalsItems
    _budgets: Budgets

    def set_budget(self, run_id: str, budget: int | None, *, at: float | None = None) -> None:
        del at  # one table for all jobs: nothing is merged
        if self._budgets.set(run_id, budget):
            self.say_enough(run_id)

    def draw(self, run_id: str, job_id: str, seq: int, amount: NanoUsd) -> Drawn:
        heard = self._heard.get(run_id)
        word = self._budgets.draw(run_id, job_id, seq, amount)
        if word == "short":
            self.say_short(run_id, heard)
        return word

    def tidy_budget(self, run_id: str, job_id: str) -> None:
        self._budgets.tidy(run_id, job_id)

    def give_back(self, run_id: str, job_id: str, seq: int, amount: NanoUsd) -> None:
        self._budgets.give_back(run_id, job_id, seq, amount)

    def budget_state(self, run_id: str) -> BudgetState:
        return self._budgets.state(run_id)

    def release_held(self, run_id: str, *, keep: NanoUsd = NanoUsd(0)) -> NanoUsd:
        return self._budgets.release(run_id, keep)

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
        session = self._table.update(
            key,
            "SESSION",
            values={"mark": mark},
            plus={"started": 1},
            condition="attribute_exists(pk) AND (attribute_not_exists(#max_papers) OR #started < #max_papers)"
            " AND (attribute_not_exists(#mark) OR #mark <> :mark)",
            arguments={"mark": mark},
        )
        if session is not None:
            return True
        return (self._table.get(key, "SESSION") or {}).get("mark") == mark

    def start_job(self, job: JobRecord) -> None:
        group = group_of(self._places.enter(job.run_id, job.job_id))
        self._table.put_new(
            {
                "pk": live_key(job.run_id, group),
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

    def beat(self, run_id: str, job_id: str, *, at: float, stats: JobStats) -> bool:
        where = self._live_item(run_id, job_id)
        if where is None:
            return False
        job = self._table.update(
            *where,
            values={"heartbeat_at": at, "stats": json.dumps(asdict(stats)), "ttl": int(at) + _KEPT},
            condition="attribute_exists(pk)",
        )
        self.say_learned(run_id, stats)
        return job is not None

    def _live_item(self, run_id: str, job_id: str) -> Key | None:
        """None of a job that never started."""
        path = self._places.find(run_id, job_id)
        return None if path is None else (live_key(run_id, group_of(path)), f"JOB#{job_id}")

    def live_jobs(self, run_id: str, job_id: str | None, *, since: float) -> list[JobStats]:
        if job_id is None:
            groups = self._places.groups(run_id)
        else:
            groups = [group_of(self._places.find(run_id, job_id) or "")]

        def live(group: str) -> list[JobStats]:
            items = self._table.query(
                live_key(run_id, group),
                "JOB#",
                attributes=["stats"],
                only="#heartbeat_at > :since",
                arguments={"since": since},
                consistent=False,
            )
            return [JobStats.parse(item["stats"]) for item in items]

        return [each for some in self._table.map(live, groups) for each in some]

    def jobs_at_work(self, run_id: str) -> int:
        return self._places.joins(run_id, consistent=False).live

    def recount_jobs(self, run_id: str) -> None:
        joins = self._places.joins(run_id)
        self._places.mend(run_id, joins, len(self._live_items(run_id)))

    def _live_items(self, run_id: str) -> list[Item]:
        def live(group: str) -> list[Item]:
            return list(self._table.query(live_key(run_id, group), "JOB#"))

        return [each for some in self._table.map(live, self._places.groups(run_id)) for each in some]

    def end_job(
        self, run_id: str, job_id: str, *, at: float, outcome: str, stats: JobStats | None
    ) -> NanoUsd:
        """Each step can be repeated after a crash; the job counts as open until the last is done."""
        where = self._live_item(run_id, job_id)
        job = None if where is None else self._table.get(*where)
        if where is None or job is None:
            return NanoUsd(0)
        held = self._budgets.held(run_id, job_id)
        clean = stats is not None and held == self._job_totals.of(run_id, job_id).calls.taken
        self._job_totals.close(run_id, job_id, exact=not clean)
        self._budgets.close(run_id, job_id)
        lost = self._budgets.book_overrun(run_id, job_id)  # with parts that were booked meanwhile
        last_stats = {} if stats is None else {"stats": json.dumps(asdict(stats))}
        record = {name: job[name] for name in _RECORD} | last_stats | {"ended_at": at, "outcome": outcome}
        self.say_learned(run_id, JobStats.parse(record["stats"]))
        self._job_totals.keep(run_id, job_id, json.dumps(record))
        if self._table.delete(*where, condition="attribute_exists(pk)"):
            self._places.leave(run_id, job_id)
        return lost

    def jobs(self, run_id: str) -> list[JobRecord]:
        live = self._live_items(run_id)  # first: one that ends meanwhile is in both
        items = {str(item["job_id"]): item for item in live}
        job_totals = self._job_totals.all(run_id)
        items |= {
            name: json.loads(each.record) for name, each in job_totals.items() if each.record is not None
        }
        lost = self._budgets.lost(run_id, job_totals) if items else {}
        jobs = [_job(run_id, item, lost.get(job_id, NanoUsd(0))) for job_id, item in items.items()]
        return sorted(jobs, key=lambda job: (job.started_at, job.job_id))

    def sessions(self, run_id: str) -> list[SessionRecord]:
        items = self._table.query(run_key(run_id), "SESSION#")
        keys = [(str(item["sk"]), "SESSION") for item in items]
        sessions = [_session(item) for item in self._table.get_many(keys).values()]
        return sorted(sessions, key=lambda session: (session.started_at, session.session_id))


def _job(run_id: str, item: Item, lost: NanoUsd) -> JobRecord:
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
        JobStats.parse(item["stats"]),
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
