"""Runs, their control item and their budget."""

from __future__ import annotations

from typing import get_args

from handlers.adapters.sqlite.database import Database
from handlers.adapters.sqlite.open_runs import arm
from handlers.adapters.sqlite.paper_tables import add_to_totals, take_back_lost
from handlers.domain.call import COUNTED_APART, CallTotals
from handlers.domain.ledger import BudgetState
from handlers.domain.money import NanoUsd
from handlers.domain.paper import TERMINAL, PaperStatus
from handlers.domain.run import Control, RunRecord, RunSpec, RunTotals
from handlers.errors import UnknownRunError
from handlers.ledger_ports import Drawn

_SUMMED = tuple(name for name in CallTotals.model_fields if name not in COUNTED_APART)


BUDGET_WORD = """
CREATE TABLE IF NOT EXISTS budget_word (
    run_id TEXT PRIMARY KEY,
    budget INTEGER,
    at REAL NOT NULL
) WITHOUT ROWID
"""
"""The budget that a user set last, and when, so that a merge does not undo a lower one.
A table of its own: files that were made before it go on, and a job's slice with its share has none."""
_WORD = "INSERT OR REPLACE INTO budget_word (run_id, budget, at) VALUES (?,?,?)"


class RunTables:
    _db: Database

    def create_run(self, record: RunRecord) -> RunRecord:
        with self._db.write(durable=True) as db:
            insert = db.execute(
                "INSERT OR IGNORE INTO run (run_id, spec, papers, same_as, created_at, budget)"
                " VALUES (?,?,?,?,?,?)",
                (
                    record.run_id,
                    record.spec.model_dump_json(),
                    record.papers,
                    record.same_as,
                    record.created_at,
                    record.budget,
                ),
            )
            if insert.rowcount:
                arm(db, record.run_id)
                db.execute(_WORD, (record.run_id, record.budget, record.created_at))
        return self.run(record.run_id)

    def run(self, run_id: str) -> RunRecord:
        row = self._db.row("SELECT * FROM run WHERE run_id = ?", (run_id,))
        if row is None:
            known = ", ".join(self.run_ids()) or "none"
            raise UnknownRunError(f"no run {run_id!r} in {self._db.path} (runs there: {known})")
        spec = RunSpec.model_validate_json(row["spec"])
        return RunRecord(run_id, spec, row["papers"], row["same_as"], row["created_at"], row["budget"])

    def judge_by(self, run_id: str, spec: RunSpec, *, known: RunSpec) -> bool:
        with self._db.write(durable=True) as db:
            row = db.execute("SELECT spec FROM run WHERE run_id = ?", (run_id,)).fetchone()
            if row is None or RunSpec.model_validate_json(row["spec"]) != known:
                return False
            db.execute("UPDATE run SET spec = ? WHERE run_id = ?", (spec.model_dump_json(), run_id))
            return True

    def run_ids(self) -> list[str]:
        return [row["run_id"] for row in self._db.rows("SELECT run_id FROM run ORDER BY created_at, run_id")]

    def set_control(self, run_id: str, control: Control) -> None:
        with self._db.write(durable=True) as db:
            db.execute(
                "UPDATE run SET control = ?, reason = ?, control_at = ? WHERE run_id = ?",
                (control.state, control.reason, control.at, run_id),
            )
            if control.state == "active":
                arm(db, run_id)

    def park(self, run_id: str, control: Control) -> None:
        with self._db.write(durable=True) as db:
            db.execute(
                "UPDATE run SET control = ?, reason = ?, control_at = ? WHERE run_id = ? AND control"
                " = 'active'",
                (control.state, control.reason, control.at, run_id),
            )

    def control(self, run_id: str) -> Control:
        row = self._db.row("SELECT control, reason, control_at FROM run WHERE run_id = ?", (run_id,))
        if row is None:
            raise UnknownRunError(f"no run {run_id!r} in {self._db.path}")
        return Control(row["control"], row["reason"], row["control_at"])

    def heard_control(self, run_id: str, listener: str) -> Control:
        del listener  # one file for all jobs: a look costs nothing
        return self.control(run_id)

    def set_budget(self, run_id: str, budget: int | None, *, at: float | None = None) -> None:
        with self._db.write(durable=True) as db:
            db.execute("UPDATE run SET budget = ? WHERE run_id = ?", (budget, run_id))
            if at is not None:
                db.execute(_WORD, (run_id, budget, at))

    def draw(self, run_id: str, job_id: str, seq: int, amount: int) -> Drawn:
        with self._db.write() as db:
            job = db.execute(
                "SELECT seq, ended_at FROM job WHERE run_id = ? AND job_id = ?", (run_id, job_id)
            ).fetchone()
            if job is not None and job["seq"] >= seq:
                return "drawn"
            if job is None or job["ended_at"] is not None:
                return "closed"  # nobody would settle this grant: the job was given up
            update = db.execute(
                "UPDATE run SET held = held + :amount"
                " WHERE run_id = :run AND (budget IS NULL OR budget - held >= :amount)",
                {"amount": amount, "run": run_id},
            )
            if update.rowcount == 1:
                db.execute(
                    "UPDATE job SET held = held + ?, seq = ? WHERE run_id = ? AND job_id = ?",
                    (amount, seq, run_id, job_id),
                )
                return "drawn"
        state = self.budget_state(run_id)
        return "spent" if state.drawn <= state.spend + state.held else "short"

    def give_back(self, run_id: str, job_id: str, seq: int, amount: int) -> None:
        with self._db.write() as db:
            update = db.execute(
                "UPDATE job SET held = held - ?, seq = ? WHERE run_id = ? AND job_id = ? AND seq < ?",
                (amount, seq, run_id, job_id, seq),
            )
            if update.rowcount == 1:
                db.execute("UPDATE run SET held = held - ? WHERE run_id = ?", (amount, run_id))
                take_back_lost(db, run_id, job_id, amount)

    def tidy_budget(self, run_id: str, job_id: str) -> None:
        """Nothing lies between the jobs of a machine."""

    def release_held(self, run_id: str, *, keep: int = 0) -> NanoUsd:
        with self._db.write(durable=True) as db:
            rows = db.execute(
                "SELECT part_id, held - released AS open FROM part WHERE run_id = ? AND held > released"
                " ORDER BY part_id",
                (run_id,),
            ).fetchall()
            excess = left = max(0, sum(row["open"] for row in rows) - keep)
            for row in rows:
                amount = min(left, row["open"])
                left -= amount
                db.execute(
                    "UPDATE part SET released = released + ? WHERE run_id = ? AND part_id = ?",
                    (amount, run_id, row["part_id"]),
                )
            db.execute("UPDATE run SET held = held - ? WHERE run_id = ?", (excess, run_id))
            add_to_totals(db, run_id, CallTotals(held=NanoUsd(-excess)))
        return NanoUsd(excess)

    def budget_state(self, run_id: str) -> BudgetState:
        row = self._db.row(
            "SELECT budget, held AS drawn, (SELECT COALESCE(SUM(n), 0) FROM tally"
            " WHERE tally.run_id = run.run_id AND kind = 'sum' AND name = 'cost') AS spend,"
            " (SELECT COALESCE(SUM(n), 0) FROM tally"
            " WHERE tally.run_id = run.run_id AND kind = 'sum' AND name = 'held') AS kept FROM run"
            " WHERE run_id = ?",
            (run_id,),
        )
        if row is None:
            raise UnknownRunError(f"no run {run_id!r} in {self._db.path}")
        return BudgetState(row["budget"], row["drawn"], row["spend"], row["kept"])

    def totals(self, run_id: str) -> RunTotals:
        record = self.run(run_id)
        batch = self._db.row(
            "SELECT COUNT(*) AS batches, "
            + ", ".join(f"COALESCE(SUM({status}), 0) AS {status}" for status in TERMINAL)
            + " FROM batch WHERE run_id = ?",
            (run_id,),
        )
        assert batch is not None  # noqa: S101 - an aggregate without GROUP BY has one row
        counts: dict[PaperStatus, int] = dict.fromkeys(get_args(PaperStatus), 0)
        counts.update({status: batch[status] for status in TERMINAL})
        counts["pending"] = record.papers - sum(counts.values())
        reused = self._db.row("SELECT reused FROM run WHERE run_id = ?", (run_id,))
        calls = self._call_totals(run_id)
        return RunTotals(counts, reused["reused"] if reused else 0, calls, batch["batches"])

    def _call_totals(self, run_id: str) -> CallTotals:
        sums_by_kind: dict[str, dict[str, int]] = {"sum": {}, "latency": {}, "error": {}, "tier": {}}
        for row in self._db.rows("SELECT kind, name, n FROM tally WHERE run_id = ?", (run_id,)):
            sums_by_kind[row["kind"]][row["name"]] = row["n"]
        sums = {name: sums_by_kind["sum"].get(name, 0) for name in _SUMMED}
        latency = {int(bucket): n for bucket, n in sums_by_kind["latency"].items()}
        errors, tiers = sums_by_kind["error"], sums_by_kind["tier"]
        return CallTotals(**sums, latency=latency, errors=errors, tiers=tiers)
