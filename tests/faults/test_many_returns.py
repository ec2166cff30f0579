"""A message that goes back hundreds of times, in a function's environment: nothing is sent, and it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from handlers.bootstrap.state import SystemClock
from handlers.domain.ledger import Attempt
from handlers.local.event_source import LocalContext
from handlers.model_server import ServerSettings
from handlers.process import handler
from tests.builders.command import corpus, paperfleet
from tests.builders.local_aws import LocalAws, Stack, moto_server, name_of, without_waiting
from tests.builders.own_process import own_process
from tests.builders.warm import start

RETURNS, PAPERS = 200, 20
LINEAGE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0;Lineage=1:10b7a1b2:15"
"""Of a chain that AWS would break off at the next message that is sent."""

pytestmark = pytest.mark.slow


@pytest.fixture
def aws() -> Iterator[LocalAws]:
    with moto_server() as made:
        made.wire.changes = without_waiting
        yield made


def test_two_hundred_returns_send_nothing_and_the_batch_ends(aws: LocalAws, tmp_path: Path) -> None:
    priced = ServerSettings(mode="canned", price_in="0.15", price_out="0.60")
    with start(priced) as model, ExitStack() as process:
        stack = aws.stack(name_of(tmp_path), max_receives=1_000)
        here = aws.environment | stack.settings()
        shard = ("shard", corpus(tmp_path / "papers.jsonl", PAPERS), "--run-id", "r", "--state", tmp_path)
        submitted = paperfleet(*shard, "--model", "paperfleet-canned", "--batch-papers", 5 * PAPERS, **here)
        assert submitted.code == 0, submitted.err
        process.enter_context(_function(here, model.base_url))
        ledger = DynamoDbLedger(aws.client("dynamodb"), stack.table, SystemClock())
        (batch,) = ledger.unfinished_batches("r")
        attempt = Attempt(f"{batch.generation}/{_message_id(aws, stack)}", 5)
        now = SystemClock().now()
        held = ledger.lease("r", batch.batch_id, "another", now=now, ttl=86_400, attempt=attempt)
        before = Counter(aws.wire.operations)
        receives = [_invoke(aws, stack) for _ in range(RETURNS)]
        assert receives[-1] == (RETURNS + 1, False), "it goes back each time"
        assert held is not None
        ledger.end_lease("r", batch.batch_id, held, pardon=True)
        assert _invoke(aws, stack) == (RETURNS + 2, True), "and is done with once it is free"
        sent = aws.wire.operations - before
        assert (sent["SendMessage"], sent["SendMessageBatch"]) == (0, 0)
        assert sent["ChangeMessageVisibility"] >= RETURNS
        totals = ledger.totals("r")
        assert totals.counts["done"] == PAPERS
        ledger.close()
        bill = model.stats()
    assert (totals.calls.cost, bill["duplicates"]) == (bill["bill_nano_usd"], 0)
    dead = aws.client("sqs").receive_message(QueueUrl=stack.dead_letter_url)
    assert "Messages" not in dead


def _function(here: dict[str, str], base_url: str) -> AbstractContextManager[None]:
    own = {"AWS_LAMBDA_FUNCTION_NAME": "process", "_X_AMZN_TRACE_ID": LINEAGE, "PAPERFLEET_API_KEY": "k",
           "PAPERFLEET_BASE_URL": base_url, "PAPERFLEET_PRICE_IN": "0.15", "PAPERFLEET_PRICE_OUT": "0.60",
           "POWERTOOLS_SERVICE_NAME": "fleet", "POWERTOOLS_METRICS_NAMESPACE": "Paperfleet",
           "PAPERFLEET_WORKERS": "4", "PAPERFLEET_FUNCTION_TIMEOUT": "300"}  # fmt: skip
    return own_process(here | own)


def _message_id(aws: LocalAws, stack: Stack) -> str:
    sqs, url = aws.client("sqs"), stack.queue_url
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    return str(message["MessageId"])


def _invoke(aws: LocalAws, stack: Stack) -> tuple[int, bool]:
    """(receives of the only message, whether it is done with)"""
    sqs, url = aws.client("sqs"), stack.queue_url
    (message,) = sqs.receive_message(QueueUrl=url, AttributeNames=["All"])["Messages"]
    receives = int(message["Attributes"]["ApproximateReceiveCount"])
    record = {"messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"],
              "body": message["Body"], "attributes": message["Attributes"]}  # fmt: skip
    context: Any = LocalContext("id", lambda: 300.0)
    failed = handler({"Records": [record]}, context)["batchItemFailures"]
    done = not failed
    if done:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    else:
        sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
    return receives, done
