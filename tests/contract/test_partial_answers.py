"""Batch requests of which AWS does only a part: the rest is sent again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.aws.sqs_queue import SqsQueue
from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from handlers.adapters.dynamodb.return_reasons import DynamoDbReasons
from handlers.errors import PaperfleetError
from tests.builders.fakes import FakeClock
from tests.builders.local_aws import Forward, LocalAws, name_of
from tests.builders.values import RUN, batch, commit, entry

BODY = "x" * 60_000


class Throttled:
    """Of each batch the first item alone is done, as often as ``times`` says."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self, operation: str, body: bytes, forward: Forward) -> bytes:
        one = {"SendMessageBatch": _send_one, "BatchGetItem": _get_one}
        if operation not in one or self.left <= 0:
            return forward(body)
        self.left -= 1
        return one[operation](json.loads(body), forward)


def _send_one(request: dict[str, Any], forward: Forward) -> bytes:
    first, *rest = request["Entries"]
    answer = json.loads(forward(json.dumps(request | {"Entries": [first]}).encode()))
    failed = [{"Id": each["Id"], "SenderFault": False, "Code": "ServiceUnavailable"} for each in rest]
    return json.dumps(answer | {"Failed": failed}).encode()


def _get_one(request: dict[str, Any], forward: Forward) -> bytes:
    ((table, wanted),) = request["RequestItems"].items()
    first, *rest = wanted["Keys"]
    only = request | {"RequestItems": {table: wanted | {"Keys": [first]}}}
    answer = json.loads(forward(json.dumps(only).encode()))
    left = {table: wanted | {"Keys": rest}} if rest else {}
    return json.dumps(answer | {"UnprocessedKeys": left}).encode()


@pytest.fixture
def queue(aws: LocalAws, tmp_path: Path, clock: FakeClock) -> Iterator[SqsQueue]:
    name = name_of(tmp_path)
    url, dead_url = aws.queues(name, max_receives=3)
    reasons = DynamoDbReasons(aws.client("dynamodb"), aws.table(name), clock)
    queue = SqsQueue(aws.client("sqs"), url, dead_url, reasons, clock, long_poll=0)
    yield queue
    aws.wire.changes = lambda _operation, body, forward: forward(body)
    queue.close()


def test_messages_that_were_refused_are_sent_again(aws: LocalAws, queue: SqsQueue) -> None:
    aws.wire.changes = Throttled(3)
    assert queue.send((str(n), f"{n} {BODY}") for n in range(10)) == 10
    bodies = [each.body for _ in range(4) for each in queue.receive(limit=10, visibility=900)]
    assert sorted(int(body.split()[0]) for body in bodies) == list(range(10))


def test_messages_that_stay_refused_are_an_error_that_says_what_to_do(aws: LocalAws, queue: SqsQueue) -> None:
    aws.wire.changes = Throttled(1000)
    with pytest.raises(PaperfleetError, match="resume"):
        queue.send((str(n), str(n)) for n in range(20))


def test_rows_that_were_left_unprocessed_are_asked_for_again(
    aws: LocalAws, tmp_path: Path, queue: SqsQueue, clock: FakeClock
) -> None:
    ledger = DynamoDbLedger(aws.client("dynamodb"), aws.table(name_of(tmp_path)), clock)
    ids = [f"p{n}" for n in range(6)]
    ledger.commit([commit(*(entry(paper_id) for paper_id in ids))])
    aws.wire.changes = Throttled(4)
    assert set(ledger.paper_rows(RUN, ids)) == set(ids)
    ledger.close()


@pytest.mark.slow
def test_an_answer_that_would_be_too_large_is_asked_for_in_pieces(
    dynalite: LocalAws, tmp_path: Path, clock: FakeClock
) -> None:
    """DynamoDB gives up to 16 MB at a time, this one a tenth of it; the rest it names as unprocessed."""
    client = dynalite.client("dynamodb")
    left: list[int] = []

    def note(parsed: dict[str, Any], **_: Any) -> None:
        left.append(sum(len(each["Keys"]) for each in parsed["UnprocessedKeys"].values()))

    client.meta.events.register("after-call.dynamodb.BatchGetItem", note)
    ledger = DynamoDbLedger(client, dynalite.table(name_of(tmp_path)), clock)
    batches = [
        batch(f"b{n:02d}", [f"{n}-{position}-{'x' * 500}" for position in range(100)]) for n in range(40)
    ]
    assert ledger.add_batches(batches) == 40
    assert list(ledger.unfinished_batches(RUN)) == batches
    ledger.close()
    assert max(left) > 0, "it was left to be asked again"
