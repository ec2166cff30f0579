"""A whole paper on SQS, DynamoDB and S3 (moto) that is larger than one invocation of the function."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.aws.sqs_queue import SqsQueue
from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from handlers.bootstrap.state import SystemClock
from handlers.local.event_source import sqs_event
from handlers.model_server import RunningServer, ServerSettings
from tests.builders.command import PRICES, Ran, Running, lines, paperfleet, shifted_clock, until, whole_papers
from tests.builders.local_aws import LocalAws, Stack, moto_server, name_of
from tests.builders.own_process import own_process
from tests.builders.warm import start

pytestmark = pytest.mark.slow

SECONDS = 14.0
"""That Lambda gives an invocation; eleven of them are kept for the last calls and their commit."""


class Context:
    """What Lambda tells a function of its invocation."""

    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "process"

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return round(1000 * (self._ends - time.monotonic()))


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with moto_server() as local:
        yield local


@pytest.fixture
def stack(aws: LocalAws, tmp_path: Path) -> Stack:
    return aws.stack(name_of(tmp_path), max_receives=9)


@pytest.fixture
def server() -> Iterator[RunningServer]:
    priced = {"price_in": Decimal("0.15"), "price_out": Decimal("0.60")}
    with start(ServerSettings(mode="canned", latency=0.4, sigma=0, **priced)) as running:
        yield running


@pytest.fixture
def function(aws: LocalAws, stack: Stack, server: RunningServer) -> Iterator[Function]:
    environment = aws.environment | stack.settings() | {
        "AWS_LAMBDA_FUNCTION_NAME": "process", "POWERTOOLS_METRICS_NAMESPACE": "Paperfleet",
        "PAPERFLEET_API_KEY": "none", "PAPERFLEET_BASE_URL": server.base_url, "PAPERFLEET_WORKERS": "4",
        "PAPERFLEET_PRICE_IN": "0.15", "PAPERFLEET_PRICE_OUT": "0.60",
    }  # fmt: skip
    with own_process(environment):
        yield Function(aws, stack)


class Function:
    """The process function of a stack, as its queue invokes it."""

    def __init__(self, aws: LocalAws, stack: Stack) -> None:
        self.invocations = 0
        self._queue = SqsQueue(aws.client("sqs"), stack.queue_url, None, None, SystemClock(), long_poll=0)

    def invoke(self) -> None:
        """Deliver what waits, one message an invocation; the second one twice, as SQS may."""
        from handlers.process import handler

        for message in self._queue.receive(limit=10, visibility=900):
            event: dict[str, Any] = sqs_event(message)
            for _ in range(2 if self.invocations == 1 else 1):
                self.invocations += 1
                failed = handler(event, Context(SECONDS))["batchItemFailures"]
            if not failed:
                self._queue.delete(message.receipt)


def command(aws: LocalAws, stack: Stack, folder: Path, *arguments: object) -> Ran:
    """Work begins with a minute in which the leases of machines that are gone are left to them."""
    where = ("--run-id", "r", "--state", folder)
    return paperfleet(*arguments, *where, timeout=240, **aws.environment, **stack.settings())


def test_a_paper_larger_than_an_invocation_is_paid_once(
    aws: LocalAws, stack: Stack, function: Function, server: RunningServer, tmp_path: Path
) -> None:
    source = whole_papers(tmp_path / "papers.jsonl", 1, paragraphs=120)
    ran = command(aws, stack, tmp_path, "shard", source, "--full-text", "--model", "paperfleet-canned")
    assert ran.code == 0, ran.err
    for _ in range(20):
        time.sleep(1.1)  # a message that goes back is hidden for a second
        function.invoke()
        report = command(aws, stack, tmp_path, "report", "--json").report
        if report["state"] == "finished":
            break
    bill = server.stats()
    assert (report["state"], report["counts"]["done"]) == ("finished", 1), report
    assert 3 <= function.invocations < 9
    assert bill["duplicates"] == 0, "no passage is asked twice"
    assert report["spend_nano_usd"] == bill["bill_nano_usd"]
    assert report["calls"]["sent"] == bill["requests"]
    assert report["queue"]["dead"] == 0, "a giant is no poison"
    assert command(aws, stack, tmp_path, "audit").code == 0
    output = tmp_path / "results.jsonl"
    assert command(aws, stack, tmp_path, "export", "--output", output).code == 0
    (result,) = lines(output)
    assert result["usage"]["prompt_tokens"] == report["tokens"]["prompt"]


def test_a_killed_machine_repeats_only_passages_that_no_ledger_had(
    aws: LocalAws, stack: Stack, server: RunningServer, tmp_path: Path
) -> None:
    source = whole_papers(tmp_path / "papers.jsonl", 4, paragraphs=40)
    ran = command(aws, stack, tmp_path, "shard", source, "--full-text", "--model", "paperfleet-canned")
    assert ran.code == 0, ran.err
    work = ("work", "--base-url", server.base_url, *PRICES, "--jobs", 2, "--workers", 4, "--json")
    where = ("--run-id", "r", "--state", tmp_path)
    earlier = shifted_clock(tmp_path / "earlier", -300)  # so that its leases have run out when it is gone
    with Running(*work, *where, **aws.environment, **stack.settings(), **earlier):
        until(lambda: server.stats()["charged"] >= 30, seconds=60)
    until(lambda: server.stats()["in_flight"] == 0)
    killed = server.stats()["charged"]
    ledger = DynamoDbLedger(aws.client("dynamodb"), stack.table, SystemClock())
    known, papers = ledger.totals("r").calls.ok, ledger.totals("r").counts["done"]
    ledger.close()
    assert killed - 2 * 4 - 2 * 50 <= known < killed
    assert 0 < known < killed
    assert papers < 4
    assert command(aws, stack, tmp_path, "resume").code == 0
    finished = command(aws, stack, tmp_path, *work)
    assert finished.code == 0, finished.err
    report, bill = finished.report, server.stats()
    assert report["counts"]["done"] == 4
    assert bill["duplicates"] <= killed - known, "what was in flight, and the last two seconds of answers"
    certain = report["spend_nano_usd"] - round(report["indeterminate_usd"] * 1e9)
    assert certain <= bill["bill_nano_usd"] <= report["spend_nano_usd"]
    assert command(aws, stack, tmp_path, "audit").code == 0


def test_a_retry_by_class_asks_the_refused_passages_alone(
    aws: LocalAws, stack: Stack, server: RunningServer, tmp_path: Path
) -> None:
    source = whole_papers(tmp_path / "papers.jsonl", 3, paragraphs=20)
    server.control(latency=0.05, source_left=0.6)
    ran = command(aws, stack, tmp_path, "shard", source, "--full-text", "--model", "paperfleet-canned")
    assert ran.code == 0, ran.err
    work = ("work", "--base-url", server.base_url, *PRICES, "--jobs", 1, "--workers", 4, "--json")
    assert command(aws, stack, tmp_path, *work, "--max-failed", "100%").code == 3
    report = command(aws, stack, tmp_path, "report", "--json").report
    refused, asked = report["segments"]["flagged"], server.stats()["requests"]
    assert report["counts"]["flagged"] > 0
    assert 0 < refused < 15
    server.control(source_left=0.0)
    for error in report["paper_errors"]:
        assert command(aws, stack, tmp_path, "retry", "--class", error).code == 0
    finished = command(aws, stack, tmp_path, *work).report
    assert finished["counts"]["done"] == 3
    assert server.stats()["requests"] - asked <= 2 * refused
    assert finished["spend_nano_usd"] == server.stats()["bill_nano_usd"]
    assert command(aws, stack, tmp_path, "audit").code == 0
