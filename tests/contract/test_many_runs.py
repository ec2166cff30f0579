"""A table with thousands of runs that have ended: a look at those that are open costs a few requests."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from handlers.runs.watch import watch
from tests.builders import values
from tests.builders.fakes import FakeClock
from tests.builders.local_aws import LocalAws, name_of

RUNS = 2_000


@pytest.mark.slow
def test_two_thousand_runs_that_ended_cost_a_look_two_reads(aws: LocalAws, tmp_path: Path) -> None:
    client, table = aws.client("dynamodb"), aws.table(name_of(tmp_path))
    ledger = DynamoDbLedger(client, table, FakeClock())
    ledger.create_run(values.run_record("first"))
    _end_all(ledger)
    (known,) = client.query(
        TableName=table,
        KeyConditionExpression="pk = :runs",
        ExpressionAttributeValues={":runs": {"S": "RUNS"}},
    )["Items"]
    for start in range(0, RUNS, 25):
        runs = [f"old-{number}" for number in range(start, start + 25)]
        put = [known | {"sk": {"S": f"RUN#{run}"}, "run_id": {"S": run}} for run in runs]
        client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}} for item in put]})
    assert len(list(ledger.run_ids())) == RUNS + 1
    before, began = Counter(aws.wire.operations), time.process_time()
    assert watch(values.backend(ledger=ledger)) == []
    took = time.process_time() - began
    asked = aws.wire.operations - before
    assert asked == Counter({"GetItem": 1, "Query": 1}), "1 R each at most: what is open is a partition"
    assert took < 2
    ledger.close()


def _end_all(ledger: DynamoDbLedger) -> None:
    for run in ledger.open_runs():
        ledger.close_run(run)
