"""Forecasts against real runs on this machine; prints two tables.

    python -m tests.benchmarks.calibration [CORPUS] [--repeats 3] [--papers 2000] [--only simulation|plan]

First, simulation against a real local run of the same set-up, bound by workers, by the API's rate limit,
and struck by faults: medians over repeats and seeds. Then `pilot`, `plan` and `run --plan` over CORPUS (or
as many made papers), twice: bound by workers, and by a declared rate. Exit code 1 if a simulation is off by
more than 5% in time or a factor of 1.5 in throttles, or a plan by more than 10% in time or 3% in cost.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

from handlers.model_server import ServerSettings, start
from tests.builders.command import PRICES, corpus, paperfleet, run_flags

_PRICED = {"price_in": Decimal("0.15"), "price_out": Decimal("0.60")}
_FEW_THROTTLES = 3
"""Refusals below which a factor between two counts says nothing."""


@dataclass(frozen=True)
class SetUp:
    """One fleet against one server, and the same in the simulation's words."""

    name: str
    jobs: int
    workers: int
    server: dict[str, Any]
    simulated: dict[str, Any] = field(default_factory=dict)


SET_UPS = (
    SetUp("worker-bound", 2, 25, {"latency": 0.5}),
    SetUp("rate-bound", 2, 50, {"latency": 0.5, "rpm": 3000}, {"api-rpm": 3000}),
    SetUp(
        "faulty", 2, 25, {"latency": 0.5, "http_503": 0.05, "malformed": 0.05},
        {"transient": 0.05, "repair": 0.05},
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Took:
    """Seconds, and throttled calls for each one sent."""

    wall: float
    throttle_rate: float
    throttled: float


def real(set_up: SetUp, source: Path, seed: int) -> Took:
    server = ServerSettings(mode="canned", seed=seed, **_PRICED, **set_up.server)
    with tempfile.TemporaryDirectory() as state, start(server) as running:
        flags = run_flags(source, Path(state), running)
        ran = paperfleet(*flags, "--jobs", set_up.jobs, "--workers", set_up.workers, timeout=600)
    calls = ran.report["calls"]
    return Took(ran.report["wall_s"], calls["throttled"] / calls["sent"], calls["throttled"])


def simulated(set_up: SetUp, papers: int, seed: int) -> Took:
    flags = [word for name, value in set_up.simulated.items() for word in (f"--{name}", value)]
    found = paperfleet(
        "simulate", "--papers", papers, "--jobs", set_up.jobs, "--workers", set_up.workers, "--cores", 2,
        "--latency", set_up.server["latency"], "--seed", seed, *flags, "--json",
    ).report  # fmt: skip
    return Took(found["wall_s"], found["throttle_rate"], found["throttled"])


def middle(times: list[Took]) -> Took:
    return Took(
        median(each.wall for each in times),
        median(each.throttle_rate for each in times),
        median(each.throttled for each in times),
    )


def simulation_rows(papers: int, repeats: int, folder: Path) -> Iterator[tuple[str, bool]]:
    source = corpus(folder / "made.jsonl", papers)
    for set_up in SET_UPS:
        was = middle([real(set_up, source, seed) for seed in range(1, repeats + 1)])
        said = middle([simulated(set_up, papers, seed) for seed in range(1, 6)])
        off = said.wall / was.wall - 1
        factor = said.throttle_rate / was.throttle_rate if was.throttle_rate else 1.0
        rare = max(said.throttled, was.throttled) <= _FEW_THROTTLES
        good = abs(off) <= 0.05 and (rare or 1 / 1.5 <= factor <= 1.5)
        yield (
            f"{set_up.name:14}{was.wall:8.1f} s {said.wall:8.1f} s {off:+7.1%}   "
            f"{was.throttle_rate:8.2%} {said.throttle_rate:8.2%}   x{factor:.2f}",
            good,
        )


def plan_rows(source: Path, folder: Path) -> Iterator[tuple[str, bool]]:
    for name, shape, server, flags in (
        ("worker-bound", (4, 100), {"latency": 1.0}, []),
        ("rate-bound", (4, 50), {"latency": 0.5, "rpm": 12_000}, ["--rpm", 12_000]),
    ):
        with start(ServerSettings(mode="canned", **_PRICED, **server)) as running:
            state, file = folder / name, folder / f"{name}.json"
            where = [
                "--state",
                state,
                "--base-url",
                running.base_url,
                "--model",
                "paperfleet-canned",
                *PRICES,
            ]
            piloted = paperfleet("pilot", source, *where, "--json", timeout=300).report["figures"]
            fleet = ["--jobs", shape[0], "--workers", shape[1], "--output", file]
            paperfleet("plan", source, *where, *fleet, *flags)
            ran = paperfleet(
                "run", source, "--state", state, "--run-id", "r", "--plan", file, "--json", timeout=900
            )
        found = {each["name"]: each for each in ran.report["forecast"]["figures"]}
        time, cost = found["hours"], found["cost_usd"]
        yield (
            f"{name:14}{piloted['papers']:5} {3600 * time['predicted']:8.1f} s {3600 * time['actual']:8.1f} s"
            f" {time['error']:+7.1%}   ${cost['predicted']:.4f} ${cost['actual']:.4f} {cost['error']:+7.2%}",
            abs(time["error"]) <= 0.1 and abs(cost["error"]) <= 0.03,
        )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path, nargs="?")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--papers", type=int, default=2000)
    parser.add_argument("--only", choices=["simulation", "plan"])
    options = parser.parse_args()
    verdicts = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.only != "plan":
            print(
                f"{'set-up':14}{'real':>10}{'simulated':>11}{'time':>8}   {'throttled':>8} {'simulated':>9}"
            )
            for row, good in simulation_rows(options.papers, options.repeats, folder):
                print("  " if good else "✗ ", row, sep="", flush=True)
                verdicts.append(good)
        if options.only != "simulation":
            source = options.corpus or corpus(folder / "planned.jsonl", options.papers)
            print(
                f"{'set-up':14}{'pilot':>6}{'planned':>10}{'actual':>11}{'time':>8}   planned actual    cost"
            )
            for row, good in plan_rows(source, folder):
                print("  " if good else "✗ ", row, sep="", flush=True)
                verdicts.append(good)
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
