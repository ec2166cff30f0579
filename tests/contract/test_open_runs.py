"""``Ledger``: which runs somebody is to look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from handlers.domain.run import Control
from handlers.ports import Ledger
from tests.builders import values
from tests.builders.fakes import FakeClock
from tests.builders.local_aws import LocalAws, name_of
from tests.builders.values import RUN, commit, entry


def ids(ledger: Ledger) -> list[str]:
    return [run.run_id for run in ledger.open_runs()]


def test_runs_are_open_from_their_making_the_newest_first(
    ledger: Ledger, open_ledger: Callable[[], Ledger]
) -> None:
    from dataclasses import replace

    for number, name in enumerate(("b", "a"), start=1):
        ledger.create_run(replace(values.run_record(name), created_at=float(number)))
    assert ids(open_ledger()) == ["a", "b", RUN]
    ledger.create_run(values.run_record())
    assert len(ids(ledger)) == 3


def test_a_closed_run_is_open_again_once_somebody_arms_it(ledger: Ledger) -> None:
    def close() -> None:
        (run,) = ledger.open_runs()
        ledger.close_run(run)
        assert ids(ledger) == []

    close()
    ledger.set_control(RUN, Control("paused", "", 1.0))
    assert ids(ledger) == []
    ledger.set_control(RUN, Control("active", "", 2.0))
    assert ids(ledger) == [RUN]
    close()
    ledger.commit([commit(entry("p1", "failed"))])
    ledger.reopen(RUN, statuses=["flagged"], error=None)
    assert ids(ledger) == []
    ledger.reopen(RUN, statuses=["failed"], error=None)
    assert ids(ledger) == [RUN]


def test_a_run_that_was_armed_since_it_was_read_stays_open(ledger: Ledger) -> None:
    (run,) = ledger.open_runs()
    ledger.set_control(RUN, Control("active", "", 2.0))
    ledger.looked_at(run, at=5.0)
    ledger.close_run(run)
    (run,) = ledger.open_runs()
    assert run.looked_at == 0
    ledger.looked_at(run, at=7.0)
    assert [each.looked_at for each in ledger.open_runs()] == [7.0]


def test_runs_of_an_earlier_release_are_open_until_somebody_has_looked(aws: LocalAws, tmp_path: Path) -> None:
    table, client = aws.table(name_of(tmp_path)), aws.client("dynamodb")
    ledger = DynamoDbLedger(client, table, FakeClock())
    ledger.create_run(values.run_record())
    client.delete_item(TableName=table, Key={"pk": {"S": "OPEN"}, "sk": {"S": f"RUN#{RUN}"}})
    assert ids(ledger) == [RUN]
    (run,) = ledger.open_runs()
    ledger.close_run(run)
    assert ids(ledger) == []


def test_one_of_those_who_wait_for_the_end_counts_the_papers_at_a_time(
    open_ledger: Callable[[], Ledger], ledger: Ledger
) -> None:
    """Where a count is billed; a file's own ledger may be asked each time."""
    another, billed = open_ledger(), isinstance(ledger, DynamoDbLedger)
    turns = [
        each.counts_now(RUN, at=at, every=10) for at in (100.0, 104.0, 110.0) for each in (ledger, another)
    ]
    assert turns == ([True, False, False, False, True, False] if billed else [True] * 6)
    (run,) = ledger.open_runs()
    ledger.close_run(run)
    assert ledger.counts_now(RUN, at=111.0, every=10)
    assert ids(ledger) == []
