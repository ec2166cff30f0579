"""What grows with the corpus, and how: each command alone, its wall, its CPU and its memory.

    python -m tests.benchmarks.growth [PAPERS ...] [--runs 3] [--patience 900]
        (default: 34237 340000; 1000000 takes some five minutes and 7 GB under TMPDIR)

A source of Chinese abstracts of 1.6 KB is ingested, sharded, marked as finished in the ledger with parts as
a committer would have written them (one of 200 flagged, one of 1,000 failed; that is not measured), and then
asked for status, report and results. Every figure but the rate of ``shard`` has the start of a Python process
in it (0.6 s). The last two columns are multiples of the first size's. A command that has not ended after
``--patience`` seconds is killed and printed as such.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from handlers.bootstrap.state import connect
from handlers.corpus.batching import read_paper
from handlers.domain.batch import BatchMessage
from handlers.domain.call import CallTotals
from handlers.domain.ledger import Commit, LedgerEntry
from handlers.domain.paper import PaperStatus
from handlers.domain.part_lines import encode
from handlers.domain.result import Part
from handlers.ports import ObjectStore
from handlers.runs.submit import RunRequest, submit_run
from handlers.settings import load_settings
from tests.benchmarks.process import children, sizes
from tests.builders import values

_ABSTRACT = "本文研究了材料的结构与性能，结果表明该方法的准确率为百分之九十五。" * 15
_TRANSLATED = "This paper studies the structure and properties of the material; the accuracy is 95%. " * 12
_COMMITS = 200
_THIS = "tests.benchmarks.growth"


@dataclass(frozen=True)
class Cost:
    name: str
    wall: float
    cpu: float
    peak: float
    """MB."""
    speed: float = 0.0
    """``unit`` a second of ``wall``, or of the seconds that the command itself tells."""
    unit: str = ""
    ended: bool = True

    @property
    def rate(self) -> str:
        if not self.ended:
            return f"not finished after {self.wall:.0f} s"
        return f"{self.speed:,.{0 if self.speed >= 1000 else 1}f} {self.unit}/s" if self.unit else ""


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


@dataclass(frozen=True)
class Runner:
    """Commands in processes of their own, each ended after ``patience`` seconds."""

    patience: float

    def command(self, name: str, *arguments: object, amount: float = 0.0, unit: str = "") -> Cost:
        return self.module(name, "handlers.cli", *arguments, amount=amount, unit=unit)

    def module(self, name: str, module: str, *arguments: object, amount: float = 0.0, unit: str = "") -> Cost:
        line = [sys.executable, "-m", module, *map(str, arguments)]
        began = time.monotonic()
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(line, stdout=said, stderr=errors)
            # Not the usage's own figure, in which a process inherits the size of the one that started it.
            peak, pid, ended = 0.0, 0, True
            while not pid:
                if time.monotonic() - began > self.patience and ended:
                    process.send_signal(signal.SIGKILL)
                    ended = False
                peak = max(peak, _peak(process.pid))
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                # Looks often enough to see a peak, more so at first, and costs little of what it measures.
                time.sleep(0.02 if peak else 0.005)
            process.returncode = os.waitstatus_to_exitcode(status)
            wall = time.monotonic() - began
            if ended and process.returncode:
                errors.seek(0)
                raise SystemExit(errors.read().decode() or name)
            said.seek(0)
            seconds = float(said.read()) if module == _THIS and ended else wall
        return Cost(name, wall, usage.ru_utime + usage.ru_stime, peak, amount / seconds, unit, ended)


def _peak(pid: int) -> float:
    """MB that a process has taken at most so far; while it has children, what all of them take together."""
    if helpers := children(pid):
        return sum(sizes(each)[1] for each in (pid, *helpers))
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def shard(state: Path, corpus: Path, papers: int) -> float:
    """Seconds of cutting and emitting, in this process."""
    adapters = connect(load_settings(state=state), "r")
    sha256 = corpus.stem
    spec = values.spec(corpus=f"corpora/{corpus.name}", corpus_sha256=sha256)
    began = time.monotonic()
    submit_run(adapters, RunRequest(run_id="r", spec=spec, papers=papers))
    took = time.monotonic() - began
    adapters.close()
    return took


def finish(state: Path) -> None:
    """Every paper in a terminal state."""
    adapters = connect(load_settings(state=state), "r")
    commits = (_done(message, adapters.store) for message in adapters.ledger.unfinished_batches("r"))
    adapters.ledger.start_job(values.job())
    while group := list(islice(commits, _COMMITS)):
        adapters.ledger.commit(group)
        for each in group:
            adapters.ledger.finish_batch("r", each.batch_id, now=2.0)
    adapters.ledger.end_job("r", "job-a", at=100.0, outcome="finished", stats=None)
    adapters.queue.purge()
    adapters.close()


_CALL = values.call(raw=_TRANSLATED)
_LINE = values.part_line(
    fields={"title": "Title", "abstract": _TRANSLATED, "keywords": ["one", "two"]}, calls=(_CALL,)
)


def _status(paper_id: str) -> PaperStatus:
    number = int(paper_id.removeprefix("paper-"))
    return "failed" if number % 1000 == 7 else "flagged" if number % 200 == 3 else "done"


def _done(message: BatchMessage, store: ObjectStore) -> Commit:
    lines = tuple(
        encode(
            _LINE.model_copy(
                update={
                    "id": paper_id,
                    "batch_id": message.batch_id,
                    "fingerprint": f"{paper_id:0>64}",
                    "status": _status(paper_id),
                    "calls": (_CALL.model_copy(update={"id": paper_id}),),
                }
            )
        )
        for paper_id in message.ids
    )
    (pointers,) = store.write_parts("job-a", [Part("r", f"{message.batch_id}/1-1", lines)])
    entries = tuple(
        LedgerEntry(
            paper_id=paper_id,
            generation=1,
            status=(status := _status(paper_id)),
            error="http_500" if status == "failed" else None,
            flags=("numbers",) if status == "flagged" else (),
            fingerprint=f"{paper_id:0>64}",
            pointer=pointer,
            cost=1000,
        )
        for paper_id, pointer in zip(message.ids, pointers, strict=True)
    )
    calls = CallTotals.of([values.call(raw="") for _ in message.ids])
    return Commit("r", message.batch_id, f"{message.batch_id}/1-1", "job-a", entries, calls, 1.0)


def costs(papers: int, folder: Path, run: Runner) -> Iterator[Cost]:
    raw = source(folder / "source.jsonl", papers)
    megabytes = raw.stat().st_size / 1e6
    state = folder / "state"
    where = ("--state", state, "--run-id", "r")
    yield (cost := run.command("ingest", "ingest", raw, "--state", state, amount=megabytes, unit="MB"))
    raw.unlink()
    if not cost.ended:
        return
    (corpus,) = (path for path in (state / "corpora").glob("*.jsonl") if "rejects" not in path.name)
    cut = ("--shard", state, "--corpus", corpus, papers)
    yield (cost := run.module("shard", _THIS, *cut, amount=papers, unit="papers"))
    if not cost.ended:
        return
    finish(state)
    first = (state / "corpora" / corpus.name).open("rb").readline()
    assert read_paper(first, "paper-0000000").language == "zh"
    yield run.command("status", "status", *where, "--json")
    output = folder / "results.jsonl"
    yield (
        cost := run.command(
            "export (JSONL)", "export", *where, "--output", output, amount=papers, unit="results"
        )
    )
    assert not cost.ended or sum(1 for _ in output.open("rb")) == papers
    output.unlink(missing_ok=True)
    yield run.command("report (JSON)", "report", *where, "--json")
    yield run.command("report (page)", "report", *where, "--html", folder / "page.html")


def middle(costs: list[Cost]) -> Cost:
    """The medians of one command's runs; one that did not end stands for all."""
    if unfinished := [cost for cost in costs if not cost.ended]:
        return unfinished[0]
    wall, cpu, peak, speed = (
        statistics.median(getattr(cost, name) for cost in costs) for name in ("wall", "cpu", "peak", "speed")
    )
    return Cost(costs[0].name, wall, cpu, peak, speed, costs[0].unit)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("papers", type=int, nargs="*", default=[34_237, 340_000])
    parser.add_argument("--runs", type=int, default=1, help="medians of so many")
    parser.add_argument("--patience", type=float, default=900.0, help="seconds a command may take")
    # In a process of its own, so that its memory is its own.
    parser.add_argument("--shard", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--corpus", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.shard:
        print(shard(options.shard, options.corpus, options.papers[0]))
        return
    print(f"{'papers':>10}  {'':16}{'wall s':>8}{'CPU s':>8}{'peak MB':>9}{'x wall':>8}{'x MB':>6}")
    base: dict[str, Cost] = {}
    for papers in options.papers:
        runs: dict[str, list[Cost]] = {}
        for _ in range(options.runs):
            with tempfile.TemporaryDirectory() as folder:
                for cost in costs(papers, Path(folder), Runner(options.patience)):
                    runs.setdefault(cost.name, []).append(cost)
                    if len(runs[cost.name]) == options.runs:
                        show(papers, middle(runs[cost.name]), base)


def show(papers: int, cost: Cost, base: dict[str, Cost]) -> None:
    """A line; ``base`` has the first size's figures."""
    first = base.setdefault(cost.name, cost)
    line = f"{papers:10,}  {cost.name:16}{cost.wall:8.1f}{cost.cpu:8.1f}{cost.peak:9.0f}"
    print(f"{line}{cost.wall / first.wall:8.1f}{cost.peak / first.peak:6.2f}  {cost.rate}", flush=True)


if __name__ == "__main__":
    main()
