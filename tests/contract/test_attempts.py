"""``Ledger``: attempts at a batch are counted in advance and pardoned once; a commit can be repeated."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from handlers.domain.ledger import Attempt
from handlers.errors import PaperfleetError
from handlers.ports import Ledger
from tests.builders.fakes import FakeClock
from tests.builders.local_aws import LocalAws
from tests.builders.values import RUN, batch, call, commit, entry, run_record
from tests.contract.conftest import begun

FIVE = Attempt("1/m1", most=5)


def hold(ledger: Ledger, now: float, attempt: Attempt = FIVE) -> int | None:
    return ledger.lease(RUN, "b1", "job-a", now=now, ttl=60, attempt=attempt)


def attempts(ledger: Ledger) -> tuple[int, int]:
    state = ledger.lease_state(RUN, "b1")
    assert state is not None
    return state.attempts, state.pardons


def test_a_holder_who_dies_five_times_gets_the_batch_no_more(ledger: Ledger) -> None:
    for number in range(5):
        assert hold(ledger, 100.0 * number) == number + 1
    assert hold(ledger, 900.0) is None
    assert attempts(ledger) == (5, 0)


def test_a_lease_that_ran_out_may_be_left_to_its_holder_and_one_that_ended_is_free(ledger: Ledger) -> None:
    late = FIVE._replace(overdue=1800)
    assert hold(ledger, 2000) == 1
    assert hold(ledger, 2061, late) is None
    assert hold(ledger, 2060 + 1799, late) is None
    assert attempts(ledger) == (1, 0)
    assert ledger.extend_lease(RUN, "b1", 1, now=3000, ttl=60)
    assert hold(ledger, 3060 + 1800, late) == 2
    ledger.end_lease(RUN, "b1", 2)
    assert hold(ledger, 4861, late) == 3


def test_a_pardon_counts_once_and_only_for_who_holds_the_lease(ledger: Ledger) -> None:
    hold(ledger, 0)
    epoch = hold(ledger, 100)
    assert epoch == 2
    ledger.end_lease(RUN, "b1", 1, pardon=True)
    assert attempts(ledger) == (2, 0)
    for _ in range(3):
        ledger.end_lease(RUN, "b1", epoch, pardon=True)
    assert attempts(ledger) == (1, 1)
    state = ledger.lease_state(RUN, "b1")
    assert state is not None and (state.lease_until, state.message) == (0, "1/m1")


def test_pardons_never_give_more_than_was_taken(ledger: Ledger) -> None:
    epoch = hold(ledger, 0)
    assert epoch
    ledger.forgive(RUN)
    ledger.end_lease(RUN, "b1", epoch, pardon=True)
    assert attempts(ledger)[0] == 0
    assert hold(ledger, 1) == 2


def test_a_batch_goes_back_and_forth_for_as_long_as_it_is_pardoned(ledger: Ledger) -> None:
    for number in range(12):
        epoch = hold(ledger, number)
        assert epoch == number + 1
        ledger.end_lease(RUN, "b1", epoch, pardon=True)
    assert attempts(ledger) == (0, 12)


@pytest.mark.parametrize("mended", ["forgive", "reopen"])
def test_who_mends_something_gives_all_attempts_back(ledger: Ledger, mended: str) -> None:
    for number in range(5):
        hold(ledger, 100.0 * number)
    if mended == "forgive":
        ledger.forgive(RUN)
    else:
        ledger.commit([commit(entry("p1", "failed"), entry("p2"))])
        assert ledger.finish_batch(RUN, "b1", now=600)
        ledger.reopen(RUN, statuses=["failed"], error=None)
    assert attempts(ledger) == (0, 0)
    assert hold(ledger, 900.0) == 6


def test_a_batch_that_is_not_there_has_no_state(ledger: Ledger) -> None:
    assert ledger.lease_state(RUN, "b9") is None


def test_parts_that_are_not_booked_are_told(ledger: Ledger) -> None:
    booked = commit(entry("p1"), calls=[call()])
    ledger.commit([booked])
    others = [("job-b", "b1/2-job-b-1"), ("job-a", "b1/1-job-a-2")]
    asked = [others[0], (booked.job_id, booked.part_id), others[1]]
    assert ledger.unbooked(RUN, asked) == others
    assert ledger.unbooked(RUN, []) == []


def test_a_ledger_that_answers_is_not_away(ledger: Ledger) -> None:
    hold(ledger, 0)
    assert ledger.away_for() == 0


def two_papers(ledger: Ledger) -> None:
    ledger.add_batches([batch("b1", ["p1", "p2"])])
    ledger.create_run(run_record(papers=2, budget=10_000))


@pytest.mark.parametrize("another", [False, True])
@pytest.mark.parametrize("writes", range(5))
def test_a_commit_that_an_outage_cut_short_is_done_by_the_same_commit_again(
    aws: LocalAws, tmp_path: Path, writes: int, another: bool
) -> None:
    """Wherever it was cut: by the same process, which remembers sums, or by another one."""
    table, client, count = begun(aws, tmp_path, two_papers), aws.client("dynamodb"), itertools.count()
    ledger = DynamoDbLedger(client, table, FakeClock())
    ledger.commit([commit(calls=[call("before", cost=7)], part="0")])
    calls = [call("a", cost=300), call("b", cost=200)]
    part = commit(entry("p1", cost=300), entry("p2", cost=200), calls=calls)
    aws.wire.refuses = lambda operation: operation in ("PutItem", "UpdateItem") and next(count) >= writes
    with pytest.raises(PaperfleetError):
        ledger.commit([part])
    aws.wire.refuses = lambda _operation: False
    if another:
        ledger = DynamoDbLedger(client, table, FakeClock())
    ledger.commit([part])
    ledger.commit([commit(calls=[call("after", cost=5)], part="9")])
    totals = ledger.totals(RUN)
    assert (totals.counts["done"], totals.calls.sent, totals.calls.cost) == (2, 4, 512)
    assert {row.paper_id: row.cost for row in ledger.entries(RUN)} == {"p1": 300, "p2": 200}
    assert ledger.finish_batch(RUN, "b1", now=1)
