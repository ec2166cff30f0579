"""A whole run of real processes at an API's limit that nobody declared: what the virtual clock leaves out.

    python -m tests.benchmarks.limited_run [--rate 25] [--jobs 4] [--workers 25] [--latency 2] [--seconds 60]

``used`` is counted from a third of the time on, by the calls' own records.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from handlers.server import ServerSettings, start
from tests.benchmarks.extreme import calls
from tests.command import corpus, paperfleet, run_flags


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
    options, extra = parser.parse_known_args()
    settings = ServerSettings(
        mode="canned", latency=options.latency, sigma=0.5, rpm=60 * options.rate, burst=options.burst
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
    print(f"{len(made)} calls, {throttled / len(made):.2%} refused; from a third of the time on ", end="")
    print(f"{used:.1%} of the limit used, {refused:.2%} refused")


if __name__ == "__main__":
    main()
