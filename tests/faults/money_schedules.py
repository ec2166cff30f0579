"""Jobs of one run on a few leaves of the budget's tree: every request may be sent twice, and whoever sent it
may die before or after it; zombies are closed by others, calls cost more than was reserved, and the budget is
raised and lowered. All invariants are asked for after every write."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from handlers.adapters.dynamodb.money.money_leaf import Drawing, JobMoney, Request
from handlers.adapters.dynamodb.money.money_paths import parent
from handlers.adapters.dynamodb.money.money_steps import Read, Reply, Steps, Write
from handlers.adapters.dynamodb.money.money_tree import MoneyTree, outstanding
from handlers.adapters.dynamodb.values import Item, Key
from tests.builders.money_memory import MoneyMemory

LEAVES = ["", "10110", "10111", "101101011"]
NODES = ["1", "10110", "10111", "101101011"]
_AMOUNTS = (1, 10, 100, 400)


@dataclass
class Job:
    name: str
    leaf: str
    money: JobMoney
    pool: int = 0
    seq: int = 0
    told: int = 0
    joined: bool = False
    alive: bool = True
    busy: bool = False
    ended: bool = False
    closed: bool = False

    @property
    def totals(self) -> Key:
        return "TALLIES", self.name


@dataclass
class Actor:
    steps: Generator[Read | Write, Reply, Any]
    step: Read | Write
    then: Callable[[Any], None]
    job: Job | None


class Schedule:
    """One seed's; ``said`` counts the words that draws brought."""

    def __init__(self, seed: int, *, budget: int | None = None) -> None:
        self.chance = chance = random.Random(seed)
        self.memory, self.steps, self.said = MoneyMemory(), 0, Counter[str]()
        self.tree = MoneyTree("r", lambda: 1000 + self.steps / 20)
        self.most = chance.choice([0, 50, 500, 3000, 20000]) if budget is None else budget
        self.memory.run(self.tree.create(self.most))
        self.dearer = chance.random() < 0.4
        """Whether calls may cost more than was reserved."""
        self.lowered = False
        self.budgets = 0
        """How often another one was set: "spent" is of the budget that was read."""
        self._dies, self._twice = chance.choice([0, 0.005, 0.03]), chance.choice([0, 0.05, 0.3])
        self._leaves = chance.sample(LEAVES, chance.choice([1, 2, 4]))
        self.jobs: list[Job] = []
        self.actors: list[Actor] = []

    def play(self, steps: int) -> None:
        while self.steps < steps:
            if len(self.actors) < self.chance.choice([1, 3, 8]):
                self._act()
            if self.actors:
                self._step(self.chance.choice(self.actors))
        self._finish()

    # the scheduler

    def _go(
        self, steps: Steps[Any], then: Callable[[Any], None] = lambda _: None, job: Job | None = None
    ) -> None:
        try:
            step = next(steps)
        except StopIteration:
            return
        if job is not None:
            job.busy = True
        self.actors.append(Actor(steps, step, then, job))

    def _step(self, actor: Actor) -> None:
        fate = self.chance.random()
        if fate < self._dies / 2:
            self._kill(actor)
            return
        reply = self.memory.do(actor.step)
        self.steps += 1
        if isinstance(actor.step, Write) and self.chance.random() < self._twice:
            reply = self.memory.do(actor.step)
        self.check(actor.step)
        if fate < self._dies:
            self._kill(actor)
            return
        try:
            actor.step = actor.steps.send(reply)
        except StopIteration as end:
            self.actors.remove(actor)
            if actor.job is not None:
                actor.job.busy = False
            actor.then(end.value)

    def _kill(self, actor: Actor) -> None:
        self.actors.remove(actor)
        if actor.job is not None:
            actor.job.alive = False

    # the fleet

    def _act(self) -> None:
        what = self.chance.random()
        free = [job for job in self.jobs if job.alive and job.joined and not job.busy]
        if not self.jobs or (len(self.jobs) < 12 and what < 0.1):
            self._start()
        elif what < 0.55 and free:
            self._draw(self.chance.choice(free))
        elif what < 0.75 and free:
            self._book(self.chance.choice(free))
        elif what < 0.88 and free:
            self._give_back(self.chance.choice(free))
        elif what < 0.89:
            self._set_budget()
        elif what < 0.93:
            job = self.chance.choice(self.jobs)
            self._go(self._closing(job), lambda _: setattr(job, "closed", True))
        else:
            path = self.chance.choice(NODES)
            if self.tree.key(path) in self.memory.items:
                self._go(self.chance.choice([self.tree.push, self.tree.tell])(path))

    def _start(self) -> None:
        name, leaf = f"job-{len(self.jobs)}", self.chance.choice(self._leaves)
        money = JobMoney(self.tree, leaf, name, ("TALLIES", name), taken)
        job = Job(name, leaf, money)
        self.jobs.append(job)

        def joined(told: int | None) -> None:
            job.joined, job.alive = True, job.alive and told is not None

        self._go(money.join(), joined, job)

    def _request(self, job: Job, amount: int) -> Request:
        job.seq += 1
        looks = self.chance.random() < 0.3
        return Request(job.seq, amount, self.booked(job), job.told, looks)

    def _draw(self, job: Job) -> None:
        amount, before = self.chance.choice(_AMOUNTS) + max(0, -job.pool), self.budgets

        def done(answer: Drawing) -> None:
            word, job.told, _ = answer
            self.said[word] += 1
            if word == "drawn":
                job.pool += amount
            elif word == "closed":
                job.alive = False
            elif word == "spent" and not self.dearer and not self.came_late and self.budgets == before:
                self._nothing_is_out(amount)

        self._go(job.money.draw(self._request(job, amount)), done, job)

    def _book(self, job: Job) -> None:
        """A part is durable, and its job's totals have it; who wrote it may die before the budget hears."""
        cost = self.chance.randint(0, max(0, job.pool))
        if self.dearer and self.chance.random() < 0.1:
            cost += self.chance.randint(1, 50)
        job.pool -= cost
        self._add(job, cost)

    def _add(self, job: Job, cost: int) -> None:
        totals = self.memory.do(Write(*job.totals, plus={"booked": cost})).item or {}
        if totals.get("ended"):
            self._go(job.money.book_overrun(), job=job)

    def _give_back(self, job: Job) -> None:
        if job.pool < 0:
            return
        request = self._request(job, job.pool)
        job.pool = 0

        def done(told: int) -> None:
            job.told = told

        self._go(job.money.give_back(request), done, job)

    def _set_budget(self) -> None:
        share = self.chance.choice([0.3, 0.8, 1.5, 3])
        limit = int(self._root()["budget"] * share) + self.chance.choice([0, 100])
        self.most, self.lowered = max(self.most, limit), True
        self._go(self.tree.set_budget(limit))

    def _closing(self, job: Job) -> Steps[int]:
        yield Write(*job.totals, sets={"ended": 1})
        job.ended = True
        yield from job.money.close()
        return (yield from job.money.book_overrun())

    # what must hold

    @property
    def came_late(self) -> bool:
        """Whether money came back of which nobody knew any more."""
        return any("U" in item for item in self.memory.items.values())

    def booked(self, job: Job) -> int:
        return int(self.memory.items.get(job.totals, {}).get("booked", 0))

    def _root(self) -> Item:
        return self.memory.items[self.tree.key("")]

    def _node(self, path: str) -> Item | None:
        return self.memory.items.get(self.tree.key(path))

    def check(self, step: Read | Write) -> None:
        if isinstance(step, Read) or step.sk != "BUDGET":
            return
        self.budgets += "budget" in step.sets
        path = step.pk.removeprefix("MONEY#r#")
        item = self.memory.items[step.pk, step.sk]
        funds = item["budget"] if not path else item["got"] - item["given"]
        assert funds == item["R"] + item["S"] - item.get("U", 0) + outstanding(item), (path, item)
        assert item["R"] >= 0 or self.dearer or (self.lowered and not path), (path, item)
        if path:
            self._edge(path)
        for below in NODES:
            if parent(below) == path:
                self._edge(below)
        self._lines(path, item)

    def _edge(self, path: str) -> None:
        item, above = self._node(path), self._node(parent(path)) or {}
        if item is not None:
            g, b, t, u = (above.get(f"{kind}:{path}", 0) for kind in "gbtu")
            assert g >= item["got"], (path, item, above)
            assert b <= item["given"], (path, item, above)
            assert t <= item["S"], (path, item, above)
            assert u <= item.get("U", 0), (path, item, above)

    def _lines(self, path: str, item: Item) -> None:
        for job in self.jobs:
            drawn = item.get(job.money._h)
            if job.leaf == path and drawn is not None:
                assert not job.closed, "a closed job is listed"
                if job.alive and job.joined and not job.busy:
                    assert drawn == self.booked(job) + job.pool, ("granted twice", job, item)

    def _nothing_is_out(self, amount: int) -> None:
        """Spent: no job holds anything, and nothing lies idle but less than was asked for."""
        nodes = [self._root(), *filter(None, map(self._node, NODES))]
        held = sum(
            value if name[0] == "h" else -value
            for item in nodes
            for name, value in item.items()
            if name[:2] in ("h:", "c:")
        )
        assert held == 0, "spent while money was out"
        assert sum(item["R"] for item in nodes[1:]) == 0, "spent while money lay idle"
        assert nodes[0]["R"] < amount

    def _finish(self) -> None:
        """Everybody is closed and every node gives back: every dollar is where it belongs."""
        for job in self.jobs:
            self.memory.run(self._closing(job))
        for _ in range(2):
            self.steps += 100  # a second: nodes push once in one
            for path in sorted((path for path in NODES if self._node(path)), key=len, reverse=True):
                self.memory.run(self.tree.tell(path))
                self.memory.run(self.tree.push(path))
        root, booked = self._root(), sum(map(self.booked, self.jobs))
        lost = sum(max(0, self._held(job) - self.booked(job)) for job in self.jobs)
        assert outstanding(root) == 0, root
        assert root["S"] - root.get("U", 0) == booked + lost, (root, booked, lost)
        assert root["R"] == root["budget"] - booked - lost
        assert self.dearer or booked <= self.most
        if not self._dies:
            returned = [job for job in self.jobs if job.alive and not job.pool and not job.busy]
            assert all(self._held(job) <= self.booked(job) for job in returned if not job.ended)

    def _held(self, job: Job) -> int:
        item = self._node(job.leaf) or {}
        totals = self.memory.items[job.totals]
        return int(item.get(job.money._e, totals["settled"]))


def taken(totals: Item | None) -> int:
    return int((totals or {}).get("booked", 0))
