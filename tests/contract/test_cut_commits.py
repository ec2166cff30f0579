"""The fleet's ledger when a job dies between two writes of a commit: part, calls, answers, papers, counts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from handlers.domain.ledger import Commit
from handlers.domain.result import PartPointer
from handlers.ports import Ledger
from tests.builders import values
from tests.builders.fakes import FakeClock
from tests.builders.local_aws import LocalAws
from tests.builders.values import RUN, call, commit, entry
from tests.contract.conftest import begun, shared_client

_WRITES = ("put_item", "update_item")


class DeadError(RuntimeError):
    """Of a process that is no more."""


class Dying:
    """A client of a process that dies before its nth write, and asks nothing more."""

    def __init__(self, client: Any, nth: int) -> None:
        self._client = client
        self._nth = nth
        self._writes = itertools.count(1)
        self._dead = False

    def __getattr__(self, operation: str) -> Any:
        return lambda **request: self._call(operation, request)

    def _call(self, operation: str, request: dict[str, Any]) -> Any:
        self._dead = self._dead or (operation in _WRITES and next(self._writes) == self._nth)
        if self._dead:
            raise DeadError
        return getattr(self._client, operation)(**request)


def place(number: int) -> PartPointer:
    return PartPointer(key="runs/r/results/b1/1-job-a-1.jsonl.zst", offset=100 * number, length=100)


def part(job: str, generation: int = 1) -> Commit:
    """Two passages of ``p1``, one without a call, and the end of ``p2``."""
    return commit(
        entry("p1", "pending", pointer=place(1), cost=10, generation=generation),
        entry("p1", "pending", pointer=place(2), generation=generation),
        entry("p2", pointer=place(3), cost=5, generation=generation),
        job=job,
        calls=[call(job, cost=15)],
    )


@pytest.fixture
def table(aws: LocalAws, tmp_path: Path) -> str:
    return begun(aws, tmp_path, two_papers)


def two_papers(ledger: Ledger) -> None:
    ledger.add_batches([values.batch("b1", ["p1", "p2"])])
    ledger.create_run(values.run_record(papers=2))


@pytest.fixture
def ledger(aws: LocalAws, table: str) -> Iterator[DynamoDbLedger]:
    ledger = DynamoDbLedger(shared_client("dynamodb", aws), table, FakeClock())
    ledger.start_job(values.job("job-a"))
    return ledger


@pytest.mark.parametrize("nth", [3, 5, *(pytest.param(nth, marks=pytest.mark.slow) for nth in (2, 4, 6, 7))])
def test_whoever_takes_over_a_cut_commit_ends_with_all_papers_and_all_money(
    aws: LocalAws, table: str, ledger: DynamoDbLedger, nth: int
) -> None:
    """Calls, their sum, two answers, two papers, a batch's counts: seven writes."""
    client = Dying(shared_client("dynamodb", aws), nth)
    with pytest.raises(DeadError):
        DynamoDbLedger(client, table, FakeClock()).commit([part("job-a")])
    there = [each.pointer for each in ledger.answers(RUN, "b1").get("p1", [])]
    assert set(there) <= {place(1), place(2)}
    if nth > 4:
        assert len(there) == 2, "they are known before a paper or a count says anything"
    rows = ledger.paper_rows(RUN, ["p1", "p2"])
    if "p2" not in rows:  # the next holder is answered what it asks again
        ledger.commit([commit(entry("p2", pointer=place(9)), job="job-b", calls=[call("b", cost=5)])])
    ledger.commit([commit(entry("p1", pointer=place(8), cost=1), job="job-b", part="2", calls=[call("c")])])
    assert ledger.finish_batch(RUN, "b1", now=1)
    ledger.end_job(RUN, "job-a", at=9.0, outcome="killed", stats=None)
    totals = ledger.totals(RUN)
    assert (totals.counts["done"], totals.calls.sent) == (2, 2 if "p2" in rows else 3)
    assert [each.pointer for each in ledger.answers(RUN, "b1").get("p1", [])] == there


def test_a_commit_that_ends_no_paper_counts_none(
    aws: LocalAws, ledger: DynamoDbLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A passage's answer costs as many requests in a batch of a thousand papers as in one of two."""
    ledger.commit([part("job-a")])
    asked: list[str] = []
    monkeypatch.setattr(aws.wire, "loses", lambda operation, _body: asked.append(operation) or False)
    ledger.commit([commit(entry("p1", "pending", pointer=place(4)), part="2", calls=[call("d")])])
    assert sorted(asked) == ["PutItem", "PutItem", "PutItem", "UpdateItem", "UpdateItem"]
