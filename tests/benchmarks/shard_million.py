"""Shard speed and peak memory: cut and store the batches of many papers, and emit their messages.

    python -m tests.benchmarks.shard_million [PAPERS] [PAPERS_A_BATCH]

The corpus is an index alone, for sharding reads no paper. Embedded adapters; on AWS the same cut is
followed by one DynamoDB write a batch and one SQS request for ten.
"""

from __future__ import annotations

import hashlib
import resource
import sys
import tempfile
import time
from pathlib import Path

from handlers.bootstrap.state import connect
from handlers.corpus.index import IndexEntry, index_lines
from handlers.runs.submit import RunRequest, submit_run
from handlers.settings import load_settings
from tests.builders.values import spec


def main(papers: int, batch_papers: int) -> None:
    sha256 = hashlib.sha256(b"synthetic").hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        corpora = Path(folder) / "corpora"
        corpora.mkdir()
        (corpora / f"{sha256}.jsonl").touch()
        entries = (
            IndexEntry(n * 1500, 1500, 200 + n * 7919 % 900, 0, 1, 0, "zh", f"paper-{n:07d}")
            for n in range(papers)
        )
        with (corpora / f"{sha256}.index").open("wb") as file:
            file.writelines(index_lines(entries, corpus_sha256=sha256, papers=papers))
        adapters = connect(load_settings(state=folder), "big")
        fixed = spec(corpus=f"corpora/{sha256}.jsonl", corpus_sha256=sha256, batch_papers=batch_papers)
        began = time.monotonic()
        done = submit_run(adapters, RunRequest(run_id="big", spec=fixed, papers=papers))
        seconds = time.monotonic() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        adapters.close()
    print(f"{papers} papers, {done.batches} batches, {done.emitted} messages: ", end="")
    print(f"{seconds:.1f} s, peak {peak:.0f} MB")


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    main(*(arguments + [1_000_000, 20][len(arguments) :]))
