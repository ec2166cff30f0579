"""A machine on the fleet's queue dies at one blow: what the ledger has is never paid again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from handlers.adapters.aws.s3_store import S3Store
from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from handlers.bootstrap.state import SystemClock
from handlers.model_server import ServerSettings, start
from tests.builders.command import PRICES, Running, corpus, lines, paperfleet, shifted_clock, until
from tests.builders.local_aws import LocalAws, Stack
from tests.e2e.stack import ministack

pytestmark = pytest.mark.slow
PAPERS = 120
JOBS, WORKERS = 2, 4


def test_a_killed_machine_repeats_only_what_no_ledger_had(tmp_path: Path) -> None:
    settings = ServerSettings(mode="canned", price_in="0.15", price_out="0.60", latency=0.6)
    with ministack(tmp_path) as cloud, start(settings) as server:
        local = LocalAws(cloud.endpoint)
        stack = local.stack("killed")
        surroundings = local.environment | stack.settings()
        source = corpus(tmp_path / "papers.jsonl", PAPERS)
        scratch = ("--state", tmp_path / "state", "--run-id", "r")
        sharded = paperfleet("shard", source, *scratch, "--model", "paperfleet-canned", **surroundings)
        assert sharded.code == 0, sharded.err
        work = ("work", *scratch, "--base-url", server.base_url, *PRICES, "--json",
                "--jobs", JOBS, "--workers", WORKERS)  # fmt: skip
        ledger = DynamoDbLedger(local.client("dynamodb"), stack.table, SystemClock())
        earlier = shifted_clock(tmp_path / "earlier", -300)  # so that its heartbeats are old when it is gone
        with Running(*work, **surroundings, **earlier):
            until(lambda: ledger.totals("r").counts["done"] >= PAPERS // 4, seconds=90)
        until(lambda: server.stats()["in_flight"] == 0, seconds=30)
        # A count is written after its papers, so the rows are what the ledger knows.
        committed = {row.paper_id for row in ledger.entries("r") if row.status == "done"}
        killed, parts = server.stats(), durable_parts(local, stack)
        kept = set().union(*parts.values())
        assert committed <= kept, "nothing is committed that is not durable"
        assert PAPERS // 4 <= len(committed) <= len(kept) < PAPERS

        # A message that was received and not yet leased would stay hidden for two minutes.
        assert paperfleet("resume", *scratch, **surroundings).code == 0
        finished = paperfleet(*work, timeout=240, **surroundings)
        assert finished.code == 0, finished.err
        report, bill = finished.report, server.stats()
        output = tmp_path / "results.jsonl"
        assert paperfleet("export", *scratch, "--output", output, **surroundings).code == 0
        where = {row.paper_id: row.pointer.key for row in ledger.entries("r") if row.pointer is not None}
        ledger.close()
    assert report["counts"]["done"] == PAPERS == len({line["id"] for line in lines(output)})
    adopted = kept - committed
    assert all(paper in parts[where[paper]] for paper in adopted), "what was durable is booked as it was"
    assert bill["charged"] - killed["charged"] == PAPERS - len(kept), "the rest, and nothing but the rest"
    assert bill["duplicates"] == killed["charged"] - len(kept)
    certain = report["spend_nano_usd"] - round(report["indeterminate_usd"] * 1e9)
    assert certain <= bill["bill_nano_usd"] <= report["spend_nano_usd"], "calls that died are booked"
    assert [job["outcome"] for job in report["jobs"]].count("killed") == JOBS


def durable_parts(local: LocalAws, stack: Stack) -> dict[str, set[str]]:
    """By key, the papers that a part has ended: what is not booked of them the next holder books."""
    store = S3Store(local.client("s3"), stack.bucket)
    ended = {
        key: {line["id"] for line in map(json.loads, store.lines(key)) if line["status"] == "done"}
        for key in store.keys("runs/r/results/")
    }
    store.close()
    return ended
