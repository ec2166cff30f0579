"""A job whose ledger is away again and again, and that others may close meanwhile: requests are lost before
they are done or after. Once it has come to its end, nothing of what it drew is lost."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from handlers.adapters.dynamodb.money.money_leaf import JobMoney, Request
from handlers.adapters.dynamodb.money.money_steps import Steps, T, Write
from handlers.adapters.dynamodb.money.money_tree import MoneyTree, outstanding
from handlers.domain.money import NanoUsd
from handlers.domain.run import Control
from handlers.errors import BudgetSpentError, StoppedError, UnavailableError
from handlers.pipeline import budget_lease
from handlers.pipeline.budget_lease import BudgetLease
from handlers.pipeline.pace import AWS
from handlers.ports import Drawn
from tests.builders.fakes import FakeClock
from tests.builders.money_memory import MoneyMemory
from tests.faults.money_schedules import taken

_SOON = replace(AWS, asks_again=(0.0, 0.0))
_NODES = ("10110", "1", "")


class FarMoney:
    """What a budget lease asks of a ledger, over items in memory."""

    def __init__(self, chance: random.Random, leaf: str) -> None:
        self._chance, self.clock = chance, FakeClock()
        self.memory = MoneyMemory()
        self.tree = MoneyTree("r", self.clock.now)
        self.budget = chance.choice([300, 3000, 10**30])
        self.memory.run(self.tree.create(self.budget))
        self.job = JobMoney(self.tree, leaf, "job", ("TALLIES", "job"), taken)
        self.memory.do(Write("TALLIES", "job", sets={"booked": 0}))
        self.away = 0.0
        """Chance that a request is lost."""
        self._told: int | None = None

    @property
    def booked(self) -> int:
        return int(self.memory.items["TALLIES", "job"]["booked"])

    def _ask(self, steps: Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                self.clock.advance(0.02)
                fate = self._chance.random()
                if fate < self.away / 2:
                    raise UnavailableError("before it is done")
                reply = self.memory.do(step)
                if fate < self.away:
                    raise UnavailableError("after it is done")
                step = steps.send(reply)
        except StopIteration as end:
            value: T = end.value
            return value

    def draw(self, _run: str, _job: str, seq: int, amount: NanoUsd) -> Drawn:
        told, self._told = self._told, None
        word, told, _ = self._ask(self.job.draw(Request(seq, amount, self.booked, told)))
        if word != "closed":
            self._told = told
        return word

    def give_back(self, _run: str, _job: str, seq: int, amount: NanoUsd) -> None:
        told, self._told = self._told, None
        self._told = self._ask(self.job.give_back(Request(seq, amount, self.booked, told)))

    def tidy_budget(self, _run: str, _job: str) -> None:
        """There is one job."""

    def control(self, _run: str) -> Control:
        return Control("parked", "", 0.0)

    def book(self, cost: int) -> None:
        totals = self.memory.do(Write("TALLIES", "job", plus={"booked": cost})).item or {}
        if totals.get("ended"):
            self.memory.run(self.job.book_overrun())

    def close(self) -> None:
        """As the job itself does at its end, or anybody for it."""
        self._ask(self._closing())

    def _closing(self) -> Steps[None]:
        yield Write("TALLIES", "job", sets={"ended": 1})
        yield from self.job.close()
        yield from self.job.book_overrun()

    def lost(self) -> int:
        """Of a closed job; what is not is where it belongs."""
        self.clock.advance(10)
        for path in _NODES[:2]:
            self.memory.run(self.tree.tell(path))
            self.memory.run(self.tree.push(path))
        root, leaf = self.memory.items[self.tree.key("")], self.memory.run(self.tree.node(self.job._path))
        held = int(leaf.get(self.job._e, self.memory.items["TALLIES", "job"]["settled"]))
        lost = max(0, held - self.booked)
        assert outstanding(root) == 0
        assert root["S"] - root.get("U", 0) == self.booked + lost
        assert root["R"] == self.budget - self.booked - lost
        return lost


class AwayJob:
    """One that reserves, settles, books and gives back, whatever becomes of it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.money = FarMoney(self.chance, self.chance.choice(["", "10110"]))
        ledger: Any = self.money
        self.lease = BudgetLease(ledger, "r", "job", self.money.clock, pace=_SOON)
        self._reserved: list[int] = []
        self._unbooked: list[int] = []

    def live(self, moments: int) -> None:
        for _ in range(moments):
            if self.chance.random() < 0.1:
                self.money.away = self.chance.choice([0.0, 0.1, 0.9])
            try:
                self._act()
            except UnavailableError:
                self._is_given_up()
            except (StoppedError, BudgetSpentError):
                continue
        self.money.away = 0.0

    def _is_given_up(self) -> None:
        """Perhaps: somebody closes it, who may himself not come to an end."""
        if self.chance.random() < 0.1:
            with suppress(UnavailableError):
                self.money.close()

    def _act(self) -> None:
        act = self.chance.random()
        if act < 0.4:
            amount, patience = self.chance.randint(1, 100), iter([False] * 2)
            self.lease.reserve(NanoUsd(amount), lambda: next(patience, True))
            self._reserved.append(amount)
        elif act < 0.7 and self._reserved:
            self._settle(self.chance.randint(0, 130) / 100)
        elif act < 0.85 and self._unbooked:
            self.money.book(self._unbooked.pop())
        else:
            self.money.clock.advance(1)
            self.chance.choice([self.lease.trim, self.lease.tidy, self.lease.return_unused])()

    def _settle(self, share: float) -> None:
        amount = self._reserved.pop()
        cost = int(amount * share)
        self.lease.settle(NanoUsd(amount), NanoUsd(cost))
        self._unbooked.append(cost)

    def end(self) -> None:
        while self._reserved:
            self._settle(self.chance.random())
        while self._unbooked:
            self.money.book(self._unbooked.pop())
        self.lease.return_unused()
        self.money.close()


def lost_of(seed: int, moments: int = 40) -> int:
    job = AwayJob(seed)
    job.live(moments)
    job.end()
    return job.money.lost()


def test_a_job_that_comes_to_its_end_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget_lease, "_BUSY", (0.0, 0.0))
    assert [seed for seed in range(50) if lost_of(seed)] == []


@pytest.mark.slow
def test_none_of_a_thousand_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget_lease, "_BUSY", (0.0, 0.0))
    assert [seed for seed in range(1000) if lost_of(seed, 150)] == []
