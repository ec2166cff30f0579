"""The fleet's ledger, queue and store when an answer is lost and the SDK sends the request again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from handlers.adapters.aws.s3_store import S3Store
from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from handlers.domain.result import Part
from handlers.ports import Ledger
from tests.builders import values
from tests.builders.fakes import FakeClock
from tests.builders.local_aws import LocalAws, answered_here, name_of
from tests.builders.values import RUN, call, commit, entry


class EachOnce:
    """Loses the first answer to each different request of these operations: all are sent twice."""

    def __init__(self, *operations: str) -> None:
        self._operations = operations
        self._known: set[bytes] = set()
        self.seen: Counter[str] = Counter()

    def __call__(self, operation: str, body: bytes) -> bool:
        self.seen[operation] += 1
        if operation not in self._operations or body in self._known:
            return False
        self._known.add(body)
        return True


def client(service: str, aws: LocalAws) -> Any:
    """Backs off for milliseconds, where the fleet's own waits for seconds."""
    config = Config(retries={"mode": "legacy", "total_max_attempts": 4}, s3={"addressing_style": "path"})
    return answered_here(boto3.client(service, endpoint_url=aws.endpoint, config=config), aws.wire)


@pytest.fixture
def loses(aws: LocalAws) -> Iterator[EachOnce]:
    lost = EachOnce("UpdateItem", "PutItem", "PUT")
    yield lost
    aws.wire.loses = lambda _operation, _body: False
    assert max(lost.seen.values()) > 0


@pytest.fixture
def ledger(aws: LocalAws, tmp_path: Path, loses: EachOnce) -> Iterator[Ledger]:
    """A run with a budget of 1,000 nano-USD, made and used while answers are lost."""
    ledger = DynamoDbLedger(client("dynamodb", aws), aws.table(name_of(tmp_path)), FakeClock())
    aws.wire.loses = loses
    ledger.add_batches([values.batch("b1", ["p1", "p2"]), values.batch("b2", ["p3", "p4"])])
    ledger.create_run(values.run_record(budget=1000))
    ledger.start_job(values.job())
    yield ledger
    ledger.close()


def test_a_grant_is_taken_and_returned_once(ledger: Ledger) -> None:
    assert ledger.draw(RUN, "job-a", 1, 600) == "drawn"
    assert ledger.budget_state(RUN).drawn == 600
    ledger.give_back(RUN, "job-a", 2, 250)
    assert ledger.budget_state(RUN).drawn == 350
    assert ledger.draw(RUN, "job-a", 3, 651) != "drawn"
    assert ledger.draw(RUN, "job-a", 4, 650) == "drawn"


def test_a_lease_is_won_by_the_request_that_won_it(ledger: Ledger) -> None:
    assert ledger.lease(RUN, "b1", "job-a", now=0, ttl=60) == 1
    assert ledger.lease(RUN, "b1", "job-b", now=1, ttl=60) is None
    assert ledger.extend_lease(RUN, "b1", 1, now=30, ttl=60)


def test_a_commit_is_taken_and_paid_once(ledger: Ledger) -> None:
    part = commit(entry("p1", cost=300), entry("p2", "pending", cost=200), calls=[call(cost=500)])
    assert ledger.commit([part]) == {(RUN, "p1"), (RUN, "p2")}
    assert ledger.commit([commit(entry("p2", cost=70), part="2", calls=[call(cost=70)])]) == {(RUN, "p2")}
    rows = ledger.paper_rows(RUN, ["p1", "p2"])
    assert (rows["p1"].cost, rows["p2"].cost, rows["p2"].status) == (300, 270, "done")
    totals = ledger.totals(RUN)
    assert (totals.calls.sent, totals.calls.cost, totals.counts["done"]) == (2, 570, 2)
    assert ledger.finish_batch(RUN, "b1", now=1)


def test_a_dead_job_is_settled_once(ledger: Ledger) -> None:
    ledger.draw(RUN, "job-a", 1, 500)
    ledger.commit([commit(calls=[call(cost=200)])])
    assert ledger.end_job(RUN, "job-a", at=9, outcome="killed", stats=None) == 300
    assert ledger.end_job(RUN, "job-a", at=10, outcome="killed", stats=None) == 0
    state = ledger.budget_state(RUN)
    assert (state.drawn, state.spend) == (500, 500)


def test_what_is_held_is_let_go_once(ledger: Ledger) -> None:
    ledger.draw(RUN, "job-a", 1, 500)
    ledger.commit([commit(calls=[call(cost=100, held=300, indeterminate=True, usage=None)])])
    assert ledger.end_job(RUN, "job-a", at=9, outcome="killed", stats=None) == 100
    assert ledger.release_held(RUN, keep=120) == 180
    assert ledger.release_held(RUN, keep=120) == 0
    state = ledger.budget_state(RUN)
    assert (state.drawn, state.spend, state.held) == (320, 200, 120)


def test_papers_are_reopened_once(ledger: Ledger) -> None:
    ledger.commit([commit(entry("p1", "failed", error="empty"), entry("p2"))])
    assert ledger.finish_batch(RUN, "b1", now=1)
    assert ledger.reopen(RUN, statuses=["failed"], error=None) == 1
    assert ledger.totals(RUN).counts["pending"] == 3
    assert [each.batch_id for each in ledger.unfinished_batches(RUN)] == ["b1", "b2"]


def test_a_session_counts_each_paper_once(ledger: Ledger) -> None:
    ledger.open_session(values.session("s-lost", limit=2))
    assert [ledger.take_start("s-lost") for _ in range(3)] == [True, True, False]


def test_a_part_that_is_written_twice_is_one_part(aws: LocalAws, tmp_path: Path, loses: EachOnce) -> None:
    store = S3Store(client("s3", aws), aws.bucket(name_of(tmp_path)))
    aws.wire.loses = loses
    part = Part("r", "b1/1-job-1", (b"one\n", b"two\n"))
    ((first, second),) = store.write_parts("job", [part])
    assert loses.seen["PUT"] == 2
    assert store.read(second.key, second.offset, second.length) == b"two\n"
    assert (first.offset, second.offset) == (0, 4)
    store.close()
