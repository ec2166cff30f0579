"""Shard speed and peak memory on AWS's own protocols: ministack in place of AWS, in a process of its own.

    python -m tests.benchmarks.shard_million_aws [PAPERS] [PAPERS_A_BATCH] [PAPERS_A_BATCH ...]

The corpus is an index alone, read from S3 as it is cut, for sharding reads no paper; a DynamoDB write a
batch, a twenty-fifth more for its message, a tenth of an SQS request. The emulator takes most of the time:
the CPU that the shard handler itself needs is given beside it.
"""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from handlers.bootstrap.state import connect
from handlers.corpus.index import IndexEntry, index_lines
from handlers.runs.submit import RunRequest, submit_run
from handlers.settings import load_settings
from tests.builders.local_aws import LocalAws
from tests.builders.values import spec
from tests.e2e.stack import ministack

_SHA256 = hashlib.sha256(b"synthetic").hexdigest()


def main(papers: int, batches: list[int]) -> None:
    """A line for each batch size; each in a process of its own, whose peak memory is its own."""
    with tempfile.TemporaryDirectory() as folder, ministack(Path(folder)) as cloud:
        local = LocalAws(cloud.endpoint)
        stack = local.stack("million")
        index = Path(folder) / "index"
        entries = (
            IndexEntry(n * 1500, 1500, 200 + n * 7919 % 900, 0, 1, 0, "zh", f"paper-{n:07d}")
            for n in range(papers)
        )
        with index.open("wb") as file:
            file.writelines(index_lines(entries, corpus_sha256=_SHA256, papers=papers))
        s3 = local.client("s3")
        s3.upload_file(str(index), stack.bucket, f"corpora/{_SHA256}.index")
        s3.put_object(Bucket=stack.bucket, Key=f"corpora/{_SHA256}.jsonl", Body=b"")
        for size in batches:
            subprocess.run(
                [sys.executable, "-m", __spec__.name, "--one", str(papers), str(size)],
                env=os.environ | local.environment | stack.settings() | {"PAPERFLEET_STATE": folder},
                check=True,
            )


def one(papers: int, batch_papers: int) -> None:
    requests: Counter[str] = Counter()
    adapters = connect(load_settings(), "big")
    for client in (adapters.ledger._table._client, adapters.queue._client, adapters.store._client):
        client.meta.events.register(
            "before-send", lambda event_name, **_: requests.update([_named(event_name)])
        )
    fixed = spec(corpus=f"corpora/{_SHA256}.jsonl", corpus_sha256=_SHA256, batch_papers=batch_papers)
    began, used = time.monotonic(), time.process_time()
    done = submit_run(adapters, RunRequest(run_id=f"big-{batch_papers}", spec=fixed, papers=papers))
    seconds, used = time.monotonic() - began, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    adapters.close()
    counted = ", ".join(f"{name} {n:,}" for name, n in requests.most_common())
    sys.stdout.write(
        f"{papers:,} papers, {done.batches:,} batches of {batch_papers}, {done.emitted:,} messages: "
        f"{seconds:.1f} s, CPU {used:.1f} s, peak {peak:.0f} MB; {requests.total():,} requests ({counted})\n"
    )
    sys.stdout.flush()


def _named(event_name: Any) -> str:
    return str(event_name).rpartition(".")[2]


if __name__ == "__main__":
    flags = [argument for argument in sys.argv[1:] if argument != "--one"]
    numbers = [int(argument) for argument in flags] or [1_000_000, 200]
    if "--one" in sys.argv:
        one(*numbers)
    else:
        main(numbers[0], numbers[1:] or [200])
