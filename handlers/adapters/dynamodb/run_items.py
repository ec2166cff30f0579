"""Runs, their control item and their budget."""

from __future__ import annotations

from typing import get_args

from handlers.adapters.dynamodb.control_items import ControlItems
from handlers.adapters.dynamodb.glossary_items import GlossaryItems
from handlers.adapters.dynamodb.job_totals import JobTotalsItems
from handlers.adapters.dynamodb.money.budget_items import Budgets, budget_of
from handlers.adapters.dynamodb.open_run_items import OpenRunItems
from handlers.adapters.dynamodb.table import Table, run_key
from handlers.adapters.dynamodb.values import Item
from handlers.domain.paper import TERMINAL, PaperStatus
from handlers.domain.run import Control, RunRecord, RunSpec, RunTotals
from handlers.errors import EarlierLayoutError, UnknownRunError

_LAYOUT = 2
"""Of a run's keys: jobs by group, money as a tree."""
_COUNTS = (*TERMINAL, "reused")


def _age(item: Item) -> tuple[float, str]:
    return float(item["created_at"]), str(item["run_id"])


class RunItems(ControlItems, OpenRunItems):
    _table: Table
    _job_totals: JobTotalsItems
    _budgets: Budgets
    _glossaries: GlossaryItems

    def create_run(self, record: RunRecord) -> RunRecord:
        pk, terms = run_key(record.run_id), record.spec.glossary
        spec = record.spec.model_copy(update={"glossary": {}})
        self._budgets.create(record.run_id, record.budget)
        self.create_control(record.run_id)
        meta = {
            "pk": pk,
            "sk": "META",
            "run_id": record.run_id,
            "layout": _LAYOUT,
            "spec": spec.model_dump_json(),
            "glossary": self._glossaries.put(terms) if terms else None,
            "papers": record.papers,
            "same_as": record.same_as,
            "created_at": record.created_at,
        }
        self._table.put_new(meta)
        self.arm(record.run_id, created_at=record.created_at)
        self._table.put_new(
            {"pk": "RUNS", "sk": pk, "run_id": record.run_id, "created_at": record.created_at}
        )
        return self.run(record.run_id)

    def run(self, run_id: str) -> RunRecord:
        meta_key, budget_key = (run_key(run_id), "META"), self._budgets.root_key(run_id)
        items = self._table.get_many([meta_key, budget_key])
        if meta_key not in items:
            known = ", ".join(self.run_ids()) or "none"
            raise UnknownRunError(f"no run {run_id!r} in table {self._table.name!r} (runs there: {known})")
        meta = items[meta_key]
        if meta.get("layout") != _LAYOUT:
            raise EarlierLayoutError(run_id, self._spec(meta))
        return RunRecord(
            run_id,
            self._spec(meta),
            meta["papers"],
            meta["same_as"],
            float(meta["created_at"]),
            budget_of(items[budget_key]),
        )

    def _spec(self, meta: Item) -> RunSpec:
        """An earlier release kept the terms with the other settings."""
        spec = RunSpec.model_validate_json(meta["spec"])
        if "glossary" not in meta:
            return spec
        return spec.model_copy(update={"glossary": self._glossaries.get(meta["glossary"])})

    def judge_by(self, run_id: str, spec: RunSpec, *, known: RunSpec) -> bool:
        meta = self._table.get(run_key(run_id), "META")
        if meta is None or self._spec(meta) != known:
            return False
        bare = spec if "glossary" not in meta else spec.model_copy(update={"glossary": {}})
        item = self._table.update(
            run_key(run_id),
            "META",
            values={"spec": bare.model_dump_json()},
            condition="#spec = :known",
            arguments={"known": meta["spec"]},
        )
        return item is not None or self.run(run_id).spec == spec

    def run_ids(self) -> list[str]:
        items = sorted(self._table.query("RUNS", "RUN#"), key=_age)
        return [item["run_id"] for item in items]

    def set_control(self, run_id: str, control: Control) -> None:
        self.change_control(run_id, control, condition="attribute_exists(pk)")
        if control.state == "active":
            self.arm(run_id)

    def park(self, run_id: str, control: Control) -> None:
        self.change_control(run_id, control, condition="#state = :active")

    def totals(self, run_id: str) -> RunTotals:
        record = self.run(run_id)
        sums = dict.fromkeys(_COUNTS, 0)
        batches = 0
        for item in self._table.query_buckets(run_id, "BATCH#", attributes=_COUNTS):
            batches += 1
            for name in _COUNTS:
                sums[name] += item.get(name, 0)
        counts: dict[PaperStatus, int] = dict.fromkeys(get_args(PaperStatus), 0)
        counts.update({status: sums[status] for status in TERMINAL})
        counts["pending"] = record.papers - sum(counts.values())
        return RunTotals(counts, sums["reused"], self._budgets.calls(run_id), batches)
