"""Paperfleet and a peer side by side, each against a server of its own: a loaded machine slows both alike.

    python -m tests.benchmarks.paired [--shapes 10x100 2x500] [--peer httpx] [--calls 2000] [--pairs 3]
        [--keep NAME] [--against SHARE]

Of each shape (jobs x workers) and figure it prints the ratio of Paperfleet's to the peer's, the median of the
pairs with the least and the most, and what either lost. ``--keep NAME`` adds the medians to
``docs/benchmarks.json`` under that name, a release's as a rule. With ``--against 0.1`` exit code 1 if a ratio
is more than a tenth worse than the last that was kept, or if Paperfleet lost a paper.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.benchmarks.medians import summary
from tests.benchmarks.peer_bench import PEERS, Bench, Peer, Shape, environment
from tests.benchmarks.peers_page import WALL

KEPT = Path(__file__).parents[2] / "docs" / "benchmarks.json"
SHAPES = (Shape(10, 100), Shape(2, 500))
_FIGURES = (WALL, "CPU a call, ms", "peak memory, MB")


def pair(peer: Peer, shape: Shape, calls: int, patience: float) -> dict[str, float | None]:
    """The ratios of one pair that ran at the same time, and what each lost."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, ThreadPoolExecutor(2) as both:
        places = Path(folder) / "ours", Path(folder) / "theirs"
        for place in places:
            place.mkdir()
        benches = (
            Bench(each, shape.scenario, calls, place, patience, shape=shape)
            for each, place in zip((None, peer), places, strict=True)
        )
        ours, theirs = both.map(Bench.run, list(benches))
    ratios = {name: _ratio(ours[name], theirs[name]) for name in _FIGURES}
    return ratios | {"lost": ours["lost"], "lost by the peer": theirs["lost"]}


def _ratio(ours: object, theirs: object) -> float | None:
    """None where one of them is no number: it did not finish."""
    numbers = isinstance(ours, int | float) and isinstance(theirs, int | float) and theirs
    return round(ours / theirs, 3) if numbers else None  # both are numbers here


def worse(now: Mapping[str, Mapping[str, float]], before: Mapping[str, Any], share: float) -> list[str]:
    """Ratios that are more than ``share`` above those before, shape by shape, and those that are gone."""
    return [
        f"{shape}, {name}: {ratios.get(name, 'none')} where it was {was:g}"
        for shape, ratios in now.items()
        for name, was in before.get(shape, {}).items()
        if name not in ratios or ratios[name] > (1 + share) * was
    ]


def kept() -> dict[str, dict[str, dict[str, float]]]:
    """Name of a release → shape → figure → ratio, in the order in which they were kept."""
    found: dict[str, dict[str, dict[str, float]]] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shapes", nargs="*", type=Shape.of, default=list(SHAPES))
    parser.add_argument("--peer", default="httpx", choices=[peer.environment for peer in PEERS])
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--patience", type=float, default=180.0)
    parser.add_argument("--keep", metavar="NAME")
    parser.add_argument("--against", type=float, metavar="SHARE")
    options = parser.parse_args()
    peer = next(each for each in PEERS if each.environment == options.peer)
    print(f"beside {peer.name} {environment(peer)}, {options.calls:,} calls, {options.pairs} pairs")
    found, lost = {}, 0
    for shape in options.shapes:
        runs = [pair(peer, shape, options.calls, options.patience) for _ in range(options.pairs)]
        figures = {name: each for name, each in summary(runs).items() if "median" in each}
        for name, each in figures.items():
            print(f"{shape}, {name}: {each['median']:g} ({each['min']:g} to {each['max']:g})", flush=True)
        lost += sum(int(run["lost"] or 0) for run in runs)
        found[str(shape)] = {name: figures[name]["median"] for name in _FIGURES if name in figures}
    before = kept()
    problems = (
        [] if options.against is None or not before else worse(found, [*before.values()][-1], options.against)
    )
    for problem in problems:
        print(f"worse: {problem}")
    if options.keep:
        release = before.get(options.keep, {}) | found
        KEPT.write_text(json.dumps(before | {options.keep: release}, indent=1) + "\n")
    return int(bool(problems or lost))


if __name__ == "__main__":
    sys.exit(main())
