"""AWS refuses requests for long: the fleet's clients slow down, and nothing is lost or done twice."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from handlers.adapters.aws.clients import aws_client
from handlers.adapters.aws.outages import ServiceReach
from handlers.adapters.aws.retries import PATIENCE, Retries
from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from tests.builders import values
from tests.builders.fakes import FakeClock
from tests.builders.local_aws import LocalAws, name_of
from tests.builders.values import RUN, call, commit, entry


@pytest.fixture
def refusing(aws: LocalAws) -> Iterator[LocalAws]:
    """Every other request is refused, for as long as the test takes."""
    turn = itertools.count()
    aws.wire.refuses = lambda _operation: next(turn) % 2 == 0
    yield aws
    aws.wire.refuses = lambda _operation: False


def test_a_table_that_refuses_every_other_request_loses_no_commit(refusing: LocalAws, tmp_path: Path) -> None:
    name = name_of(tmp_path)
    refusing.wire.refuses, refuses = lambda _operation: False, refusing.wire.refuses
    table = refusing.table(name)
    refusing.wire.refuses = refuses
    ledger = DynamoDbLedger(aws_client("dynamodb"), table, FakeClock())
    ids = [f"p{n}" for n in range(4)]
    ledger.add_batches([values.batch("b1", ids)])
    ledger.create_run(values.run_record(papers=4))
    for number, paper_id in enumerate(ids):
        ledger.commit([commit(entry(paper_id), part=str(number), calls=[call(f"c{number}", cost=10)])])
    totals = ledger.totals(RUN)
    ledger.close()
    assert (totals.counts["done"], totals.calls.sent, totals.calls.cost) == (4, 4, 40)


class _Http:
    def __init__(self, status: int) -> None:
        self.status_code = status


def _answer(status: int, code: str = "") -> tuple[Any, dict[str, Any]]:
    return _Http(status), {"Error": {"Code": code}} if code else {}


class Bench:
    """A policy on a clock of its own; the dice always show the most."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.began = self.clock.monotonic()
        self.policy = Retries(ServiceReach(), now=self.clock.monotonic, chance=lambda: 1.0)
        self.request: dict[str, Any] = {"context": {}}

    def ask(self, attempts: int, response: Any = None, error: Exception | None = None) -> float | None:
        return self.policy(
            response=response,
            attempts=attempts,
            caught_exception=error,
            request_dict=self.request,
            operation=None,
        )


@pytest.mark.parametrize(
    "response",
    [
        _answer(400, "ProvisionedThroughputExceededException"),
        _answer(503, "SlowDown"),
        _answer(500),
        _answer(409, "ConditionalRequestConflict"),
    ],
)
def test_a_refusal_that_may_pass_is_waited_out_with_growing_jitter(response: Any) -> None:
    bench = Bench()
    waits = [bench.ask(attempts, response) for attempts in range(1, 13)]
    assert waits[:4] == [0.05, 0.1, 0.2, 0.4]
    assert max(wait or 0 for wait in waits) == waits[-1] == 5


@pytest.mark.parametrize("response", [_answer(200), _answer(400, "ValidationException"), _answer(403)])
def test_what_no_retry_mends_is_not_sent_again(response: Any) -> None:
    assert Bench().ask(1, response) is None


def test_a_request_is_given_up_for_its_age_and_not_for_its_tries() -> None:
    bench = Bench()
    timed_out = ReadTimeoutError(endpoint_url="http://x")
    assert bench.ask(1, error=timed_out) is not None
    bench.clock.advance(PATIENCE - 1)
    assert bench.ask(500, error=timed_out) is not None
    bench.clock.advance(2)
    assert bench.ask(501, error=timed_out) is None


def test_nothing_is_sent_again_that_would_outlast_the_invocation() -> None:
    """Or an outage kills the function, with all that it has drawn of the budget."""
    for left, tries in ((20.0, True), (8.1, True), (7.9, False), (2.0, False), (-1.0, False)):
        bench, reach = Bench(), ServiceReach()
        reach.time_left = lambda left=left: left
        bench.policy = Retries(reach, now=bench.clock.monotonic, chance=lambda: 1.0)
        assert (bench.ask(500, _answer(500)) is not None) == tries, left


@pytest.mark.parametrize(("left", "waits"), [(math.inf, 30), (33.5, 30), (13.0, 10), (3.5, 2), (-9.0, 2)])
def test_no_answer_is_waited_for_that_would_outlast_the_invocation(left: float, waits: float) -> None:
    reach = ServiceReach()
    reach.time_left = lambda: left
    request = SimpleNamespace(context={"client_config": Config(read_timeout=30)})
    for _ in range(2):
        Retries(reach).bound(request)
        assert request.context["read_timeout"] == waits
    Retries(reach).bound(SimpleNamespace())  # an earlier SDK's request


def test_an_endpoint_where_nobody_listens_is_given_up_sooner() -> None:
    bench = Bench()
    away = EndpointConnectionError(endpoint_url="http://x")
    assert bench.ask(1, error=away) is not None
    bench.clock.advance(21)
    assert bench.ask(9, error=away) is None


@pytest.mark.parametrize("connecting", [0.0, 5.0])
def test_a_wrong_region_is_told_within_twenty_five_seconds(connecting: float) -> None:
    """No name, or nobody who answers: with the last try, and whatever the dice show."""
    bench = Bench()
    request = SimpleNamespace(context=bench.request["context"] | {"client_config": Config(read_timeout=30)})
    bench.request["context"] = request.context
    wait: float | None = 0.0
    for tried in itertools.count(1):
        bench.policy.bound(request)
        bench.clock.advance(connecting)
        wait = bench.ask(tried, error=ConnectTimeoutError(endpoint_url="http://x"))
        if wait is None:
            break
        bench.clock.advance(wait)
    assert 14 <= bench.clock.monotonic() - bench.began <= 25
