"""A run's budget: its jobs at the leaves of a tree of small items, and what all of it comes to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from handlers.adapters.dynamodb.job_totals import JobTotals, JobTotalsItems
from handlers.adapters.dynamodb.money.job_places import JobPlaces
from handlers.adapters.dynamodb.money.money_leaf import JobMoney, Request
from handlers.adapters.dynamodb.money.money_paths import parent, paths, short_name
from handlers.adapters.dynamodb.money.money_steps import take_steps
from handlers.adapters.dynamodb.money.money_tree import MoneyTree
from handlers.adapters.dynamodb.table import Table
from handlers.adapters.dynamodb.values import Item
from handlers.domain.call import CallTotals
from handlers.domain.ledger import BudgetState
from handlers.domain.money import NanoUsd
from handlers.errors import UnknownRunError
from handlers.ledger_ports import Drawn
from handlers.ports import Clock

_UNLIMITED = 10**30
"""The budget where there is no limit, so that one condition serves both cases."""
_UP = 1 / 16
"""Chance that who gives back for a node does so for its parent: as often in all as one child of it."""
_SWEPT_EVERY = 15.0
"""Seconds between two looks at all nodes of a run whose money is short."""
_AT_ONCE = 0.2
"""Seconds in which a refusal answers for less as well."""


class _Refusal(NamedTuple):
    """Of a draw: its number and amount, what was idle at the leaf instead, and when."""

    seq: int
    amount: int
    idle: int
    at: float

    def holds(self, seq: int, amount: int, now: float) -> bool:
        """Whether the next draw, of less, would be refused as well."""
        is_next = seq == self.seq + 1 and 0 <= now - self.at < _AT_ONCE
        return is_next and self.idle < amount < self.amount


class Budgets:
    def __init__(self, table: Table, job_totals: JobTotalsItems, places: JobPlaces, clock: Clock) -> None:
        self._table = table
        self._job_totals = job_totals
        self._places = places
        self._clock = clock
        self._told: dict[tuple[str, str], int] = {}
        """What the jobs of this process have told their leaves."""
        self._refusals: dict[tuple[str, str], _Refusal] = {}
        """Of the jobs of this process whose last draw found too little."""

    def _tree(self, run_id: str) -> MoneyTree:
        return MoneyTree(run_id, self._clock.now)

    def _money(self, run_id: str, job_id: str, path: str) -> JobMoney:
        totals = self._job_totals.key(run_id, job_id)
        return JobMoney(self._tree(run_id), path, job_id, totals, _taken)

    def create(self, run_id: str, budget: int | None) -> None:
        take_steps(self._table, self._tree(run_id).create(_limit(budget)))

    def set(self, run_id: str, budget: int | None) -> bool:
        """Whether it is more than before."""
        return take_steps(self._table, self._tree(run_id).set_budget(_limit(budget))) < _limit(budget)

    def root_key(self, run_id: str) -> tuple[str, str]:
        return self._tree(run_id).key("")

    def held(self, run_id: str, job_id: str) -> NanoUsd:
        """What an open job holds."""
        item = self._table.get(*self._tree(run_id).key(self._places.path(run_id, job_id))) or {}
        return NanoUsd(int(item.get(f"h:{short_name(job_id)}", 0)))

    def draw(self, run_id: str, job_id: str, seq: int, amount: NanoUsd) -> Drawn:
        refusal, now = self._refusals.get((run_id, job_id)), self._clock.now()
        if refusal is not None and refusal.holds(seq, amount, now):
            return "short"
        path = self._places.find(run_id, job_id)
        if path is None:
            return "closed"
        money = self._money(run_id, job_id, path)
        self._refusals.pop((run_id, job_id), None)
        told = self._told.pop((run_id, job_id), None)  # until the answer is there
        known = self._job_totals.known(run_id, job_id)
        request = Request(seq, amount, known, told, looks=refusal is not None)
        word, told, idle = take_steps(self._table, money.draw(request))
        if word != "closed":
            self._told[run_id, job_id] = told
        if word == "short":
            self._refusals[run_id, job_id] = _Refusal(seq, amount, idle, self._clock.now())
            self._sweep_now_and_then(run_id)
        return word

    def give_back(self, run_id: str, job_id: str, seq: int, amount: NanoUsd) -> None:
        path = self._places.find(run_id, job_id)
        if path is None:
            return
        money, told = self._money(run_id, job_id, path), self._told.pop((run_id, job_id), 0)
        request = Request(seq, amount, self._job_totals.known(run_id, job_id), told)
        self._told[run_id, job_id] = take_steps(self._table, money.give_back(request))

    def tidy(self, run_id: str, job_id: str) -> None:
        """Tell what the job has booked, and pass on what lies idle above it."""
        path = self._places.find(run_id, job_id)
        told = self._told.get((run_id, job_id))
        if path is None or told is None:
            return
        booked = self._job_totals.known(run_id, job_id)
        if booked > told:
            money = self._money(run_id, job_id, path)
            self._told[run_id, job_id] = take_steps(self._table, money.tell(booked))
        while path:
            take_steps(self._table, self._tree(run_id).push(path))
            path = parent(path) if self._clock.random() < _UP else ""

    def _sweep_now_and_then(self, run_id: str) -> None:
        """One of the jobs that wait, about each second: money at leaves without jobs must come back, too."""
        joins = self._places.known.get(run_id) or self._places.joins(run_id)
        if joins.depth and self._clock.random() * max(1, joins.live) < 1:
            self.sweep(run_id)

    def sweep(self, run_id: str) -> None:
        """Once in 15 s for the run: every node gives back what lies idle, the deepest first."""
        tree, now = self._tree(run_id), int(1000 * self._clock.now())
        root = self._table.get(*tree.key("")) or {}
        before = root.get("swept_at", 0)
        if 0 <= now - before < 1000 * _SWEPT_EVERY:
            return
        known = "#swept_at = :before" if "swept_at" in root else "attribute_not_exists(#swept_at)"
        claimed = self._table.update(
            *tree.key(""),
            values={"swept_at": now},
            condition=f"attribute_exists(pk) AND {known}",
            arguments={"before": before} if "swept_at" in root else {},
        )
        if claimed is None:
            return
        nodes = self.nodes(run_id)
        for path in sorted(filter(None, nodes), key=len, reverse=True):
            take_steps(self._table, tree.tell(path))
            take_steps(self._table, tree.push(path))

    def close(self, run_id: str, job_id: str) -> None:
        """What the job holds becomes what it held, or what it has booked if that is more. Twice is once."""
        take_steps(self._table, self._money(run_id, job_id, self._places.path(run_id, job_id)).close())

    def book_overrun(self, run_id: str, job_id: str) -> NanoUsd:
        """Add what a closed job booked beyond what it held to the budget. Returns what it held and did
        not book."""
        money = self._money(run_id, job_id, self._places.path(run_id, job_id))
        return NanoUsd(take_steps(self._table, money.book_overrun()))

    def release(self, run_id: str, keep: int) -> NanoUsd:
        """Let go what is held for calls of unknown cost, but for ``keep``. Absolute: twice is once."""
        while True:
            held = sum(totals.calls.held for totals in self._job_totals.all(run_id).values())
            before = int(self._root(run_id).get("released", 0))
            excess = max(0, held - before - keep)
            if not excess or self._release(run_id, before, excess):
                return NanoUsd(excess)
            if self._root(run_id).get("released", 0) == before + excess:
                return NanoUsd(excess)  # the answer to the request was lost

    def _release(self, run_id: str, before: int, amount: int) -> bool:
        """False if somebody let go since ``before``."""
        item = self._table.update(
            *self.root_key(run_id),
            values={"released": before + amount},
            plus={"U": amount, "R": amount},
            condition="#released = :before" if before else "attribute_not_exists(#released)",
            arguments={"before": before} if before else {},
        )
        return item is not None

    def _root(self, run_id: str) -> Item:
        """UnknownRunError if there is no such run."""
        item = self._table.get(*self.root_key(run_id))
        if item is None:
            raise UnknownRunError(f"no run {run_id!r} in table {self._table.name!r}")
        return item

    def nodes(self, run_id: str) -> dict[str, Item]:
        """By path, the root among them: UnknownRunError if there is none."""
        root, tree = self._root(run_id), self._tree(run_id)
        keys = {tree.key(path): path for path in paths(self._places.joins(run_id).depth) if path}
        below = self._table.get_many(list(keys))
        return {"": root} | {keys[key]: item for key, item in below.items()}

    def lost(self, run_id: str, job_totals: Mapping[str, JobTotals]) -> dict[str, NanoUsd]:
        """By job, what closed jobs held and did not book: their calls in flight, as reserved."""
        return _lost(self.nodes(run_id).values(), job_totals)

    def state(self, run_id: str) -> BudgetState:
        # Sums first: what is booked between the two reads must not look like all of it.
        sums = self._job_totals.all(run_id)
        nodes = self.nodes(run_id)
        calls = _all_calls(nodes, sums)
        return BudgetState(budget_of(nodes[""]), NanoUsd(_drawn(nodes)), calls.cost, calls.held)

    def calls(self, run_id: str) -> CallTotals:
        """Of all jobs, with what closed ones lost."""
        sums = self._job_totals.all(run_id)
        return _all_calls(self.nodes(run_id), sums)


def budget_of(root: Item) -> NanoUsd | None:
    limit = int(root["budget"])
    return None if limit == _UNLIMITED else NanoUsd(limit)


def _limit(budget: int | None) -> int:
    return _UNLIMITED if budget is None else budget


def _taken(totals: Item | None) -> int:
    return JobTotals.of(totals).calls.taken


def _drawn(nodes: Mapping[str, Item]) -> int:
    """All but what is idle somewhere, or on its way between two nodes."""
    idle = sum(int(item["R"]) for item in nodes.values())
    for path, item in nodes.items():
        if path:
            above = nodes.get(parent(path), {})
            idle += above.get(f"g:{path}", 0) - item["got"] + item["given"] - above.get(f"b:{path}", 0)
    return int(nodes[""]["budget"]) - idle


def _all_calls(nodes: Mapping[str, Item], job_totals: Mapping[str, JobTotals]) -> CallTotals:
    lost = NanoUsd(sum(_lost(nodes.values(), job_totals).values()))
    released = NanoUsd(-int(nodes[""].get("released", 0)))
    total = CallTotals(cost=lost, indeterminate=lost, held=released)
    for totals in job_totals.values():
        total = total.plus(totals.calls)
    return total


def _lost(nodes: Iterable[Item], job_totals: Mapping[str, JobTotals]) -> dict[str, NanoUsd]:
    """Of jobs that are closed: neither listed as open nor without a settled sum."""
    lines = {name: value for item in nodes for name, value in item.items() if name[:2] in ("h:", "e:")}
    found = {}
    for job_id, totals in job_totals.items():
        name, taken = short_name(job_id), totals.calls.taken
        held = lines.get(f"e:{name}", totals.settled)
        if f"h:{name}" not in lines and held is not None and held > taken:
            found[job_id] = NanoUsd(held - taken)
    return found
