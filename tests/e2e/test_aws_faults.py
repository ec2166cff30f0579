"""A run over SQS, DynamoDB and S3 while a proxy in front throttles, resets, and loses answers."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from handlers.model_server import ServerSettings, start
from tests.builders.command import PRICES, corpus, lines, paperfleet, until
from tests.builders.ended_process import ending
from tests.builders.local_aws import LocalAws
from tests.builders.ports import reserved_port
from tests.e2e.artifact import sam_environment
from tests.e2e.environments import environment
from tests.e2e.stack import accepts, ministack

pytestmark = pytest.mark.slow
PAPERS = 120


def _fault(service: str, operation: str, passing: int, **fault: Any) -> dict[str, Any]:
    """One request in ``passing + 1`` of an operation fails so."""
    return {
        "service": service,
        "operation": operation,
        "sequence": {"fail": 1, "pass": passing},
        **fault,
    }


THROTTLED = {"error": {"code": "ProvisionedThroughputExceededException"}, "times": 3}
SLOW_DOWN = {"error": {"code": "SlowDown", "status": 503}, "times": 3}
"""A few of each: after every one the SDK paces all its requests."""
UNAVAILABLE = {"error": {"code": "ServiceUnavailable", "status": 503}}
RESET = {"reset": True}
LOST = {"response": {"abort_frac": 0.0}}
"""Done, but the answer does not arrive: the SDK asks again."""
RULES = [
    _fault("dynamodb", "UpdateItem", 12, **LOST),
    _fault("dynamodb", "UpdateItem", 15, **THROTTLED),
    _fault("dynamodb", "PutItem", 7, **LOST),
    _fault("dynamodb", "PutItem", 9, **THROTTLED),
    _fault("dynamodb", "BatchGetItem", 6, **RESET),
    _fault("dynamodb", "GetItem", 20, **RESET),
    _fault("dynamodb", "Query", 20, **THROTTLED),
    _fault("s3", "PutObject", 3, **LOST),
    _fault("s3", "PutObject", 4, **SLOW_DOWN),
    _fault("s3", "GetObject", 10, **RESET),
    _fault("s3", "HeadObject", 3, **SLOW_DOWN),
    _fault("sqs", "DeleteMessage", 3, **UNAVAILABLE),
    _fault("sqs", "SendMessageBatch", 2, **UNAVAILABLE),
    _fault("sqs", "ReceiveMessage", 5, **UNAVAILABLE),
]


class Proxy:
    """microburst in front of an endpoint."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def set(self, rules: list[dict[str, Any]]) -> None:
        self._call("POST", "rules", rules)

    def fired(self) -> Counter[str]:
        """service:operation → requests that were made to fail."""
        rules = self._call("GET", "rules", None)
        return Counter({f"{rule['service']}:{rule['operation']}": rule["fired_count"] for rule in rules})

    def _call(self, method: str, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            f"{self.endpoint}/_microburst/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


@contextmanager
def microburst(upstream: str, folder: Path) -> Iterator[Proxy]:
    tool = environment("faults", "microburst==0.10.0") / "microburst"
    with reserved_port() as port, (folder / "microburst.log").open("wb") as log:
        command = [tool, "--upstream", upstream, "--port", port, "--host", "127.0.0.1"]
        with ending(command, stdout=log, stderr=log, env=sam_environment(), cwd=folder):
            until(lambda: accepts(port), seconds=60)
            yield Proxy(f"http://127.0.0.1:{port}")


def test_throttles_resets_and_lost_answers_lose_no_paper_and_pay_for_none_twice(tmp_path: Path) -> None:
    settings = ServerSettings(mode="canned", price_in="0.15", price_out="0.60", latency=0.1)
    with (
        ministack(tmp_path) as cloud,
        microburst(cloud.endpoint, tmp_path) as proxy,
        start(settings) as server,
    ):
        local = LocalAws(cloud.endpoint)
        surroundings = (
            local.environment | local.stack("faults").settings() | {"AWS_ENDPOINT_URL": proxy.endpoint}
        )
        proxy.set(RULES)
        source = corpus(tmp_path / "papers.jsonl", PAPERS)
        scratch = ("--state", tmp_path / "state", "--run-id", "r")
        sharded = paperfleet("shard", source, *scratch, "--model", "paperfleet-canned", **surroundings)
        assert sharded.code == 0, sharded.err
        worked = paperfleet(
            "work", *scratch, "--base-url", server.base_url, *PRICES, "--jobs", 2, "--workers", 8, "--json",
            timeout=240, **surroundings,
        )  # fmt: skip
        fired = proxy.fired()
        proxy.set([])
        assert worked.code == 0, worked.err
        report = paperfleet("report", *scratch, "--json", **surroundings).report
        output = tmp_path / "results.jsonl"
        assert paperfleet("export", *scratch, "--output", output, **surroundings).code == 0
        bill = server.stats()
    assert report["state"] == "finished"
    assert report["counts"]["done"] + report["counts"]["flagged"] == PAPERS
    assert report["spend_nano_usd"] == bill["bill_nano_usd"]
    assert report["calls"]["sent"] == bill["requests"]
    assert bill["duplicates"] == 0
    assert len({line["id"] for line in lines(output)}) == PAPERS
    assert {name.partition(":")[0] for name, count in fired.items() if count} == {"dynamodb", "s3", "sqs"}
    assert fired["s3:PutObject"] > 0
    assert fired["dynamodb:UpdateItem"] > 0
