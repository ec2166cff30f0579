"""The budget's tree under random schedules of its requests: no dollar is lost, and none is granted twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from handlers.adapters.dynamodb.money.money_leaf import JobMoney, Request
from handlers.adapters.dynamodb.money.money_steps import Steps, Write
from handlers.adapters.dynamodb.money.money_tree import MoneyTree, outstanding
from tests.builders.money_memory import MoneyMemory
from tests.faults.money_schedules import Schedule, taken


def played(seeds: range, steps: int) -> Counter[str]:
    """What draws were told, over all schedules; each ends with every dollar where it belongs."""
    said: Counter[str] = Counter()
    for seed in seeds:
        schedule = Schedule(seed)
        schedule.play(steps)
        said += schedule.said
    return said


def test_every_dollar_is_where_it_belongs_whoever_dies_when() -> None:
    """Long ones: that a parent hears twice of a child takes some hundred requests to come about."""
    assert played(range(1000, 1030), 600).keys() == {"drawn", "busy", "closed", "short", "spent"}


@pytest.mark.slow
def test_the_same_of_thousands_of_schedules() -> None:
    assert min(played(range(3000), 600).values()) > 1000


@pytest.mark.parametrize("seed", [7, 19])
def test_a_run_without_a_limit_is_never_short(seed: int) -> None:
    schedule = Schedule(seed, budget=10**30)
    schedule.play(150)
    assert schedule.said.keys() <= {"drawn", "busy", "closed"}


class Race:
    """Two protocols of one job, of which the second runs whole between two requests of the first."""

    def __init__(self, leaf: str) -> None:
        self.memory, self.tree = MoneyMemory(), MoneyTree("r", lambda: 1000.0)
        self.memory.run(self.tree.create(1000))
        self.money = JobMoney(self.tree, leaf, "job", ("TALLIES", "job"), taken)
        self.memory.do(Write("TALLIES", "job", sets={"booked": 0}))

    def between(self, first: Steps[Any], second: Callable[[], Steps[Any]], requests: int) -> None:
        """After so many requests of the first, or after all of them."""
        done = 0
        with suppress(StopIteration):
            step = next(first)
            while True:
                reply = self.memory.do(step)
                done += 1
                if done == requests:
                    self.memory.run(second())
                step = first.send(reply)
        if done < requests:
            self.memory.run(second())

    def closing(self) -> Steps[None]:
        yield Write("TALLIES", "job", sets={"ended": 1})
        yield from self.money.close()
        yield from self.money.book_overrun()

    def sums(self) -> tuple[int, int, int]:
        """What is spent and what is left at the root, and lines of jobs."""
        for path in ("10110", "1"):
            self.memory.run(self.tree.tell(path))
        node = self.memory.items.get(self.tree.key("10110"), {"got": 0, "given": 0, "R": 0, "S": 0})
        assert node["got"] - node["given"] == node["R"] + node["S"] + outstanding(node)
        root = self.memory.items[self.tree.key("")]
        lines = sum(name[:2] == "h:" for item in self.memory.items.values() for name in item)
        return root["S"], root["R"] + outstanding(root), lines


@pytest.mark.parametrize("requests", range(1, 8))
def test_no_job_joins_while_it_is_closed(requests: int) -> None:
    for order in range(2):
        race = Race("")
        pair = race.money.join, race.closing
        race.between(pair[order](), pair[1 - order], requests)
        assert race.sums() == (0, 1000, 0)


@pytest.mark.parametrize("leaf", ["", "10110"])
@pytest.mark.parametrize("requests", range(1, 8))
def test_what_two_find_booked_beyond_what_was_held_is_taken_once(requests: int, leaf: str) -> None:
    race = Race(leaf)
    race.memory.run(race.money.join())
    race.memory.run(race.money.draw(Request(1, 100, 0, 0)))
    race.memory.run(race.closing())
    race.memory.do(Write("TALLIES", "job", plus={"booked": 130}))
    race.between(race.money.book_overrun(), race.money.book_overrun, requests)
    race.memory.do(Write("TALLIES", "job", plus={"booked": 20}))
    race.between(race.money.book_overrun(), race.money.book_overrun, requests)
    assert race.sums() == (150, 850, 0)


@pytest.mark.parametrize("requests", range(1, 8))
def test_two_that_close_a_job_settle_it_once(requests: int) -> None:
    race = Race("10110")
    race.memory.run(race.money.join())
    race.memory.run(race.money.draw(Request(1, 100, 0, 0)))
    race.between(race.closing(), race.closing, requests)
    assert race.sums() == (100, 900, 0)


@pytest.mark.parametrize("requests", range(1, 8))
def test_a_join_that_is_under_way_is_seen_or_refused(requests: int) -> None:
    """It has read that nobody closed the job; its line comes while somebody does."""
    race = Race("")
    joining = race.money.join()
    step = next(joining)
    for _ in range(2):
        step = joining.send(race.memory.do(step))

    def line() -> Steps[None]:
        yield step

    race.between(race.closing(), line, requests)
    assert race.sums() == (0, 1000, 0)


@pytest.mark.parametrize("requests", range(1, 8))
def test_a_node_that_two_make_is_made_once(requests: int) -> None:
    race = Race("10110")

    def draws() -> Steps[Any]:
        yield from race.money.join()
        yield from race.money.draw(Request(1, 100, 0, 0))

    race.between(race.tree.node("10110"), draws, requests)
    assert race.sums() == (0, 1000, 1)


def test_who_was_refused_reads_before_it_writes() -> None:
    race, heard = Race("10110"), list[str]()
    told = MoneyMemory(lambda key, kind, units: heard.append(kind))
    told.items = race.memory.items
    told.run(race.money.join())
    assert told.run(race.money.draw(Request(1, 600, 0, 0))).word == "drawn"
    race.tree.now = lambda: 1001.0
    assert told.run(race.money.draw(Request(2, 600, 0, 0))).word == "short"
    heard.clear()
    assert told.run(race.money.draw(Request(3, 600, 0, 0, looks=True))).word == "short"
    assert heard == ["R"], "the leaf says that it is dry"
    race.tree.now = lambda: 1004.0
    told.do(race.tree.write("10110", plus={"R": 600}))
    assert told.run(race.money.draw(Request(4, 600, 0, 0, looks=True))).word == "drawn"
