"""The fleet's ledger with so many jobs that they live in groups, and their money at the leaves of a tree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from handlers.adapters.dynamodb.money.money_paths import (
    counts_for,
    depth_of,
    group_of,
    groups,
    parent,
    path_at,
    paths,
)
from handlers.domain.job import JobStats
from handlers.domain.run import Control
from handlers.errors import EarlierLayoutError
from handlers.ports import Ledger
from tests.builders import values
from tests.builders.fakes import FakeClock
from tests.builders.local_aws import LocalAws
from tests.builders.values import RUN, call, commit
from tests.contract.conftest import begun

BUDGET = 10_000


@pytest.fixture
def table(aws: LocalAws, tmp_path: Path) -> str:
    return begun(aws, tmp_path, rich)


def rich(ledger: Ledger) -> None:
    ledger.create_run(values.run_record(budget=BUDGET))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def fleet(aws: LocalAws, table: str, clock: FakeClock) -> Iterator[DynamoDbLedger]:
    """A run of which 64 jobs are said to work already: those that start live in groups."""
    ledger = DynamoDbLedger(aws.client("dynamodb"), table, clock)
    ledger._table.update(f"RUN#{RUN}", "JOINS", plus={"live": 64})
    for name in ("a", "b", "c"):
        ledger.start_job(values.job(f"job-{name}"))
    yield ledger
    ledger.close()


def test_paths_grow_with_the_jobs_at_work_and_groups_and_parents_are_their_beginnings() -> None:
    assert [depth_of(jobs) for jobs in (-3, 0, 15, 16, 31, 32, 64, 5000)] == [0, 0, 0, 1, 1, 2, 3, 9]
    assert [path_at(chance, 3) for chance in (0, 0.5, 0.999)] == ["000", "100", "111"]
    assert [parent(path) for path in ("1", "1011", "10110", "101101011")] == ["", "", "1", "10110"]
    assert [group_of(path) for path in ("", "1", "10", "101", "101101011")] == ["", "", "", "1", "1011010"]
    assert sum(counts_for(f"job-{job}", 5000) for job in range(4096)) == pytest.approx(4096, rel=0.2)
    assert {counts_for(f"job-{job}", 127) for job in range(99)} == {1}
    assert groups(9)[:4] == ["", "0", "1", "00"]
    assert (len(groups(9)), len(list(paths(9)))) == (255, 1023)


def test_money_goes_down_to_a_job_and_comes_back_up(fleet: DynamoDbLedger, clock: FakeClock) -> None:
    assert fleet.draw(RUN, "job-a", 1, 600) == "drawn"
    assert fleet.budget_state(RUN).drawn == 600
    fleet.commit([commit(job="job-a", calls=[call(cost=200)])])
    fleet.give_back(RUN, "job-a", 2, 300)
    assert fleet.draw(RUN, "job-b", 1, BUDGET) == "short"
    clock.advance(20)
    for _ in range(2):
        clock.advance(2)
        fleet._budgets.sweep(RUN)
        fleet.tidy_budget(RUN, "job-a")
    assert fleet.draw(RUN, "job-b", 2, BUDGET - 300) == "drawn"
    assert fleet.end_job(RUN, "job-a", at=9, outcome="killed", stats=None) == 100
    state = fleet.budget_state(RUN)
    assert (state.budget, state.drawn, state.spend) == (BUDGET, BUDGET, 300)
    assert {each.job_id: each.lost for each in fleet.jobs(RUN)} == {"job-a": 100, "job-b": 0, "job-c": 0}


def test_spent_is_said_once_all_is_told(fleet: DynamoDbLedger, clock: FakeClock) -> None:
    assert fleet.draw(RUN, "job-a", 1, BUDGET - 50) == "drawn"
    assert fleet.draw(RUN, "job-b", 1, 100) == "short"
    fleet.commit([commit(job="job-a", calls=[call(cost=BUDGET - 50)])])
    words = []
    for seq in range(2, 7):
        clock.advance(2)
        fleet.tidy_budget(RUN, "job-a")
        words.append(fleet.draw(RUN, "job-b", seq, 100))
    assert words[-1] == "spent"
    fleet.set_budget(RUN, BUDGET + 100)
    clock.advance(2)
    assert fleet.draw(RUN, "job-b", 7, 100) == "drawn"


def test_what_is_dearer_than_held_is_taken_from_the_run_wherever_the_job_lived(fleet: DynamoDbLedger) -> None:
    fleet.draw(RUN, "job-a", 1, 100)
    fleet.commit([commit(job="job-a", calls=[call(cost=150)])])
    assert fleet.end_job(RUN, "job-a", at=9, outcome="killed", stats=None) == 0
    fleet.commit([commit(job="job-a", part="2", calls=[call(cost=30)])])
    root = fleet._table.get(f"MONEY#{RUN}#", "BUDGET")
    assert root is not None
    assert root["R"] <= BUDGET - 180
    state = fleet.budget_state(RUN)
    assert (state.drawn, state.spend) == (180, 180)
    fleet.give_back(RUN, "job-a", 2, 50)
    assert fleet.budget_state(RUN).drawn == 180


def test_a_look_is_at_the_own_group_and_everybody_at_all(fleet: DynamoDbLedger) -> None:
    for name in "abc":
        fleet.beat(RUN, f"job-{name}", at=10, stats=JobStats(job=name))
    places = {name: group_of(fleet._places.path(RUN, f"job-{name}")) for name in "abc"}
    for name in "abc":
        near = {each.job for each in fleet.live_jobs(RUN, f"job-{name}", since=0)}
        assert near == {other for other in "abc" if places[other] == places[name]}
    assert {each.job for each in fleet.live_jobs(RUN, None, since=0)} == {"a", "b", "c"}
    assert fleet.jobs_at_work(RUN) == 67
    fleet.recount_jobs(RUN)
    assert fleet.jobs_at_work(RUN) == 3
    fleet.end_job(RUN, "job-b", at=11, outcome="finished", stats=None)
    assert fleet.jobs_at_work(RUN) == 2


def test_all_hear_that_money_is_short_until_the_budget_is_raised(
    fleet: DynamoDbLedger, clock: FakeClock
) -> None:
    assert not fleet.heard_control(RUN, "job-b").short
    fleet.draw(RUN, "job-a", 1, BUDGET)
    assert fleet.draw(RUN, "job-b", 1, 1) == "short"
    assert fleet.heard_control(RUN, "any").short
    fleet.set_budget(RUN, BUDGET - 1)
    assert fleet.heard_control(RUN, "any").short
    fleet.set_budget(RUN, BUDGET + 1)
    assert not fleet.heard_control(RUN, "any").short
    assert fleet.heard_control(RUN, "any") == Control("active", "", 0.0)


def test_an_overrun_is_told_to_the_control_item_and_heard_by_every_job(
    fleet: DynamoDbLedger, aws: LocalAws, table: str, clock: FakeClock
) -> None:
    """Also by those that live in other groups, and by those to come; a lesser one is no news."""
    listeners = [f"job-{number}" for number in range(40)]
    fleet.beat(RUN, "job-a", at=11, stats=JobStats(overrun=40, room=2_048))
    other = DynamoDbLedger(aws.client("dynamodb"), table, clock)
    assert {other.heard_control(RUN, each) for each in listeners} == {fleet.control(RUN)}
    assert (other.control(RUN).overrun, other.control(RUN).room) == (40, 2_048)
    version = fleet._control_item(RUN)["version"]
    other.beat(RUN, "job-b", at=12, stats=JobStats(overrun=7))
    assert (other.control(RUN).overrun, other._control_item(RUN)["version"]) == (40, version)
    other.end_job(RUN, "job-b", at=13, outcome="finished", stats=JobStats(overrun=300))
    assert {fleet.heard_control(RUN, each).overrun for each in listeners} == {300}


def test_the_control_item_is_read_strongly_and_what_jobs_hear_is_not(
    fleet: DynamoDbLedger, aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the first, messages are dropped; the second is asked every other second."""
    asked: list[tuple[str, bool]] = []

    def hear(_operation: str, body: bytes) -> bool:
        request = json.loads(body)
        asked.append((request["Key"]["pk"]["S"], request["ConsistentRead"]))
        return False

    monkeypatch.setattr(aws.wire, "loses", hear)
    fleet.control(RUN)
    fleet.heard_control(RUN, "job-a")
    (decided, heard) = asked
    assert decided == (f"RUN#{RUN}", True)
    assert heard[0].startswith(f"CONTROL#{RUN}#") and not heard[1]


