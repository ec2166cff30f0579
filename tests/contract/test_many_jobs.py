"""The fleet's ledger when a run has had thousands of jobs, as on Lambda: what a job reads and writes of the
others depends on those at work, never on those that were."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from handlers.domain.job import JobStats
from handlers.ports import Ledger
from tests.builders import values
from tests.builders.fakes import FakeClock
from tests.builders.local_aws import LocalAws, name_of
from tests.builders.values import RUN, call, commit, entry
from tests.contract.conftest import begun


@pytest.fixture
def table(aws: LocalAws, tmp_path: Path) -> str:
    return begun(aws, tmp_path, rich)


def rich(ledger: Ledger) -> None:
    ledger.create_run(values.run_record(budget=10**9))


@pytest.fixture
def fleet(aws: LocalAws, table: str) -> Ledger:
    return DynamoDbLedger(aws.client("dynamodb"), table, FakeClock())


def _work_and_end(ledger: Ledger, number: int, outcome: str) -> None:
    """One in three dies holding money, one in three books more than it held."""
    job = f"job-{number}"
    ledger.start_job(values.job(job, started=number))
    ledger.draw(RUN, job, 1, 500)
    ledger.commit([commit(job=job, calls=[call(cost=(500, 200, 700)[number % 3])])])
    ledger.end_job(RUN, job, at=number + 1, outcome=outcome, stats=None)


def test_budget_and_heartbeat_do_not_grow_with_the_jobs_that_ended(
    aws: LocalAws, table: str, fleet: Ledger
) -> None:
    client = aws.client("dynamodb")
    for number in range(3):
        _work_and_end(fleet, number, "killed")
    few = _budget(client, table)
    for number in range(3, 12):
        _work_and_end(fleet, number, "killed")
    assert _budget(client, table).keys() == few.keys()
    fleet.start_job(values.job("alive", started=30))
    live = client.query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"LIVE#{RUN}#"}},
    )
    assert [item["job_id"]["S"] for item in live["Items"]] == ["alive"]
    assert len(fleet.live_jobs(RUN, "alive", since=0)) == 1
    jobs, state = fleet.jobs(RUN), fleet.budget_state(RUN)
    assert len(jobs) == 13
    assert sum(each.lost for each in jobs) == 4 * 300
    assert state.spend == state.drawn == 4 * (500 + 500 + 700)


def test_a_heartbeat_asks_twice_whatever_the_run_has_had(
    aws: LocalAws, table: str, fleet: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        _work_and_end(fleet, number, "finished")
    fleet.start_job(values.job("alive", started=30))
    asked: list[str] = []
    monkeypatch.setattr(aws.wire, "loses", lambda operation, _body: asked.append(operation) or False)
    fleet.live_jobs(RUN, "alive", since=0)
    fleet.beat(RUN, "alive", at=31, stats=JobStats())
    assert asked == ["Query", "UpdateItem"]


def test_who_counted_a_batch_last_reads_none_of_its_papers(
    aws: LocalAws, table: str, fleet: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.add_batches([values.batch("b1", ["p1", "p2", "p3", "p4"])])
    assert fleet.lease(RUN, "b1", "job-a", now=0, ttl=60) == 1
    asked: list[str] = []
    monkeypatch.setattr(aws.wire, "loses", lambda operation, _body: asked.append(operation) or False)
    fleet.commit([commit(entry("p1"), part="1")])
    fleet.commit([commit(entry("p2", "failed", error="empty"), part="2")])
    assert "BatchGetItem" not in asked
    other = DynamoDbLedger(aws.client("dynamodb"), table, FakeClock())
    other.commit([commit(entry("p3"), part="3", job="job-b")])
    fleet.commit([commit(entry("p3", "flagged"), part="4")])
    fleet.commit([commit(entry("p4"), part="5")])
    counts = fleet.totals(RUN).counts
    assert (counts["done"], counts["failed"], counts["flagged"]) == (3, 1, 0)
    assert fleet.finish_batch(RUN, "b1", now=1)


def test_what_a_closed_job_booked_beyond_its_grant_is_told_once(fleet: Ledger) -> None:
    _work_and_end(fleet, 0, "killed")
    late = commit(job="job-0", part="2", calls=[call(cost=50)])
    for _ in range(2):
        fleet.commit([late])
        assert fleet.budget_state(RUN).drawn == 550
    fleet.commit([commit(job="job-0", part="3", calls=[call(cost=5)])])
    fleet.give_back(RUN, "job-0", 1, 500)  # heard as a draw before it was closed: nothing to return
    state = fleet.budget_state(RUN)
    assert state.drawn == state.spend == 555


@pytest.mark.slow
def test_jobs_that_draw_while_others_bury_them_leave_an_exact_budget(
    dynalite: LocalAws, tmp_path: Path
) -> None:
    """Each job is a zombie to somebody: it draws, books and returns while two others close it."""
    client, name = dynalite.client("dynamodb"), dynalite.table(name_of(tmp_path))

    def open_ledger() -> Ledger:
        return DynamoDbLedger(client, name, FakeClock())

    first = open_ledger()
    first.create_run(values.run_record(budget=10**9))
    jobs = [f"job-{number}" for number in range(12)]
    for job in jobs:
        first.start_job(values.job(job))

    def live(job: str) -> None:
        """As a budget lease does: a call dearer than reserved is paid from what it has."""
        ledger, chance, pool = open_ledger(), random.Random(job), 0
        for seq in range(1, 13):
            if pool > 0 and chance.random() < 0.4:
                ledger.give_back(RUN, job, seq, pool)
                pool = 0
            elif ledger.draw(RUN, job, seq, 100) == "drawn":
                cost = chance.choice((60, 100, 130))
                ledger.commit([commit(job=job, part=str(seq), calls=[call(cost=cost)])])
                pool += 100 - cost

    def bury(job: str) -> None:
        open_ledger().end_job(RUN, job, at=1, outcome="killed", stats=None)

    with ThreadPoolExecutor(8) as pool:
        work = [pool.submit(each, job) for job in jobs for each in (live, bury, bury)]
        for each in work:
            each.result()
    for job in jobs:
        first.end_job(RUN, job, at=2, outcome="killed", stats=None)
    state, found = first.budget_state(RUN), _budget(client, name)
    assert state.drawn == state.spend
    assert int(found["R"]["N"]) == 10**9 - state.drawn
    assert not [each for each in found if each.startswith("h:")], "no closed job is listed as open"


def _budget(client: Any, table: str) -> dict[str, Any]:
    key = {"pk": {"S": f"MONEY#{RUN}#"}, "sk": {"S": "BUDGET"}}
    item: dict[str, Any] = client.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    return item
