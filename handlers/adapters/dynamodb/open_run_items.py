"""Runs that somebody is to look at: a partition of their own, so that thousands that ended cost nothing."""

from __future__ import annotations

import secrets

from handlers.adapters.dynamodb.table import Table, run_key
from handlers.adapters.dynamodb.values import Item
from handlers.domain.run import OpenRun

OPEN = "OPEN"
_ALL = "ALL"
"""Says that the runs of an earlier release, which noted none, are among them."""


class OpenRunItems:
    _table: Table

    def arm(self, run_id: str, *, created_at: float | None = None) -> None:
        """``created_at``: of a run that is made just now."""
        values: Item = {"run_id": run_id, "mark": secrets.token_hex(8), "looked_at": 0.0}
        if created_at is not None:
            values["created_at"] = created_at
        self._table.update(OPEN, run_key(run_id), values=values)

    def open_runs(self) -> list[OpenRun]:
        if self._table.get(OPEN, _ALL) is None:
            runs = list(self._table.query("RUNS", "RUN#"))
            self._table.map(lambda run: self.arm(run["run_id"], created_at=float(run["created_at"])), runs)
            self._table.put_new({"pk": OPEN, "sk": _ALL})
        items = sorted(self._table.query(OPEN, "RUN#"), key=_age, reverse=True)
        return [OpenRun(item["run_id"], item["mark"], float(item["looked_at"])) for item in items]

    def looked_at(self, run: OpenRun, *, at: float) -> None:
        self._table.update(
            OPEN,
            run_key(run.run_id),
            values={"looked_at": at},
            condition="#mark = :known",
            arguments={"known": run.mark},
        )

    def counts_now(self, run_id: str, *, at: float, every: float) -> bool:
        """Of a run that is not open everybody counts: it has ended, and they end with it."""
        sk = run_key(run_id)
        item = self._table.get(OPEN, sk, consistent=False)
        if item is None:
            return True
        known = item.get("counted_at")
        if known is not None and float(known) > at - every:
            return False
        same = "attribute_not_exists(#counted_at)" if known is None else "#counted_at = :known"
        arguments = {} if known is None else {"known": known}
        condition = f"attribute_exists(#mark) AND {same}"
        values = {"counted_at": at}
        return (
            self._table.update(OPEN, sk, values=values, condition=condition, arguments=arguments) is not None
        )

    def close_run(self, run: OpenRun) -> None:
        self._table.delete(
            OPEN, run_key(run.run_id), condition="#mark = :known", arguments={"known": run.mark}
        )


def _age(item: Item) -> tuple[float, str]:
    return float(item.get("created_at", 0.0)), str(item["run_id"])
