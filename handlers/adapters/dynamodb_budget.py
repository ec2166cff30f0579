"""A run's budget: one item, so that one conditional write takes a grant from the whole fleet.

``held`` and ``remaining`` are the run's (nano-USD, ``remaining = budget - held``). A job has ``h:<job>``,
what it holds, and ``s:<job>``, its last request, so that a repeated one changes nothing. Once closed it
has ``e:<job>`` in place of ``h:``: what it held at its end, or booked if that is more. What it did not book
of that is lost, and never stored: a late part makes it less by itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from handlers.adapters.dynamodb_table import Table, run_key
from handlers.adapters.dynamodb_tally import JobTally, Tallies
from handlers.adapters.dynamodb_values import Item
from handlers.errors import UnknownRunError
from handlers.records import BudgetState
from handlers.totals import CallTotals

_UNLIMITED = 10**30
"""nano-USD: what remains of no limit, so that one condition serves both cases."""


class Budgets:
    def __init__(self, table: Table) -> None:
        self._table = table

    def create(self, run_id: str, budget: int | None) -> None:
        remaining = _UNLIMITED if budget is None else budget
        self._table.put_new(
            {"pk": run_key(run_id), "sk": "BUDGET", "held": 0, "budget": budget, "remaining": remaining}
        )

    def set(self, run_id: str, budget: int | None) -> None:
        self._table.update(
            run_key(run_id),
            "BUDGET",
            values={"budget": budget},
            expressions=["#remaining = :limit - #held"],
            condition="attribute_exists(pk)",
            arguments={"limit": _UNLIMITED if budget is None else budget},
        )

    def item(self, run_id: str) -> Item:
        """UnknownRunError if there is no such run."""
        item = self._table.get(run_key(run_id), "BUDGET")
        if item is None:
            raise UnknownRunError(f"no run {run_id!r} in table {self._table.name!r}")
        return item

    def draw(self, run_id: str, job_id: str, seq: int, amount: int) -> bool:
        drawn = self._table.update(
            run_key(run_id),
            "BUDGET",
            values={"seq": seq},
            plus={"held": amount, "mine": amount, "remaining": -amount},
            condition="attribute_not_exists(#ended) AND (attribute_not_exists(#seq) OR #seq < :seq)"
            " AND #remaining >= :amount",
            arguments={"seq": seq, "amount": amount},
            names=_names(job_id),
        )
        return drawn is not None or int(self.item(run_id).get(f"s:{job_id}", 0)) >= seq

    def give_back(self, run_id: str, job_id: str, seq: int, amount: int) -> None:
        for mine in ("mine", "ended"):
            given = self._table.update(
                run_key(run_id),
                "BUDGET",
                values={"seq": seq},
                plus={"held": -amount, mine: -amount, "remaining": amount},
                condition=f"attribute_exists(#{mine}) AND (attribute_not_exists(#seq) OR #seq < :seq)",
                arguments={"seq": seq},
                names=_names(job_id),
            )
            if given is not None or int(self.item(run_id).get(f"s:{job_id}", 0)) >= seq:
                return

    def close(self, run_id: str, job_id: str, cost: int) -> None:
        """What the job holds becomes what it held, or ``cost`` if it booked more. Twice is once."""
        while True:
            item = self.item(run_id)
            if f"e:{job_id}" in item:
                return
            mine = item.get(f"h:{job_id}")
            more = max(0, cost - (mine or 0))
            closed = self._table.update(
                run_key(run_id),
                "BUDGET",
                values={"ended": (mine or 0) + more, "mine": None},
                plus={"held": more, "remaining": -more},
                condition="attribute_not_exists(#ended) AND "
                + ("attribute_not_exists(#mine)" if mine is None else "#mine = :mine"),
                arguments={} if mine is None else {"mine": mine},
                names=_names(job_id),
            )
            if closed is not None:
                return

    def book_overrun(self, run_id: str, job_id: str, cost: int) -> None:
        """The budget hears of what a closed job booked beyond what it held."""
        while True:
            before = self.item(run_id).get(f"e:{job_id}")
            if before is None or cost <= before:
                return
            booked = self._table.update(
                run_key(run_id),
                "BUDGET",
                values={"ended": cost},
                plus={"held": cost - before, "remaining": before - cost},
                condition="#ended = :before",
                arguments={"before": before},
                names=_names(job_id),
            )
            if booked is not None:
                return

    def lost(self, run_id: str, tallies: Mapping[str, JobTally]) -> dict[str, int]:
        """nano-USD by job that closed jobs held and did not book: their calls in flight, as reserved."""
        return _lost(self.item(run_id), tallies)

    def state(self, run_id: str, tallies: Tallies) -> BudgetState:
        sums = tallies.all(run_id)  # first: what is booked between the two reads must not look like all
        item = self.item(run_id)
        spend = sum(tally.calls.cost for tally in sums.values()) + sum(_lost(item, sums).values())
        return BudgetState(item.get("budget"), item["held"], spend)


def _lost(item: Item, tallies: Mapping[str, JobTally]) -> dict[str, int]:
    ended = {name[2:]: int(held) for name, held in item.items() if name.startswith("e:")}
    none = JobTally(0, CallTotals())
    return {
        job_id: held - cost
        for job_id, held in ended.items()
        if held > (cost := tallies.get(job_id, none).calls.cost)
    }


def _names(job_id: str) -> dict[str, str]:
    return {"mine": f"h:{job_id}", "seq": f"s:{job_id}", "ended": f"e:{job_id}"}
