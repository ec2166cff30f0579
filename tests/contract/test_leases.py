"""``Ledger``: runs, batches and their leases."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from handlers.domain.run import Control
from handlers.errors import PaperfleetError, UnknownRunError
from handlers.ports import Ledger
from tests.builders import values
from tests.builders.fakes import FakeClock
from tests.builders.local_aws import LocalAws, name_of
from tests.builders.values import RUN


def test_a_run_is_created_once_and_the_first_settings_stand(ledger: Ledger) -> None:
    again = ledger.create_run(values.run_record(model="model-b", papers=9))
    assert again.spec.model == "model-a"
    assert (again.papers, ledger.run_ids()) == (4, [RUN])


@pytest.mark.parametrize("ask", ["run", "control", "budget_state", "totals"])
def test_an_unknown_run_is_an_error(ledger: Ledger, ask: str) -> None:
    with pytest.raises(UnknownRunError, match="nowhere"):
        getattr(ledger, ask)("nowhere")


def test_a_new_run_is_active_and_its_control_item_is_kept(ledger: Ledger) -> None:
    assert ledger.control(RUN).state == "active"
    ledger.set_control(RUN, Control("parked", "no credit", 5.0))
    assert ledger.control(RUN) == Control("parked", "no credit", 5.0)


def test_only_an_active_run_is_parked_and_the_first_reason_stands(ledger: Ledger) -> None:
    ledger.park(RUN, Control("parked", "no credit", 5.0))
    ledger.park(RUN, Control("parked", "another reason", 6.0))
    assert ledger.control(RUN).reason == "no credit"
    ledger.set_control(RUN, Control("cancelled", "by hand", 7.0))
    ledger.park(RUN, Control("parked", "too late", 8.0))
    assert ledger.control(RUN).state == "cancelled"


def test_batches_are_put_once_and_come_in_the_order_of_the_cut(ledger: Ledger) -> None:
    assert ledger.add_batches([values.batch("b2", ["p9"]), values.batch("b3", ["p5"])]) == 1
    assert [(each.batch_id, each.ids) for each in ledger.unfinished_batches(RUN)] == [
        ("b1", ("p1", "p2")),
        ("b2", ("p3", "p4")),
        ("b3", ("p5",)),
    ]


def test_an_expired_lease_passes_to_the_next_worker(ledger: Ledger) -> None:
    assert ledger.lease(RUN, "b1", "job-a", now=0, ttl=60) == 1
    assert ledger.lease(RUN, "b1", "job-b", now=59, ttl=60) is None
    assert ledger.lease(RUN, "b1", "job-b", now=60, ttl=60) == 2


def test_an_extended_lease_lasts_from_the_extension(ledger: Ledger) -> None:
    ledger.lease(RUN, "b1", "job-a", now=0, ttl=60)
    assert ledger.extend_lease(RUN, "b1", 1, now=50, ttl=60)
    assert ledger.lease(RUN, "b1", "job-b", now=109, ttl=60) is None
    assert ledger.lease(RUN, "b1", "job-b", now=110, ttl=60) == 2


def test_a_lease_that_passed_on_can_be_neither_extended_nor_ended_by_its_old_holder(ledger: Ledger) -> None:
    ledger.lease(RUN, "b1", "job-a", now=0, ttl=60)
    ledger.lease(RUN, "b1", "job-b", now=60, ttl=60)
    assert not ledger.extend_lease(RUN, "b1", 1, now=61, ttl=60)
    ledger.end_lease(RUN, "b1", 1)
    assert ledger.lease(RUN, "b1", "job-c", now=62, ttl=60) is None


def test_a_lease_that_ended_frees_the_batch_and_cannot_come_back(ledger: Ledger) -> None:
    ledger.lease(RUN, "b1", "job-a", now=0, ttl=60)
    ledger.end_lease(RUN, "b1", 1)
    assert not ledger.extend_lease(RUN, "b1", 1, now=1, ttl=60)
    assert ledger.lease(RUN, "b1", "job-b", now=1, ttl=60) == 2


def test_an_unknown_batch_cannot_be_leased_or_finished(ledger: Ledger) -> None:
    assert ledger.lease(RUN, "b9", "job-a", now=0, ttl=60) is None
    assert not ledger.finish_batch(RUN, "b9", now=0)


def test_leases_of_a_dead_job_are_freed_and_its_batches_named(ledger: Ledger) -> None:
    ledger.lease(RUN, "b1", "job-a", now=0, ttl=60)
    ledger.lease(RUN, "b2", "job-b", now=0, ttl=60)
    assert [each.batch_id for each in ledger.free_leases(RUN, "job-a")] == ["b1"]
    assert ledger.free_leases(RUN, "job-a") == []
    assert ledger.lease(RUN, "b1", "job-c", now=1, ttl=60) == 2
    assert ledger.lease(RUN, "b2", "job-c", now=1, ttl=60) is None


def test_a_batch_is_finished_when_all_its_papers_are(ledger: Ledger) -> None:
    assert not ledger.finish_batch(RUN, "b1", now=1)
    ledger.commit([values.commit(values.entry("p1"))])
    assert not ledger.finish_batch(RUN, "b1", now=2)
    ledger.commit([values.commit(values.entry("p2", "failed", error="x"), part="2")])
    assert ledger.finish_batch(RUN, "b1", now=3)
    assert ledger.finish_batch(RUN, "b1", now=4), "finishing twice changes nothing"
    assert ledger.lease(RUN, "b1", "job-a", now=5, ttl=60) is None
    assert [each.batch_id for each in ledger.unfinished_batches(RUN)] == ["b2"]
    assert ledger.totals(RUN).batches == 2


def test_runs_in_one_ledger_do_not_see_each_other(ledger: Ledger) -> None:
    ledger.add_batches([values.batch("b1", ["p1", "p2"], run_id="other")])
    ledger.create_run(values.run_record("other", papers=2))
    ledger.lease(RUN, "b1", "job-a", now=0, ttl=60)
    assert ledger.lease("other", "b1", "job-b", now=0, ttl=60) == 1
    ledger.commit([values.commit(values.entry("p1"))])
    assert ledger.totals("other").counts["done"] == 0
    assert ledger.paper_rows("other", ["p1"]) == {}


def test_of_many_racing_for_a_lease_one_gets_it(ledger: Ledger, open_ledger: Callable[[], Ledger]) -> None:
    ledgers = [open_ledger() for _ in range(8)]
    with ThreadPoolExecutor(len(ledgers)) as pool:
        won = list(
            pool.map(
                lambda pair: pair[1].lease(RUN, "b1", f"job-{pair[0]}", now=0, ttl=60), enumerate(ledgers)
            )
        )
    assert sorted(epoch for epoch in won if epoch is not None) == [1]


def test_what_jobs_hear_is_what_was_decided(ledger: Ledger, open_ledger: Callable[[], Ledger]) -> None:
    listeners = [f"job-{number}" for number in range(20)]
    for control in (Control("parked", "no credit", 5.0), Control("active", "", 6.0)):
        ledger.set_control(RUN, control)
        other = open_ledger()
        assert {other.heard_control(RUN, each) for each in listeners} == {control}
    ledger.park(RUN, Control("parked", "again", 7.0))
    assert ledger.heard_control(RUN, "job-a").state == "parked"
    ledger.park(RUN, Control("parked", "too late", 8.0))
    assert {ledger.heard_control(RUN, each).reason for each in listeners} == {"again"}


@pytest.mark.parametrize("copies", [0, 15])
def test_a_writer_that_dies_among_the_copies_is_heard_once_somebody_asks(
    aws: LocalAws, tmp_path: Path, copies: int
) -> None:
    table, client, writes = aws.table(name_of(tmp_path)), aws.client("dynamodb"), itertools.count()
    ledger = DynamoDbLedger(client, table, FakeClock())
    ledger.create_run(values.run_record())
    aws.wire.refuses = lambda operation: operation == "UpdateItem" and next(writes) > copies
    with pytest.raises(PaperfleetError):
        ledger.set_control(RUN, Control("paused", "by hand", 5.0))
    aws.wire.refuses = lambda _operation: False
    for listener in [f"job-{number}" for number in range(20)]:
        job = DynamoDbLedger(client, table, FakeClock())
        job.heard_control(RUN, listener)
        assert job.control(RUN).state == "paused"
        assert job.heard_control(RUN, listener).state == "paused", "whoever asks mends what he listens to"
