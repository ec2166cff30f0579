"""Services are away for minutes while jobs work: no message dies of it, and no call is paid for twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.outage_run import EVERYTHING, Away, Outage, Outlived, Service, outlive

pytestmark = pytest.mark.slow


def _nothing_is_lost(outlived: Outlived, outage: Outage) -> None:
    report, bill = outlived.report, outlived.bill
    assert set(outlived.codes) == {0}, outlived.log
    assert report["state"] == "finished"
    assert report["counts"]["done"] + report["counts"]["flagged"] == outage.papers
    assert report["queue"]["dead"] == 0
    assert (report["calls"]["sent"], report["spend_nano_usd"]) == (bill["requests"], bill["bill_nano_usd"])
    assert bill["duplicates"] == 0, outlived.log


@pytest.mark.parametrize("away", ["refused", "reset", "silent", "no name"])
def test_a_run_outlives_ten_minutes_without_its_ledger(tmp_path: Path, away: Away) -> None:
    outage = Outage(["dynamodb"], away)
    outlived = outlive(tmp_path, outage)
    assert outlived.requests < outage.papers, "calls go on though nobody can book them"
    _nothing_is_lost(outlived, outage)


@pytest.mark.parametrize(
    ("services", "away"),
    [
        (["s3"], "refused"),
        (["s3"], "silent"),
        (["sqs"], "reset"),
        (EVERYTHING, "refused"),
        (EVERYTHING, "silent"),
        (EVERYTHING, "late"),
    ],
    ids=[
        "bucket-refused",
        "bucket-silent",
        "queue-reset",
        "everything-refused",
        "everything-silent",
        "everything-late",
    ],
)  # all ten take nine minutes: `python -m tests.faults.outage_run` has the others
def test_a_run_outlives_ten_minutes_without(tmp_path: Path, services: list[Service], away: Away) -> None:
    outage = Outage(services, away)
    _nothing_is_lost(outlive(tmp_path, outage), outage)


def test_what_a_machine_without_ledger_and_queue_has_paid_for_is_booked_by_another(tmp_path: Path) -> None:
    """Its leases pass to the other machine, which finds its parts in the bucket."""
    outage = Outage(["dynamodb", "sqs"], machines=2)
    _nothing_is_lost(outlive(tmp_path, outage), outage)
