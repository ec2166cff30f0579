"""AWS requests, messages and DynamoDB units per paper, counted by the SDK's own events while jobs work.

    python -m tests.benchmarks.aws_calls [PAPERS] [BATCH] [PARAGRAPHS] [--jobs JOBS] [--queue sqlite]

S3 and SQS are moto's server; DynamoDB is dynalite, which counts the units that are billed. They are what
``infra/cost.py`` takes for a paper. Of many jobs, fifty share a process and ten its connections. Moto's SQS
answers one at a time and for longer the more messages there are: hundreds of jobs take a file's queue.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import boto3

from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.bootstrap import wiring
from handlers.bootstrap.state import State, connect
from handlers.domain.batch import QueueMessage
from handlers.local.event_source import EventSource
from handlers.model_server import ServerSettings, start
from handlers.pipeline.job_runner import Job
from handlers.runs.submit import queue_entry
from handlers.settings import load_settings
from tests.builders.command import corpus, paperfleet, whole_papers
from tests.builders.local_aws import dynalite_server, moto_server

_SHARED, _A_PROCESS = 10, 50
"""Jobs on the same connections, and in a process."""
_IDLE = {"sqs": 0.05, "sqlite": 1.0}
"""Seconds between two looks of a job at a queue that had nothing to give."""


class Counted:
    """``requests`` by operation; ``units`` by kind of unit, operation and partition."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.units: Counter[tuple[str, str, str]] = Counter()
        self.seconds = 0.0

    def of(self, kind: str, name: str = "") -> Counter[str]:
        """Units of a kind by partition."""
        found: Counter[str] = Counter()
        for (each, _, key), units in self.units.items():
            if each == kind and key.startswith(name):
                found[key] += units
        return found

    def purposes(self) -> Counter[tuple[str, str, str]]:
        """By kind, operation and what the partition and its item are of, without their names."""
        found: Counter[tuple[str, str, str]] = Counter()
        for (kind, operation, key), units in self.units.items():
            found[kind, operation, re.sub(r"#[^|]*", "", key)] += units
        return found


