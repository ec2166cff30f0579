"""What AWS costs for a corpus: from the calls and GB-seconds that a paper takes. The model's bill is apart.

    python infra/cost.py --papers 34237 --workers 20 --latency 2.5

Prices are those of us-east-1 in USD (https://aws.amazon.com/<service>/pricing/, without the free tier).
What a paper takes is counted by ``python -m tests.benchmarks.aws_calls``, on a DynamoDB that counts units;
what a batch and a part take follows from the ledger's protocol: each part is booked by three writes, and the
batch's papers are counted anew after it.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass

GB_SECOND = 0.0000133334
"""Lambda on arm64."""
INVOCATION = 0.20e-6
SQS_REQUEST = 0.40e-6
WRITE_UNIT = 0.625e-6
"""DynamoDB on demand: one write of up to 1 KB."""
READ_UNIT = 0.125e-6
"""One strongly consistent read of up to 4 KB."""
S3_PUT = 0.005 / 1000
S3_GET = 0.0004 / 1000
LOG_GB = 0.50
MONTHLY = {
    "secret": 0.40,
    "alarms' key": 1.00,
    "custom metrics (14)": 14 * 0.30,
    "alarms (10)": 10 * 0.10,
    "dashboard": 3.00,
}
"""USD a month for what stands about, whether papers run or not."""


_MESSAGE_KB = 0.05
"""Of a message, for each of its papers."""
_SHARD_SECONDS, _SHARD_GB = 2e-5, 1769 / 1024
"""A paper's share of the shard function."""


@dataclass(frozen=True)
class Usage:
    """What a corpus takes."""

    gb_seconds: float
    invocations: float
    sqs_requests: float
    writes: float
    reads: float
    puts: float
    gets: float
    log_gb: float

    def cost(self) -> dict[str, float]:
        """USD by service."""
        return {
            "Lambda": self.gb_seconds * GB_SECOND + self.invocations * INVOCATION,
            "SQS": self.sqs_requests * SQS_REQUEST,
            "DynamoDB": self.writes * WRITE_UNIT + self.reads * READ_UNIT,
            "S3": self.puts * S3_PUT + self.gets * S3_GET,
            "Logs": self.log_gb * LOG_GB,
        }


def usage(given: argparse.Namespace) -> Usage:
    """Calls grow with papers, parts and batches; the heartbeat's with the seconds that a function runs."""
    batches = given.papers / given.batch_papers
    seconds = given.papers * given.latency * given.calls / (given.workers * given.utilization)
    parts = max(given.papers / given.papers_per_part, batches)
    message = math.ceil(_MESSAGE_KB * given.batch_papers)
    counted = parts / batches
    return Usage(
        gb_seconds=seconds * given.memory / 1024 + given.papers * _SHARD_SECONDS * _SHARD_GB,
        invocations=batches,
        # Sent, received, shortened, deleted, with a long poll's empty answers and the heartbeat's extensions.
        sqs_requests=6 * batches + seconds / 30,
        writes=given.writes_per_paper * given.papers
        + given.writes_per_second * seconds
        + 3 * parts
        + (5 + message) * batches,
        reads=(given.reads_per_paper + counted) * given.papers
        + given.reads_per_second * seconds
        + (6 + 2 * message / 4) * batches,
        puts=parts,
        gets=given.papers,
        log_gb=2e-6 * batches,
    )


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description="What AWS costs for a corpus, in USD.")
    for name, default, words in (
        ("papers", 1000, "papers"),
        ("workers", 20, "threads of a function"),
        ("memory", 512, "MB of a function"),
        ("batch-papers", 200, "papers a message"),
        ("latency", 2.5, "seconds of one call"),
        ("calls", 1.05, "calls a paper, repairs counted"),
        ("utilization", 0.85, "share of the time that a worker is busy"),
        ("papers-per-part", 20, "papers that one result object holds"),
        ("writes-per-paper", 2.0, "DynamoDB write units a paper: its outcome and its fingerprint"),
        ("reads-per-paper", 2.0, "DynamoDB read units a paper before its first call"),
        ("writes-per-second", 2.0, "DynamoDB write units a second of a function: heartbeat and money"),
        ("reads-per-second", 4.0, "DynamoDB read units a second of a function"),
    ):
        made.add_argument(f"--{name}", type=float, default=default, help=f"{words} [default: {default}]")
    return made


def main(arguments: Sequence[str] | None = None) -> str:
    """The table that is printed."""
    given = parser().parse_args(arguments)
    costs = usage(given).cost()
    total = sum(costs.values())
    rows = [f"{name:12} {cost:10.4f}" for name, cost in costs.items()]
    rows += [f"{'together':12} {total:10.4f}   for {given.papers:,.0f} papers"]
    rows += [f"{'per 1,000':12} {1000 * total / given.papers:10.4f}"]
    standing = ", ".join(f"{name} {cost:.2f}" for name, cost in MONTHLY.items())
    rows += [f"and while the stack stands, a month: {sum(MONTHLY.values()):.2f} ({standing})"]
    return "\n".join(rows)


if __name__ == "__main__":
    print(main())  # noqa: T201
