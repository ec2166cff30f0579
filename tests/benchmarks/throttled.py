"""What steady throttling costs: commits to a table that refuses a share of all requests.

    python -m tests.benchmarks.throttled

The fleet's retries beside the SDK's modes, on moto's server, one thread, a paper a commit.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import boto3
from botocore.config import Config

from handlers.adapters.aws.clients import aws_client
from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from handlers.bootstrap.state import SystemClock
from handlers.errors import PaperfleetError
from tests.builders import values
from tests.builders.local_aws import LocalAws, moto_server
from tests.builders.values import call, commit, entry

_COMMITS = 20


def main() -> None:
    """A row for each way to retry and each share of refusals."""
    sys.stdout.write("retries   refused  commits/s  requests a commit\n")
    with moto_server() as aws:
        for share in (0, 2):
            for name in ("ours", "standard", "adaptive"):
                _measure(aws, name, share)


def _client(name: str) -> Any:
    if name == "ours":
        return aws_client("dynamodb")
    return boto3.client("dynamodb", config=Config(retries={"mode": name, "total_max_attempts": 12}))


def _measure(aws: LocalAws, name: str, share: int) -> None:
    ledger = DynamoDbLedger(_client(name), aws.table(f"{name}-{share}"), SystemClock())
    ledger.add_batches([values.batch("b1", [f"p{n}" for n in range(_COMMITS)])])
    ledger.create_run(values.run_record(papers=_COMMITS))
    asked = iter(range(1 << 30))
    aws.wire.refuses = lambda _operation: share > 0 and next(asked) % share > 0
    before, began = aws.wire.operations.total(), time.monotonic()
    try:
        for n in range(_COMMITS):
            ledger.commit([commit(entry(f"p{n}"), part=str(n), calls=[call(f"c{n}", cost=10)])])
        rate = f"{_COMMITS / (time.monotonic() - began):9.2f}"
    except PaperfleetError as error:
        rate = f"gave up: {error}"
    aws.wire.refuses = lambda _operation: False
    requests = (aws.wire.operations.total() - before) / _COMMITS
    refused = f"{share - 1}/{share}" if share else "none"
    sys.stdout.write(f"{name:9} {refused:7}  {rate}  {requests:17.1f}\n")
    sys.stdout.flush()
    ledger.close()


if __name__ == "__main__":
    main()