def counted(given: argparse.Namespace) -> Counted:
    """What the jobs of a whole run asked for."""
    count = Counted()
    settings = ServerSettings(mode="canned", price_in="0.15", price_out="0.60", latency=given.latency)
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
            "PAPERFLEET_BASE_URL": model.base_url, "PAPERFLEET_WORKERS": str(given.workers),
            "PAPERFLEET_PRICE_IN": "0.15", "PAPERFLEET_PRICE_OUT": "0.60",
        }  # fmt: skip
        path, paragraphs = Path(folder) / "papers.jsonl", given.paragraphs
        papers = given.papers
        source = whole_papers(path, papers, paragraphs=paragraphs) if paragraphs else corpus(path, papers)
        surroundings = {name: value for name, value in os.environ.items() if name.startswith("PAPERFLEET_")}
        flags = ("--batch-papers", given.batch, *["--full-text"] * bool(paragraphs))
        sharded = paperfleet("shard", source, "--model", "paperfleet-canned", *flags, **surroundings)
        assert sharded.code == 0, sharded.err
        if given.queue == "sqlite":
            state = _connected(given.queue)
            state.queue.send(map(queue_entry, state.ledger.unfinished_batches("r")))
            state.close()
        began = time.monotonic()
        shares = [range(first, given.jobs, -(-given.jobs // _A_PROCESS))
                  for first in range(-(-given.jobs // _A_PROCESS))]  # fmt: skip
        with ProcessPoolExecutor(len(shares), mp_context=get_context("spawn")) as pool:
            for part in pool.map(partial(_work, given), shares):
                count.requests += part.requests
                count.units += part.units
        count.seconds = time.monotonic() - began
    return count


def _connected(queue: str) -> State:
    """The stack's parts; its queue may be a file's."""
    state = connect(load_settings())
    if queue == "sqs":
        return state
    return replace(state, queue=SqliteQueue(state.directory / "q.sqlite3", "r", state.clock, max_receives=99))


def _work(given: argparse.Namespace, numbers: Sequence[int]) -> Counted:
    """A process of its own."""
    count = Counted()
    _count(count)
    wiring.connect = lambda _settings: _connected(given.queue)
    if given.elsewhere:
        wiring.is_built_in = lambda _base_url: False
    threads = []
    for position, number in enumerate(numbers):
        if position % _SHARED == 0:
            wiring._kept.cache_clear()
        job = wiring.new_job(f"job-{number}")
        threads.append(threading.Thread(target=_work_as, args=(job, _IDLE[given.queue])))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return count


def _work_as(job: Job, idle: float) -> None:
    """As a job's process does, of which there is one a job elsewhere."""

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        deliveries = [
            QueueMessage(
                id=record["messageId"],
                receipt=record["receiptHandle"],
                body=record["body"],
                receives=int(record["attributes"]["ApproximateReceiveCount"]),
            )
            for record in event["Records"]
        ]
        failed = job.run(deliveries, lambda: context.get_remaining_time_in_millis() / 1000)
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    EventSource(job, handler, ends_at=math.inf, idle=idle, settled=lambda: _settled(job)).run()
    job.close("finished")


def _settled(job: Job) -> bool:
    now = job.clock.now()
    return job.ledger.counts_now("r", at=now, every=10) and not job.ledger.totals("r").counts["pending"]


def main(given: argparse.Namespace) -> None:
    """A row for each operation, with what it makes a paper; units by what they are for, and by key."""
    count, papers = counted(given), given.papers
    for operation, requests in count.requests.most_common():
        sys.stdout.write(f"{operation:40} {requests:7} {requests / papers:8.3f}\n")
    total, seconds = sum(count.requests.values()), count.seconds
    sys.stdout.write(
        f"{'together':40} {total:7} {total / papers:8.3f} a paper, {total / seconds:.1f} a second\n"
    )
    for kind in ("reads", "writes"):
        sys.stdout.write(f"{kind} a paper {sum(count.of(kind).values()) / papers:.2f}, of which\n")
        for (each, operation, what), units in count.purposes().most_common():
            if each == kind and units / papers >= 0.005:
                sys.stdout.write(f"    {operation:14} {what:20} {units / papers:.3f}\n")
        hottest = ", ".join(f"{key} {units / seconds:.2f}" for key, units in count.of(kind).most_common(6))
        sys.stdout.write(f"    a second, of the hottest keys: {hottest}\n")
        for name in ("MONEY#", "LIVE#", "TALLIES#", "CONTROL#"):
            keys = count.of(kind, name)
            most, each = max(keys.values(), default=0) / seconds, sum(keys.values()) / seconds
            sys.stdout.write(f"    a second of {name:9} all {each:.2f}, hottest {most:.2f}\n")
    sys.stdout.write(f"{papers} papers, {given.jobs} jobs of {given.workers} workers, {seconds:.1f} s\n")


def _partitions(params: dict[str, Any]) -> list[str]:
    """Of a request, each partition as often as it asks for items of it, with the item's kind."""
    if "RequestItems" in params:
        keys = [key for table in params["RequestItems"].values() for key in table["Keys"]]
    elif "ExpressionAttributeValues" in params and "KeyConditionExpression" in params:
        values = params["ExpressionAttributeValues"]
        keys = [{"pk": values[":pk"], "sk": values[":prefix"]}]
    else:
        keys = [params.get("Key") or params["Item"]]
    return [f"{key['pk']['S']}|{key['sk']['S'].split('#')[0]}" for key in keys]


def _count(count: Counted) -> None:
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
        count.requests[event_name.removeprefix("before-send.")] += 1

    def _ask(params: dict[str, Any], context: dict[str, Any], **_: Any) -> dict[str, Any]:
        context["partitions"] = _partitions(params)
        return params | {"ReturnConsumedCapacity": "TOTAL"}

    def _told(parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        consumed = parsed.get("ConsumedCapacity", [])
        kind = "reads" if model.name in ("BatchGetItem", "GetItem", "Query") else "writes"
        for each in consumed if isinstance(consumed, list) else [consumed]:
            for key in context["partitions"]:
                count.units[kind, model.name, key] += each["CapacityUnits"] / len(context["partitions"])

    boto3.session.Session = Counting


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("papers", type=int, nargs="?", default=400)
    made.add_argument("batch", type=int, nargs="?", default=200, help="papers a message at most")
    made.add_argument(
        "paragraphs", type=int, nargs="?", default=0, help="of a body, which is sent then; two are a passage"
    )
    made.add_argument("--jobs", type=int, default=1)
    made.add_argument("--workers", type=int, default=20, help="of each job")
    made.add_argument(
        "--queue",
        choices=sorted(_IDLE),
        default="sqs",
        help="sqlite: a file's, whose requests are not counted",
    )
    made.add_argument(
        "--elsewhere",
        action="store_true",
        help="as with a model that is not the built-in one: results may have earlier names",
    )
    made.add_argument("--latency", type=float, default=1.0, help="seconds of a call")
    return made


if __name__ == "__main__":
    main(parser().parse_args())
