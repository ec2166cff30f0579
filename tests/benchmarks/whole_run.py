"""A whole corpus through ``paperfleet run`` and the model server; prints the figures as a table.

    python -m tests.benchmarks.whole_run CORPUS.jsonl.gz [--faults 0.03] [--mode gloss] [--latency 1]
        [--jobs 4] [--workers 100] [--runs 3] [--habits 0.01] [--task FILE] [any flag of run]
    python -m tests.benchmarks.whole_run --habit-table [HABIT ...]

Checked on the way, with exit code 1 if one fails: counts add up; the bill equals the ledger to the
nano-dollar (under faults and habits: within what is held or booked as indeterminate); no text is paid for
twice that had been delivered (under habits some are: what was delivered was no answer); no accepted paper
has a formula changed; a second run sends nothing. ``--habits``: a share of the calls for each habit that
can be mixed; ``--habit-table``: each habit alone on sixty papers, a line each.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from handlers.model_server import RunningServer, ServerSettings, start
from tests.benchmarks.formulas import changed_formulas
from tests.benchmarks.habit_runs import CACHED, mixed, print_table
from tests.benchmarks.medians import table
from tests.benchmarks.process import timed
from tests.builders.command import run_flags


def measure(
    options: argparse.Namespace, server: RunningServer, state: Path
) -> list[tuple[str, object, bool]]:
    flags = run_flags(options.corpus, state, server)
    flags += ["--price-cached", CACHED] if options.habits else []
    flags += ["--jobs", options.jobs, "--workers", options.workers, *options.extra]
    ran, wall, cpu, memory = timed(flags)
    ended = time.time()
    report, stats = ran.report, server.stats()
    results = state / "runs" / "r" / "results.jsonl"
    changed = [] if results.exists() else ["no results"]
    if (
        not changed and "--task" not in options.extra
    ):  # answers of a task need not have their source's formulas
        changed = changed_formulas(options.corpus, results)
    again, *_ = timed(flags)
    sent_again = server.stats()["requests"] - stats["requests"]
    bill, ledger = stats["bill_nano_usd"], report["spend_nano_usd"]
    indeterminate = round((report["indeterminate_usd"] + report["held_usd"]) * 1e9)
    terminal = report["papers"] - report["counts"]["pending"]
    calls = report["calls"]["sent"]
    bound = stats["latency_sum"] / (options.jobs * options.workers)
    return [
        ("papers", report["papers"], True),
        ("counts", json.dumps(report["counts"]), sum(report["counts"].values()) == report["papers"]),
        ("papers' errors", json.dumps(report["paper_errors"] | report["failed_checks"]), True),
        ("calls' errors", json.dumps(report["errors"]), True),
        ("in a terminal state", terminal, terminal == report["papers"]),
        ("bill, nano-USD", bill, True),
        ("ledger, nano-USD", ledger, abs(ledger - bill) <= indeterminate),
        ("of it held or indeterminate", indeterminate, True),
        ("ledger over bill", round(ledger / bill, 6), abs(ledger / bill - 1) <= 0.02),
        ("calls", calls, True),
        ("calls a paper", round(calls / max(1, report["papers"]), 4), True),
        (
            "paid for again after delivery",
            stats["duplicates_of_delivered"],
            stats["duplicates_of_delivered"] == 0 or bool(options.habits),
        ),
        ("papers with a formula changed", len(changed), not changed),
        ("calls of a second run", sent_again, sent_again == 0 and again.code == ran.code),
        ("wall of the session, s", round(report["wall_s"], 1), True),
        ("wall of the command, s", round(wall, 1), True),
        ("last answer to exit, s", round(ended - stats["last_answer_at"], 2), True),
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
    parser.add_argument("corpus", type=Path, nargs="?")
    parser.add_argument("--mode", default="canned", choices=["canned", "gloss"])
    parser.add_argument("--latency", type=float, default=1.0)
    parser.add_argument("--latency-model", default="lognormal", choices=["lognormal", "length"])
    parser.add_argument("--sigma", type=float, default=0.4)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument(
        "--habits", type=float, default=0.0, help="share of the calls for each that can be mixed"
    )
    parser.add_argument("--habit-table", nargs="*", metavar="HABIT", help="each alone, or these")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--runs", type=int, default=1, help="medians of so many")
    options, options.extra = parser.parse_known_args()
    if options.habit_table is not None:
        return int(not print_table(options.habit_table))
    if options.corpus is None:
        parser.error("give a CORPUS, or --habit-table")
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
        habit=mixed(options.habits) if options.habits else (),
        price_cached=CACHED if options.habits else None,
        price_in=Decimal("0.15"),
        price_out=Decimal("0.60"),
    )
    with tempfile.TemporaryDirectory() as state, start(settings) as server:
        return measure(options, server, Path(state))


if __name__ == "__main__":
    sys.exit(main())
