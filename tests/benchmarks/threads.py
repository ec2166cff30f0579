"""What a paper costs the client by the number of threads: flat, or not.

    python -m tests.benchmarks.threads CORPUS.jsonl.gz [--threads 10 50 100 200 500]
        [--rate 80] [--seconds 15] [--runs 3]

One job of so many workers. Every line sends the same papers at the same ``--rate`` a second: the latency is
threads over rate (10 threads: 0.125 s, 500: 6.25 s), so that nothing but the number of threads differs, and
the processor is never what limits. CPU is that of the command and its job. The start (imports, ingest, the
page of the report) is measured by a run of one paper and taken off, and stands in a line of its own.
``added`` is the mean latency that the client measures less the one that the server does. ``core`` is the
share of one processor that the client takes over the whole command. Exit code 1 if a paper or call is lost.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from handlers.model_server import ServerSettings, start
from tests.benchmarks.extreme import calls, enlarged
from tests.benchmarks.medians import summary
from tests.benchmarks.process import timed
from tests.builders.command import run_flags

_COLUMNS = ("CPU, ms a paper", "added, ms", "RSS, MB", "errors", "lost", "wall, s", "core")


def measure(corpus: Path, state: Path, threads: int, latency: float, started: float) -> dict[str, float]:
    """One run's figures; ``started``: CPU seconds of the start alone, to be left out."""
    with start(ServerSettings(mode="canned", latency=latency, sigma=0.3)) as server:
        flags = [*run_flags(corpus, state, server), "--jobs", 1, "--workers", threads]
        ran, wall, cpu, memory = timed(flags, every=1.0)
        if not ran.out:
            raise SystemExit(ran.err)
        delivered = server.stats()
    made = list(calls(state, {}))
    report = ran.report
    counts = report["counts"]
    added = (sum(call.latency for call in made) - delivered["latency_sum"]) / len(made)
    return {
        "CPU, ms a paper": round(1000 * (cpu - started) / report["papers"], 2),
        "added, ms": round(1000 * added, 1),
        "RSS, MB": round(memory.largest_rss),
        "errors": report["calls"]["transient"] + report["calls"]["fatal"],
        "lost": counts["pending"] + counts["failed"],
        "wall, s": round(wall, 1),
        "core": round(cpu / wall, 2),
    }


def start_alone(source: Path, folder: Path) -> float:
    """CPU seconds of a command with one paper."""
    state = folder / "one"
    corpus = enlarged(source, folder / "one.jsonl", 1)
    with start(ServerSettings(mode="canned")) as server:
        _, _, cpu, _ = timed([*run_flags(corpus, state, server), "--jobs", 1, "--workers", 1], every=1.0)
    return cpu


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--threads", type=int, nargs="+", default=[10, 50, 100, 200, 500])
    parser.add_argument("--rate", type=float, default=80.0, help="papers a second")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--runs", type=int, default=1, help="medians of so many")
    options = parser.parse_args()
    lost = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus = enlarged(options.corpus, folder / "papers.jsonl", round(options.rate * options.seconds))
        started = start_alone(options.corpus, folder)
        print(f"the start alone: {started:.2f} s of CPU")
        print(f"{'threads':>8}" + "".join(f"{column:>17}" for column in _COLUMNS))
        for threads in options.threads:
            runs = [
                measure(corpus, folder / f"{threads}-{run}", threads, threads / options.rate, started)
                for run in range(options.runs)
            ]
            found = summary(runs)
            cells = "".join(f"{found[column]['median']:>17}" for column in _COLUMNS)
            print(f"{threads:8}{cells}", flush=True)
            lost += sum(each["lost"] + each["errors"] for each in runs)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
