"""``kill -9`` at random moments, again and again, over one run: jobs, the parent, or all at one blow.

    python -m tests.benchmarks.soak [--kills 50] [--papers 3000] [--jobs 2] [--workers 20] [--seed 1]

Prints the table of faults tried; exit code 1 if a promise is broken: a paper lost, a formula changed, more
paid twice than was in flight and in the last flush, or a dollar billed and not booked.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from handlers.model_server import RunningServer, ServerSettings, start
from tests.builders.command import Running, corpus, job_processes, lines, paperfleet, run_flags

_FLUSH = 25
_FORMULA = re.compile(r"\$\$[^$]+\$\$|\$[^$]+\$")


class Soak:
    def __init__(self, options: argparse.Namespace, server: RunningServer, folder: Path) -> None:
        self._options, self._server = options, server
        self._chance = random.Random(options.seed)
        self.source = corpus(folder / "papers.jsonl", options.papers, seed=options.seed)
        self.state = folder / "state"
        self.flags = [
            *run_flags(self.source, self.state, server),
            *("--jobs", options.jobs, "--workers", options.workers, "--read-timeout", 5),
        ]
        self.struck: Counter[str] = Counter()
        self.allowed = 0

    def run(self) -> dict[str, Any]:
        """Kill until so many blows have struck or the work is done, then let it finish."""
        while self.struck.total() < self._options.kills:
            with Running(*self.flags) as running:
                while self.struck.total() < self._options.kills and self._strike(running):
                    pass
        return paperfleet(*self.flags, timeout=1800).report

    def _strike(self, running: Running) -> bool:
        """Wait a random while and kill something; False if the parent is gone."""
        time.sleep(self._chance.uniform(0.3, 1.5))
        jobs = job_processes(self.state)
        what = self._chance.choice(["job", "job", "parent", "all"])
        if not jobs:
            return running.poll() is None
        with suppress(ProcessLookupError):
            if what == "job":
                os.kill(self._chance.choice(jobs), signal.SIGKILL)
            elif what == "parent":
                running.kill()
            else:
                os.killpg(running.pid, signal.SIGKILL)
            self.struck[what] += 1
            self.allowed += (self._options.workers + _FLUSH) * (1 if what == "job" else len(jobs))
        return what == "job"

    def formulas_changed(self) -> int:
        sources = {paper["id"]: paper["abstract"] for paper in lines(self.source)}
        results = lines(self.state / "runs" / "r" / "results.jsonl")
        return sum(
            Counter(_FORMULA.findall(line["abstract"])) != Counter(_FORMULA.findall(sources[line["id"]]))
            for line in results
            if line["status"] == "done"
        )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--papers", type=int, default=3000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--workers", type=int, default=20)
    parser.add_argument("--latency", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    priced = ServerSettings(
        mode="canned", price_in=Decimal("0.15"), price_out=Decimal("0.60"), latency=options.latency
    )
    with tempfile.TemporaryDirectory() as folder, start(priced) as server:
        soak = Soak(options, server, Path(folder))
        report = soak.run()
        stats = server.stats()
        audited = paperfleet("audit", "--state", soak.state, "--run-id", "r", "--json", timeout=600)
        changed = soak.formulas_changed()
    unbooked = max(0, stats["bill_nano_usd"] - report["spend_nano_usd"])
    lost = options.papers - sum(report["counts"][status] for status in ("done", "flagged", "failed"))
    rows = [
        ("blows struck", dict(soak.struck), soak.struck.total() >= options.kills),
        ("papers lost", lost, lost == 0),
        ("papers failed", report["counts"]["failed"], report["counts"]["failed"] == 0),
        (
            f"calls paid twice (at most {soak.allowed})",
            stats["duplicates"],
            stats["duplicates"] <= soak.allowed,
        ),
        ("formulas changed", changed, changed == 0),
        ("billed and not booked, nano-USD", unbooked, unbooked == 0),
        ("booked, USD", report["spend_usd"], True),
        ("of it indeterminate, USD", report["indeterminate_usd"], True),
        ("billed, USD", stats["bill_nano_usd"] / 1e9, True),
        ("audit: differences", len(audited.report["differences"]), audited.code == 0),
    ]
    for name, value, good in rows:
        print(f"{'  ' if good else '✗ '}{name:44}{value}")
    for each in audited.report["differences"][:5]:
        print("   ", each)
    return 0 if all(good for *_, good in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
