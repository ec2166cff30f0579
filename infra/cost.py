"""What AWS costs for a corpus: from the calls and GB-seconds that a paper takes. The model's bill is apart.

    python infra/cost.py --papers 34237 --tier parallel --latency 2.5
    python infra/cost.py --tiers

Prices are those of us-east-1 in USD (https://aws.amazon.com/<service>/pricing/, without the free tier).
What a paper takes is counted by ``python -m tests.benchmarks.aws_calls``, on a DynamoDB that counts units;
what a second of a job takes by ``tests/benchmarks/fleet_units.py``. What a batch and a part take
follows from the ledger's protocol: a part is booked by three writes, and one in two finds its batch's count
changed by others.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

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
_PART_WRITES = 3.5
_PART_SECONDS = 2.5
"""Between two parts of a job: what ends meanwhile goes into one."""
_SHARD_SECONDS, _SHARD_GB = 2e-5, 1769 / 1024
"""A paper's share of the shard function."""


@dataclass(frozen=True)
class Shape:
    """Of a function: as the template's tiers have it."""

    workers: int
    batch_papers: int
    memory: int
    papers_per_part: int
    """At most."""


TIERS = {
    "standard": Shape(5, 50, 512, 10),
    "parallel": Shape(20, 200, 512, 20),
    "ultra": Shape(50, 500, 1024, 50),
    "extreme": Shape(100, 1000, 1769, 50),
}
_LATENCIES = (2.5, 30.0)
_MILLION = 1_000_000


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
    of_a_part = min(given.papers_per_part, max(1.0, given.workers * _PART_SECONDS / given.latency))
    parts = max(given.papers / of_a_part, batches)
    message = math.ceil(_MESSAGE_KB * given.batch_papers)
    return Usage(
        gb_seconds=seconds * given.memory / 1024 + given.papers * _SHARD_SECONDS * _SHARD_GB,
        invocations=batches,
        # Sent, received, shortened, deleted, with a long poll's empty answers and the heartbeat's extensions.
        sqs_requests=6 * batches + seconds / 30,
        writes=given.writes_per_paper * given.papers
        + given.writes_per_second * seconds
        + _PART_WRITES * parts
        + (5 + message) * batches,
        reads=given.reads_per_paper * given.papers
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
        ("workers", None, "threads of a function"),
        ("memory", None, "MB of a function"),
        ("batch-papers", None, "papers a message"),
        ("latency", 2.5, "seconds of one call"),
        ("calls", 1.05, "calls a paper, repairs counted"),
        ("utilization", 0.85, "share of the time that a worker is busy"),
        ("papers-per-part", None, "papers that one result object holds at most"),
        ("writes-per-paper", 2.0, "DynamoDB write units a paper: its outcome and its fingerprint"),
        (
            "reads-per-paper",
            3.0,
            "DynamoDB read units a paper: its outcome, its result's name, two older names",
        ),
        ("writes-per-second", 1.1, "DynamoDB write units a second of a function: heartbeat, sums and money"),
        ("reads-per-second", 1.0, "DynamoDB read units a second of a function: control and its group"),
    ):
        shown = "the tier's" if default is None else default
        made.add_argument(f"--{name}", type=float, default=default, help=f"{words} [default: {shown}]")
    made.add_argument("--tier", choices=TIERS, default="parallel", help="shape [default: parallel]")
    made.add_argument("--tiers", action="store_true", help="USD a million papers, by tier and latency")
    return made


def shaped(given: argparse.Namespace) -> argparse.Namespace:
    """What was not given is the tier's."""
    for name, value in asdict(TIERS[given.tier]).items():
        if getattr(given, name) is None:
            setattr(given, name, value)
    return given


def by_tier() -> list[str]:
    """A row a tier and latency: USD a million papers, and of which service."""
    rows = []
    for tier in TIERS:
        for latency in _LATENCIES:
            asked = ["--papers", str(_MILLION), "--tier", tier, "--latency", str(latency)]
            costs = usage(shaped(parser().parse_args(asked))).cost()
            parts = ", ".join(f"{name} {cost:.2f}" for name, cost in costs.items())
            rows.append(f"{tier:9} {latency:5.1f} s a call {sum(costs.values()):7.2f}   ({parts})")
    return ["USD a million papers, by tier:", *rows]


def standing() -> str:
    """USD a month, whether papers run or not."""
    each = ", ".join(f"{name} {cost:.2f}" for name, cost in MONTHLY.items())
    return f"and while the stack stands, a month: {sum(MONTHLY.values()):.2f} ({each})"


def main(arguments: Sequence[str] | None = None) -> str:
    """The table that is printed."""
    given = shaped(parser().parse_args(arguments))
    if given.tiers:
        return "\n".join([*by_tier(), standing()])
    costs = usage(given).cost()
    total = sum(costs.values())
    rows = [f"{name:12} {cost:10.4f}" for name, cost in costs.items()]
    rows += [f"{'together':12} {total:10.4f}   for {given.papers:,.0f} papers"]
    rows += [f"{'per 1,000':12} {1000 * total / given.papers:10.4f}"]
    rows.append(standing())
    return "\n".join(rows)


if __name__ == "__main__":
    print(main())  # noqa: T201
