"""A run's budget: one item, so that one conditional write takes a grant from the whole fleet.

``held`` and ``remaining`` are the run's (``remaining = budget - held``): ``held`` is what is drawn, without
what was ``released`` of that which is held for calls of unknown cost. An open job that drew has
``h:<job>``, what it holds, and ``s:<job>``, its last request, so that a repeated one changes nothing.
Closing a job takes both out, once its totals have them: the item grows with the jobs at work, never with
those that were. What a closed job held and did not book is lost, and never stored: a late part makes it
less by itself. A late return, and a late part that cost more than was held, list the job once more:
``e:<job>`` is then what it held at its end.

A job that was closed cannot be listed as open again: its totals say so before ``closes`` is counted up, and
the first draw holds only for the ``closes`` that it saw before it looked at the totals.
"""

from __future__ import annotations

from collections.abc import Mapping

from handlers.adapters.dynamodb.job_totals import JobTotals, JobTotalsItems
from handlers.adapters.dynamodb.table import Table, run_key
from handlers.adapters.dynamodb.values import Item
from handlers.domain.call import CallTotals
from handlers.domain.job import JobStats
from handlers.domain.ledger import BudgetState
from handlers.domain.money import NanoUsd
from handlers.errors import UnknownRunError

_UNLIMITED = 10**30
"""What remains of no limit, so that one condition serves both cases."""


