"""What grows with the corpus, and how: each command alone, its wall, its CPU and its memory.

    python -m tests.benchmarks.growth [PAPERS ...]      (default: 34237 340000; 1000000 takes some minutes)

A source of Chinese abstracts of 1.6 KB is ingested, sharded, marked as finished in the ledger with parts as
a committer would have written them (that is not measured), and then asked for status, report and results.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from handlers.bootstrap import connect
from handlers.corpus.batching import read_paper
from handlers.models import BatchMessage, LedgerEntry
from handlers.pipeline.submit import RunRequest, submit
from handlers.ports import ObjectStore
from handlers.records import Part
from handlers.settings import load_settings
from handlers.totals import CallTotals, Commit
from tests import builders

_ABSTRACT = "本文研究了材料的结构与性能，结果表明该方法的准确率为百分之九十五。" * 15
_TRANSLATED = "This paper studies the structure and properties of the material; the accuracy is 95%. " * 12
_COMMITS = 200


@dataclass(frozen=True)
class Cost:
    name: str
    wall: float
    cpu: float
    peak: float
    """MB."""
    rate: str


def source(path: Path, papers: int) -> Path:
    """Every text its own."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(papers):
            paper = {
                "id": f"paper-{number:07d}",
                "title": f"第{number}组样品的研究",
                "abstract": f"样品{number}：" + _ABSTRACT[: 300 + number * 7919 % 400],
                "keywords": ["材料", "结构"],
                "language": "zh",
                "license": "CC-BY-4.0",
                "url": f"https://example.org/{number}",
            }
            file.write(json.dumps(paper, ensure_ascii=False) + "\n")
    return path


def command(name: str, rate: Callable[[float], str], *arguments: object) -> Cost:
    """One command in a process of its own."""
    line = [sys.executable, "-m", "handlers.cli", *map(str, arguments)]
    began = time.monotonic()
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    # Not the usage's own figure, in which a process inherits the size of the one that started it.
    peak, pid = 0.0, 0
    while not pid:
        peak = max(peak, _peak(process.pid))
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        time.sleep(0.005)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    if process.returncode:
        raise SystemExit(process.stderr.read().decode() if process.stderr else name)
    return Cost(name, wall, usage.ru_utime + usage.ru_stime, peak, rate(wall))


def _peak(pid: int) -> float:
    """MB that a process has taken at most so far."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def shard(state: Path, corpus: Path, papers: int) -> tuple[float, float]:
    """Wall and CPU seconds of cutting and emitting, in this process."""
    adapters = connect(load_settings(state=state), "r")
    sha256 = corpus.stem
    spec = builders.spec(corpus=f"corpora/{corpus.name}", corpus_sha256=sha256)
    began, cpu = time.monotonic(), time.process_time()
    submit(
        RunRequest(run_id="r", spec=spec, papers=papers),
        ledger=adapters.ledger,
        queue=adapters.queue,
        store=adapters.store,
        clock=adapters.clock,
    )
    took = time.monotonic() - began, time.process_time() - cpu
    adapters.close()
    return took


def finish(state: Path) -> None:
    """Every paper done."""
    adapters = connect(load_settings(state=state), "r")
    commits = (_done(message, adapters.store) for message in adapters.ledger.unfinished_batches("r"))
    adapters.ledger.start_job(builders.job())
    while group := list(islice(commits, _COMMITS)):
        adapters.ledger.commit(group)
        for each in group:
            adapters.ledger.finish_batch("r", each.batch_id, now=2.0)
    adapters.ledger.end_job("r", "job-a", at=100.0, outcome="finished", stats=None)
    adapters.queue.purge()
    adapters.close()


_LINE = builders.part_line(
    "@ID@",
    batch_id="@BATCH@",
    fingerprint="@PRINT@",
    fields={"title": "Title", "abstract": _TRANSLATED, "keywords": ["one", "two"]},
    calls=(builders.call("@CALL@", raw=_TRANSLATED),),
).model_dump_json()


def _done(message: BatchMessage, store: ObjectStore) -> Commit:
    lines = tuple(
        _LINE.replace("@ID@", paper_id)
        .replace("@BATCH@", message.batch_id)
        .replace("@PRINT@", f"{paper_id:0>64}")
        .replace("@CALL@", paper_id)
        .encode()
        + b"\n"
        for paper_id in message.ids
    )
    (pointers,) = store.write_parts("job-a", [Part("r", f"{message.batch_id}/1-1", lines)])
    entries = tuple(
        LedgerEntry(
            paper_id=paper_id,
            generation=1,
            status="done",
            fingerprint=f"{paper_id:0>64}",
            pointer=pointer,
            cost=1000,
        )
        for paper_id, pointer in zip(message.ids, pointers, strict=True)
    )
    calls = CallTotals.of([builders.call(raw="") for _ in message.ids])
    return Commit("r", message.batch_id, f"{message.batch_id}/1-1", "job-a", entries, calls, 1.0)


def costs(papers: int, folder: Path) -> Iterator[Cost]:
    raw = source(folder / "source.jsonl", papers)
    megabytes = raw.stat().st_size / 1e6
    state = folder / "state"
    where = ("--state", state, "--run-id", "r")
    yield command("ingest", lambda wall: f"{megabytes / wall:.1f} MB/s", "ingest", raw, "--state", state)
    raw.unlink()
    (corpus,) = (path for path in (state / "corpora").glob("*.jsonl") if "rejects" not in path.name)
    wall, cpu = shard(state, corpus, papers)
    yield Cost("shard", wall, cpu, 0.0, f"{papers / wall:,.0f} papers/s")
    finish(state)
    first = (state / "corpora" / corpus.name).open("rb").readline()
    assert read_paper(first, "paper-0000000").language == "zh"
    yield command("status", lambda _: "", "status", *where, "--json")
    output = folder / "results.jsonl"
    yield command(
        "export (JSONL)", lambda wall: f"{papers / wall:,.0f} results/s", "export", *where, "--output", output
    )
    assert sum(1 for _ in output.open("rb")) == papers
    output.unlink()
    yield command("report (JSON)", lambda _: "", "report", *where, "--json")
    yield command("report (page)", lambda _: "", "report", *where, "--html", folder / "page.html")


def main() -> None:
    sizes = [int(argument) for argument in sys.argv[1:]] or [34_237, 340_000]
    print(f"{'papers':>10}  {'':16}{'wall s':>8}{'CPU s':>8}{'peak MB':>9}")
    for papers in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for cost in costs(papers, Path(folder)):
                peak = f"{cost.peak:9.0f}" if cost.peak else " " * 9
                line = f"{papers:10,}  {cost.name:16}{cost.wall:8.1f}{cost.cpu:8.1f}{peak}  {cost.rate}"
                print(line, flush=True)


if __name__ == "__main__":
    main()
