"""A whole run of real processes at an API's limit that nobody declared: what the virtual clock leaves out.

    python -m tests.benchmarks.limited_run [--rate 25] [--jobs 4] [--workers 25] [--latency 2] [--seconds 60]
        [--runs 3]

``limit used`` and ``refused`` are counted from a third of the time on, by the calls' own records.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from handlers.model_server import ServerSettings, start
from tests.benchmarks.extreme import calls
from tests.benchmarks.medians import table
from tests.builders.command import corpus, paperfleet, run_flags


def measure(options: argparse.Namespace, extra: list[str], seed: int) -> dict[str, float]:
    settings = ServerSettings(
        mode="canned",
        seed=seed,
        latency=options.latency,
        sigma=0.5,
        rpm=60 * options.rate,
        burst=options.burst,
    )
    with tempfile.TemporaryDirectory() as name, start(settings) as server:
        folder = Path(name)
        source = corpus(folder / "papers.jsonl", int(options.rate * options.seconds * 1.2))
        flags = run_flags(source, folder / "state", server)
        flags += ["--jobs", options.jobs, "--workers", options.workers, "--deadline", options.seconds]
        report = paperfleet(*flags, *extra, timeout=options.seconds + 120).report
        made = sorted(calls(folder / "state", {}), key=lambda call: call.started_at)
        throttled = report["calls"]["throttled"]
    first = made[0].started_at
    begin, end = first + options.seconds / 3, first + options.seconds - 10 * options.latency
    then = [call for call in made if begin <= call.started_at < end]
    used = sum(call.ok for call in then) / (end - begin) / options.rate
    refused = 1 - sum(call.ok for call in then) / len(then)
    return {
        "calls": len(made),
        "refused in all, %": round(100 * throttled / len(made), 2),
        "limit used, %": round(100 * used, 1),
        "refused, %": round(100 * refused, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=25.0)
    parser.add_argument("--burst", type=float, default=1.0)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--workers", type=int, default=25)
    parser.add_argument("--latency", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--runs", type=int, default=1, help="medians of so many")
    options, extra = parser.parse_known_args()
    print(table([measure(options, extra, number + 1) for number in range(options.runs)]))


if __name__ == "__main__":
    main()
