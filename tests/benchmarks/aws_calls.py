"""AWS requests, messages and DynamoDB units per paper, counted by the SDK's own events while one job works.

    python -m tests.benchmarks.aws_calls [PAPERS] [BATCH] [PARAGRAPHS]

S3 and SQS are moto's server; DynamoDB is dynalite, which counts the units that are billed. They are what
``infra/cost.py`` takes for a paper.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import boto3

from handlers.bootstrap import wiring
from handlers.local.job_process import work
from handlers.model_server import ServerSettings, start
from tests.builders.command import corpus, paperfleet, whole_papers
from tests.builders.local_aws import dynalite_server, moto_server

_WORKERS = 20


def main(papers: int, batch: int, paragraphs: int = 0) -> None:
    """A row for each operation, with what it makes a paper. ``paragraphs``: of a paper's body, which is sent
    then; two are a passage."""
    counts: Counter[str] = Counter()
    units: Counter[str] = Counter()
    by_key: Counter[tuple[str, str]] = Counter()
    settings = ServerSettings(mode="canned", price_in="0.15", price_out="0.60", latency=1.0)
    with (
        tempfile.TemporaryDirectory() as folder,
        moto_server() as aws,
        dynalite_server() as dynamodb,
        start(settings) as model,
    ):
        dynamodb.table("counted")
        os.environ |= aws.stack("counted").settings() | {
            "AWS_ENDPOINT_URL_DYNAMODB": dynamodb.endpoint,
            "PAPERFLEET_STATE": folder, "PAPERFLEET_RUN_ID": "r", "PAPERFLEET_API_KEY": "none",
            "PAPERFLEET_BASE_URL": model.base_url, "PAPERFLEET_WORKERS": str(_WORKERS),
            "PAPERFLEET_PRICE_IN": "0.15", "PAPERFLEET_PRICE_OUT": "0.60",
        }  # fmt: skip
        path = Path(folder) / "papers.jsonl"
        source = whole_papers(path, papers, paragraphs=paragraphs) if paragraphs else corpus(path, papers)
        surroundings = {name: value for name, value in os.environ.items() if name.startswith("PAPERFLEET_")}
        flags = ("--model", "paperfleet-canned", "--batch-papers", batch, *["--full-text"] * bool(paragraphs))
        sharded = paperfleet("shard", source, *flags, **surroundings)
        assert sharded.code == 0, sharded.err
        _count(counts, units, by_key)
        began = time.monotonic()
        work(wiring.job())
        seconds = time.monotonic() - began
    for operation, count in counts.most_common():
        sys.stdout.write(f"{operation:40} {count:7} {count / papers:8.3f}\n")
    total = sum(counts.values())
    sys.stdout.write(
        f"{'together':40} {total:7} {total / papers:8.3f} a paper, {total / seconds:.1f} a second\n"
    )
    per_paper = ", ".join(f"{kind} {count / papers:.2f}" for kind, count in sorted(units.items()))
    sys.stdout.write(f"DynamoDB units a paper: {per_paper}\n")
    for kind in ("writes", "reads"):
        hottest = Counter({key: count for (key, each), count in by_key.items() if each == kind})
        cells = ", ".join(f"{key} {count / seconds:.2f}" for key, count in hottest.most_common(6))
        sys.stdout.write(f"{kind} a second of the hottest keys: {cells}\n")
    money = {kind: _sum(by_key, "MONEY#", kind) / seconds for kind in ("writes", "reads")}
    sys.stdout.write(f"all money: {money['writes']:.2f} writes and {money['reads']:.2f} reads a second\n")
    sys.stdout.write(f"{papers} papers, {_WORKERS} workers, {seconds:.1f} s; {sharded.out}")


def _sum(by_key: Counter[tuple[str, str]], name: str, kind: str) -> float:
    return sum(count for (key, each), count in by_key.items() if each == kind and key.startswith(name))


def _partitions(params: dict[str, Any]) -> list[str]:
    """Of a request, each as often as it asks for items of it."""
    if "RequestItems" in params:
        return [key["pk"]["S"] for table in params["RequestItems"].values() for key in table["Keys"]]
    item = params.get("Key") or params.get("Item") or {"pk": params["ExpressionAttributeValues"][":pk"]}
    return [item["pk"]["S"]]


def _count(counts: Counter[str], units: Counter[str], by_key: Counter[tuple[str, str]]) -> None:
    """Every client made from now on counts its requests, and asks DynamoDB what they took."""
    session = boto3.session.Session()

    class Counting(type(session)):
        def client(self, *arguments: Any, **options: Any) -> Any:
            made = super().client(*arguments, **options)
            made.meta.events.register("before-send.*.*", _heard)
            if made.meta.service_model.service_name == "dynamodb":
                made.meta.events.register("provide-client-params.dynamodb.*", _ask)
                made.meta.events.register("after-call.dynamodb.*", _told)
            return made

    def _heard(event_name: str, **_: Any) -> None:
        counts[event_name.removeprefix("before-send.")] += 1

    def _ask(params: dict[str, Any], context: dict[str, Any], **_: Any) -> dict[str, Any]:
        context["partitions"] = _partitions(params)
        return params | {"ReturnConsumedCapacity": "TOTAL"}

    def _told(parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        consumed = parsed.get("ConsumedCapacity", [])
        kind = "reads" if model.name in ("BatchGetItem", "GetItem", "Query") else "writes"
        for each in consumed if isinstance(consumed, list) else [consumed]:
            units[kind] += each["CapacityUnits"]
            units[f"({model.name})"] += each["CapacityUnits"]
            for key in context["partitions"]:
                by_key[key, kind] += each["CapacityUnits"] / len(context["partitions"])

    boto3.session.Session = Counting


if __name__ == "__main__":
    main(*(int(given) for given in (sys.argv[1:] + ["400", "200"][len(sys.argv) - 1 :])))