class Budgets:
    def __init__(self, table: Table, job_totals: JobTotalsItems) -> None:
        self._table = table
        self._job_totals = job_totals

    def create(self, run_id: str, budget: int | None) -> None:
        key = {"pk": run_key(run_id), "sk": "BUDGET"}
        remaining = _UNLIMITED if budget is None else budget
        self._table.put_new(key | {"held": 0, "closes": 0, "budget": budget, "remaining": remaining})

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

    def held(self, run_id: str, job_id: str) -> NanoUsd:
        """What an open job holds."""
        return NanoUsd(int(self.item(run_id).get(f"h:{job_id}", 0)))

    def draw(self, run_id: str, job_id: str, seq: int, amount: NanoUsd) -> bool:
        while True:
            if seq > 1 and self._draw(run_id, job_id, seq, amount, "#seq < :seq", {}):
                return True
            item = self.item(run_id)
            if f"s:{job_id}" in item:
                return int(item[f"s:{job_id}"]) >= seq
            if item["remaining"] < amount or self._job_totals.of(run_id, job_id).ended:
                return False
            closes = {"closes": item["closes"]} if "closes" in item else {}
            unclosed = "#closes = :closes" if closes else "attribute_not_exists(#closes)"
            if self._draw(run_id, job_id, seq, amount, f"attribute_not_exists(#seq) AND {unclosed}", closes):
                return True

    def _draw(
        self, run_id: str, job_id: str, seq: int, amount: int, condition: str, arguments: Mapping[str, int]
    ) -> bool:
        item = self._table.update(
            run_key(run_id),
            "BUDGET",
            values={"seq": seq},
            plus={"held": amount, "mine": amount, "remaining": -amount},
            condition=f"{condition} AND attribute_not_exists(#ended) AND #remaining >= :amount",
            arguments={"amount": amount, **({"seq": seq} if ":seq" in condition else {}), **arguments},
            names=_names(job_id),
        )
        return item is not None

    def give_back(self, run_id: str, job_id: str, seq: int, amount: NanoUsd) -> None:
        while True:
            for mine in ("mine", "ended"):
                change = self._table.update(
                    run_key(run_id),
                    "BUDGET",
                    values={"seq": seq},
                    plus={"held": -amount, mine: -amount, "remaining": amount},
                    condition=f"attribute_exists(#{mine}) AND #seq < :seq",
                    arguments={"seq": seq},
                    names=_names(job_id),
                )
                if change is not None or int(self.item(run_id).get(f"s:{job_id}", 0)) >= seq:
                    return
            totals = self._job_totals.of(run_id, job_id)
            if seq <= totals.seq or amount > (totals.settled or 0):
                return  # heard before the job was closed; or it never drew
            if self._list_again(run_id, job_id, totals.settled or 0, -amount, seq=seq):
                return

    def _list_again(self, run_id: str, job_id: str, before: int, change: int, *, seq: int) -> bool:
        """Change what a closed job held; False if it is listed by now."""
        item = self._table.update(
            run_key(run_id),
            "BUDGET",
            values={"ended": before + change, "seq": seq},
            plus={"held": change, "remaining": -change},
            condition="attribute_not_exists(#mine) AND attribute_not_exists(#ended)",
            names=_names(job_id),
        )
        return item is not None

    def close(self, run_id: str, job_id: str, cost: int) -> None:
        """What the job holds becomes what it held, or ``cost`` (with what is held for its calls) if it booked
        more. Twice is once."""
        while True:
            item = self.item(run_id)
            if f"e:{job_id}" in item or self._unlist(run_id, job_id, item, cost):
                return

    def _unlist(self, run_id: str, job_id: str, item: Item, cost: int) -> bool:
        """False if the job drew or returned since ``item`` was read."""
        mine, seq = item.get(f"h:{job_id}"), item.get(f"s:{job_id}", 0)
        totals = self._job_totals.settle(run_id, job_id, 0 if mine is None else max(mine, cost), seq)
        if mine is None:
            more, condition, arguments = 0, "attribute_not_exists(#mine)", {}
        else:
            more = (totals.settled or 0) - mine if totals.seq == seq else 0
            condition, arguments = "#mine = :mine AND #seq = :seq", {"mine": mine, "seq": seq}
        closed = self._table.update(
            run_key(run_id),
            "BUDGET",
            values={} if mine is None else {"mine": None, "seq": None},
            plus={"closes": 1, "held": more, "remaining": -more},
            condition=f"{condition} AND attribute_not_exists(#ended)",
            arguments=arguments,
            names=_names(job_id),
        )
        return closed is not None

    def book_overrun(self, run_id: str, job_id: str) -> NanoUsd:
        """Add what a closed job booked beyond what it held to the budget. Returns what it held and did
        not book."""
        while True:
            item = self.item(run_id)
            totals = self._job_totals.of(run_id, job_id)  # after the item: what is settled there is final
            before, cost = item.get(f"e:{job_id}"), totals.calls.taken
            if before is None and (f"h:{job_id}" in item or totals.settled is None):
                return NanoUsd(0)  # whoever closes it looks again
            held = totals.settled or 0 if before is None else int(before)
            if cost <= held:
                return NanoUsd(held - cost)
            if before is None:
                self._list_again(run_id, job_id, held, cost - held, seq=totals.seq)
            else:
                self._book(run_id, job_id, held, cost)

    def _book(self, run_id: str, job_id: str, before: int, cost: int) -> None:
        self._table.update(
            run_key(run_id),
            "BUDGET",
            values={"ended": cost},
            plus={"held": cost - before, "remaining": before - cost},
            condition="#ended = :before",
            arguments={"before": before},
            names=_names(job_id),
        )

    def tell_learned(self, run_id: str, stats: JobStats) -> None:
        """Keep the most of what jobs have learned of the model, for those to come."""
        for name, tokens in (("overrun", stats.overrun), ("room", stats.room)):
            if tokens > 0:
                self._table.update(
                    run_key(run_id),
                    "BUDGET",
                    values={name: tokens},
                    condition=_HIGHER.format(name=name),
                    arguments={"tokens": tokens},
                )

    def most_overrun(self, run_id: str) -> int:
        return int(self.item(run_id).get("overrun", 0))

    def release(self, run_id: str, keep: int) -> NanoUsd:
        """Let go what is held for calls of unknown cost, but for ``keep``. Absolute: twice is once."""
        while True:
            held = sum(totals.calls.held for totals in self._job_totals.all(run_id).values())
            before = int(self.item(run_id).get("released", 0))
            excess = max(0, held - before - keep)
            if not excess or self._release(run_id, before, excess):
                return NanoUsd(excess)
            if self.item(run_id).get("released", 0) == before + excess:
                return NanoUsd(excess)  # the answer to the request was lost

    def _release(self, run_id: str, before: int, amount: int) -> bool:
        """False if somebody let go since ``before``."""
        item = self._table.update(
            run_key(run_id),
            "BUDGET",
            values={"released": before + amount},
            plus={"held": -amount, "remaining": amount},
            condition="#released = :before" if before else "attribute_not_exists(#released)",
            arguments={"before": before} if before else {},
        )
        return item is not None

    def most_room(self, run_id: str) -> int:
        return int(self.item(run_id).get("room", 0))

    def lost(self, run_id: str, job_totals: Mapping[str, JobTotals]) -> dict[str, NanoUsd]:
        """By job, what closed jobs held and did not book: their calls in flight, as reserved."""
        return _lost(self.item(run_id), job_totals)

    def state(self, run_id: str) -> BudgetState:
        # Sums first: what is booked between the two reads must not look like all of it.
        sums = self._job_totals.all(run_id)
        item = self.item(run_id)
        calls = _all_calls(item, sums)
        return BudgetState(item.get("budget"), item["held"], calls.cost, calls.held)

    def calls(self, run_id: str) -> CallTotals:
        """Of all jobs, with what closed ones lost."""
        sums = self._job_totals.all(run_id)
        return _all_calls(self.item(run_id), sums)


def _all_calls(item: Item, job_totals: Mapping[str, JobTotals]) -> CallTotals:
    lost = NanoUsd(sum(_lost(item, job_totals).values()))
    total = CallTotals(cost=lost, indeterminate=lost, held=NanoUsd(-int(item.get("released", 0))))
    for totals in job_totals.values():
        total = total.plus(totals.calls)
    return total


_HIGHER = "attribute_exists(pk) AND (attribute_not_exists(#{name}) OR #{name} < :tokens)"


def _lost(item: Item, job_totals: Mapping[str, JobTotals]) -> dict[str, NanoUsd]:
    """Of jobs that are closed: neither listed as open nor without a settled sum."""
    closed = {
        job_id: (item.get(f"e:{job_id}", totals.settled), totals.calls.taken)
        for job_id, totals in job_totals.items()
        if f"h:{job_id}" not in item
    }
    return {
        job_id: NanoUsd(held - cost)
        for job_id, (held, cost) in closed.items()
        if held is not None and held > cost
    }


def _names(job_id: str) -> dict[str, str]:
    return {"mine": f"h:{job_id}", "seq": f"s:{job_id}", "ended": f"e:{job_id}"}
