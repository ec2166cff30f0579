"""A whole corpus through ``paperfleet run`` and the model server; prints the figures as a table.

    python -m tests.benchmarks.whole_run CORPUS.jsonl.gz [--faults 0.03] [--mode gloss] [--latency 1]
        [--jobs 4] [--workers 100] [--runs 3] [any flag of run]

Checked on the way, with exit code 1 if one fails: counts add up; the bill equals the ledger to the
nano-dollar (under faults: within what is booked as indeterminate); no text is paid for twice that had
been delivered; no accepted paper has a formula changed; a second run sends nothing.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from handlers.model_server import RunningServer, ServerSettings, start
from tests.benchmarks.medians import table
from tests.benchmarks.process import timed
from tests.builders.command import run_flags

_FORMULA = re.compile(r"\$\$[^$]+\$\$|\$[^$]+\$")
_WORDS = re.compile(r"\\(?:text|mathrm|mbox|textrm|textbf|mathbf|rm)\s*\{[^{}]*\}")
_HAN = re.compile("[\u4e00-\u9fff]")


def formulas(text: str) -> Counter[str]:
    """Formulas between dollars, by a pattern that knows nothing of the masking. Texts with escaped or an
    odd number of dollars are left to other tests: there two readers may differ on what is a formula. A
    span with Chinese outside ``\\text{}`` and the like is prose between two formulas, or an arrow that
    came out of a PDF as ``$$``."""
    if "\\$" in text or text.count("$") % 2:
        return Counter()
    return Counter(found for found in _FORMULA.findall(text) if not _HAN.search(_WORDS.sub("", found)))


def changed_formulas(corpus: Path, results: Path) -> list[str]:
    """Ids of accepted papers in which a formula of the source is missing, doubled or altered."""
    wrong = []
    sources = {paper["id"]: paper for paper in _lines(corpus)}
    for line in _lines(results):
        source = sources.get(line["id"])
        if line["status"] != "done" or source is None:
            continue
        for name in ("title", "abstract"):
            if formulas(source.get(name) or "") - formulas(line[name] or ""):
                wrong.append(line["id"])
                break
    return wrong


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with (
        gzip.open(path, "rt", encoding="utf-8")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8") as file
    ):
        for line in file:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue


def measure(
    options: argparse.Namespace, server: RunningServer, state: Path
) -> list[tuple[str, object, bool]]:
    flags = run_flags(options.corpus, state, server)
    flags += ["--jobs", options.jobs, "--workers", options.workers, *options.extra]
    ran, wall, cpu, memory = timed(flags)
    report, stats = ran.report, server.stats()
    results = state / "runs" / "r" / "results.jsonl"
    changed = changed_formulas(options.corpus, results) if results.exists() else ["no results"]
    again, *_ = timed(flags)
    sent_again = server.stats()["requests"] - stats["requests"]
    bill, ledger = stats["bill_nano_usd"], report["spend_nano_usd"]
    indeterminate = round(report["indeterminate_usd"] * 1e9)
    terminal = report["papers"] - report["counts"]["pending"]
    calls = report["calls"]["sent"]
    bound = stats["latency_sum"] / (options.jobs * options.workers)
    return [
        ("papers", report["papers"], True),
        ("counts", json.dumps(report["counts"]), sum(report["counts"].values()) == report["papers"]),
        ("in a terminal state", terminal, terminal == report["papers"]),
        ("bill, nano-USD", bill, True),
        ("ledger, nano-USD", ledger, abs(ledger - bill) <= indeterminate),
        ("of it indeterminate", indeterminate, True),
        ("ledger over bill", round(ledger / bill, 6), abs(ledger / bill - 1) <= 0.02),
        ("calls", calls, True),
        (
            "paid for again after delivery",
            stats["duplicates_of_delivered"],
            stats["duplicates_of_delivered"] == 0,
        ),
        ("papers with a formula changed", len(changed), not changed),
        ("calls of a second run", sent_again, sent_again == 0 and again.code == ran.code),
        ("wall of the session, s", round(report["wall_s"], 1), True),
        ("wall of the command, s", round(wall, 1), True),
        ("latency bound, s", round(bound, 1), True),
        ("utilization", round(report["worker_utilization"], 3), True),
        ("latency p50/p90/p99, s", json.dumps(report["latency_s"]), True),
        ("CPU a call, ms", round(1000 * cpu / max(1, calls), 2), True),
        ("peak memory of all, MB", round(memory.total), True),
        ("peak memory of one job, MB", round(memory.largest), True),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--mode", default="canned", choices=["canned", "gloss"])
    parser.add_argument("--latency", type=float, default=1.0)
    parser.add_argument("--latency-model", default="lognormal", choices=["lognormal", "length"])
    parser.add_argument("--sigma", type=float, default=0.4)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--runs", type=int, default=1, help="medians of so many")
    options, options.extra = parser.parse_known_args()
    runs = [one_run(options, number + 1) for number in range(options.runs)]
    if options.runs > 1:
        print(table([{name: value for name, value, _ in rows} for rows in runs]))
    else:
        for name, value, good in runs[0]:
            print(f"{'  ' if good else '✗ '}{name:32}{value}")
    wrong = {name for rows in runs for name, _, good in rows if not good}
    if options.runs > 1 and wrong:
        print(f"✗ not kept in every run: {', '.join(sorted(wrong))}")
    return int(bool(wrong))


def one_run(options: argparse.Namespace, seed: int) -> list[tuple[str, object, bool]]:
    settings = ServerSettings(
        seed=seed,
        mode=options.mode,
        latency=options.latency,
        latency_model=options.latency_model,
        sigma=options.sigma,
        faults=options.faults,
        price_in=Decimal("0.15"),
        price_out=Decimal("0.60"),
    )
    with tempfile.TemporaryDirectory() as state, start(settings) as server:
        return measure(options, server, Path(state))


if __name__ == "__main__":
    sys.exit(main())
