"""Seconds from the command to its first call, of a source that is new and of one that is known.

    python -m tests.benchmarks.first_call CORPUS.jsonl.gz [--papers 34237] [--jobs 20] [--times 3]

The fastest tier as ``extreme`` runs it, drained as soon as the first calls are under way; a line a run.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import tempfile
import time
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from handlers.model_server import RunningServer, ServerSettings, start
from tests.benchmarks.extreme import enlarged
from tests.builders.command import Running, paperfleet, run_flags

_PATIENCE = 120.0


def marks(corpus: Path, state: Path, server: RunningServer, options: argparse.Namespace) -> dict[str, float]:
    """Seconds after the command's start at which the run was made, and its first and hundredth call sent."""
    flags = [*run_flags(corpus, state, server), "--jobs", options.jobs, "--workers", options.workers]
    before, began = server.stats()["requests"], time.time()
    with Running(*flags) as running:
        while server.stats()["requests"] < before + 100:
            if time.time() - began > _PATIENCE:
                raise SystemExit(f"no hundred calls within {_PATIENCE:.0f} s")
            time.sleep(0.05)  # asking takes processor time from the command whose start is measured
        running.interrupt()
        running.end(timeout=120)
    with closing(sqlite3.connect(state / "ledger.sqlite3")) as ledger:
        (made,) = ledger.execute("SELECT created_at FROM run").fetchone()
    segments = (state / "runs" / "r" / "segments").glob("*.jsonl")
    lines = (json.loads(line) for path in segments for line in path.open(encoding="utf-8"))
    sent = sorted(call["started_at"] for line in lines for call in line["calls"])
    return {"run made": made - began, "first call": sent[0] - began, "hundredth": sent[99] - began}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    for name, value in (("papers", 34_237), ("jobs", 20), ("workers", 100), ("times", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    settings = ServerSettings(mode="canned", latency=2.0, price_in=Decimal("0.15"), price_out=Decimal("0.60"))
    with tempfile.TemporaryDirectory() as folder, start(settings) as server:
        corpus = enlarged(options.corpus, Path(folder) / "papers.jsonl", options.papers)
        for kind in ("new", "known"):
            for number in range(options.times):
                state = Path(folder) / f"{kind}-{number}"
                if kind == "known":
                    paperfleet("ingest", corpus, "--state", state, timeout=600)
                found = marks(corpus, state, server, options)
                figures = "".join(f"  {name} {seconds:5.2f} s" for name, seconds in found.items())
                print(f"{kind:6}{figures}  load {os.getloadavg()[0]:.1f}", flush=True)


if __name__ == "__main__":
    main()