def test_who_heard_before_the_budget_was_raised_does_not_say_that_it_is_short(
    fleet: DynamoDbLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.heard_control(RUN, "job-b")
    draw = fleet._budgets.draw

    def raised_meanwhile(*arguments: Any) -> Any:
        word = draw(*arguments)
        fleet.set_budget(RUN, 10 * BUDGET)
        fleet.heard_control(RUN, "job-b")
        return word

    fleet.draw(RUN, "job-a", 1, BUDGET)
    monkeypatch.setattr(fleet._budgets, "draw", raised_meanwhile)
    assert fleet.draw(RUN, "job-b", 1, 1) == "short"
    assert not fleet.control(RUN).short


def test_another_process_goes_on_with_a_job_and_finds_where_it_lives(
    fleet: DynamoDbLedger, aws: LocalAws, table: str, clock: FakeClock
) -> None:
    fleet.draw(RUN, "job-a", 1, 500)
    other = DynamoDbLedger(aws.client("dynamodb"), table, clock)
    assert other.beat(RUN, "job-a", at=5, stats=JobStats())
    assert other.draw(RUN, "job-a", 1, 500) == "drawn"
    other.give_back(RUN, "job-a", 2, 200)
    assert fleet.budget_state(RUN).drawn == 300
    assert fleet.draw(RUN, "job-a", 3, 50) == "drawn", "what the other one told is learned"
    assert other.end_job(RUN, "job-a", at=9, outcome="killed", stats=None) == 350
    assert fleet.draw(RUN, "job-a", 4, 50) == "closed"


def test_a_run_of_an_earlier_layout_is_refused_by_name(fleet: DynamoDbLedger) -> None:
    fleet._table.update(f"RUN#{RUN}", "META", values={"layout": None})
    with pytest.raises(EarlierLayoutError, match="finish it with the release that began it") as refused:
        fleet.run(RUN)
    assert refused.value.spec.model == values.spec().model


def test_of_many_jobs_one_counts_for_all_of_them_and_takes_back_as_much(
    fleet: DynamoDbLedger,
) -> None:
    fleet._table.update(f"RUN#{RUN}", "JOINS", plus={"live": 933})
    names = [
        next(name for name in map(str, range(500)) if counts_for(name, 1000) == many) for many in (0, 16)
    ]
    for name, live in zip(names, (1000, 1016), strict=True):
        fleet._places._read_at.clear()
        fleet.start_job(values.job(name))
        assert fleet.jobs_at_work(RUN) == live
        assert len(fleet._places.path(RUN, name)) == depth_of(live)
    for name in names:
        fleet.end_job(RUN, name, at=9, outcome="finished", stats=None)
    assert fleet.jobs_at_work(RUN) == 1000
