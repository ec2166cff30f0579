"""What each constant of ``llm/limits/aimd.py`` is good for: switched off, or halved and doubled where it has
no off, in the scenarios of ``rate_limits``.

    python -m tests.benchmarks.limit_ablation [NAMES OF CONSTANTS] [--seeds 3]

``used`` and ``refused`` are the largest changes against the limiter as it is, in points of the share, over
all scenarios, with the scenario's letter; both are means over the seeds. The first row has other seeds and
nothing else changed: what is no larger is noise.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from statistics import fmean
from unittest.mock import patch

from handlers.llm.limits import aimd
from tests.benchmarks.rate_limits import SCENARIOS, figures
from tests.builders.virtual_fleet import Scenario

_SCENARIOS = {
    letter: SCENARIOS[name]
    for letter, name in {
        "a": "burst of 1 s",
        "b": "429 without Retry-After",
        "c": "halved and doubled, no headers",
        "d": "limit halved and doubled",
        "e": "burst of 1 s, 20 x 100 workers",
        "f": "a second tenant takes half",
        "g": "jobs start one by one",
    }.items()
} | {"h": replace(SCENARIOS["halved and doubled, no headers"], heartbeat=0.0)}
_OTHER_SEEDS = 100

VARIANTS: dict[str, tuple[float, ...]] = {
    "_OPENING": (1e9,),
    "_REOPENING": (1.0,),
    "_BUSY": (0.5,),
    "_PROBE": (0.5, 2.0),
    "_CHASE": (1.0,),
    "_QUIET": (math.inf,),
    "_DOUBLING": (4.0, 16.0),
    "_CALM": (0, math.inf),
    "_CALMER": (50, 200),
    "_SURE": (1.0,),
    "_SURER": (1.0,),
    "_LEVELLING": (0.0,),
    "_LEAP": (1.0,),
    "_YIELD": (0.0,),
    "_JUST_CUT": (0.0,),
    "_DECREASE": (0.9, 0.6),
    "_BURST": (0.0,),
    "_MEMORY": (1.0,),
    "_LULL": (0.0,),
    "_RISE": (0.35, 1.4),
    "_LEAN": (0.0,),
    "_LOW": (1.0,),
    "_SWAY": (0.0,),
}
"""Constant → what it is set to, one after the other."""


def measured(scenario: Scenario, seeds: range) -> tuple[float, float, float, float]:
    """(used, refused, refused in all, share of the slowest job), means over the seeds."""
    runs = [figures(replace(scenario, seed=seed)) for seed in seeds]
    return (
        fmean(run.used for run in runs),
        fmean(run.refused for run in runs),
        fmean(run.refused_in_all for run in runs),
        fmean(run.share for run in runs),
    )


def row(name: str, seeds: range, base: dict[str, tuple[float, float, float, float]]) -> None:
    """Print what changed most, and where."""
    changes = []
    found = {letter: measured(scenario, seeds) for letter, scenario in _SCENARIOS.items()}
    for field in range(4):
        worst = max(found, key=lambda letter: abs(found[letter][field] - base[letter][field]))
        change = found[worst][field] - base[worst][field]
        changes.append(f"{change:+.2f} {worst}" if field == 3 else f"{100 * change:+.2f} {worst}")
    print(f"| {name} | {' | '.join(changes)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    seeds = range(1, options.seeds + 1)
    base = {letter: measured(scenario, seeds) for letter, scenario in _SCENARIOS.items()}
    for letter, (used, refused, in_all, share) in base.items():
        print(f"{letter}: used {used:.1%}, refused {refused:.2%}, in all {in_all:.2%}, slowest {share:.2f}")
    print("| constant | used | refused | in all | slowest job |\n| --- | --- | --- | --- | --- |")
    if not options.names:
        row("none: other seeds", range(_OTHER_SEEDS, _OTHER_SEEDS + options.seeds), base)
    for name, values in VARIANTS.items():
        if options.names and name not in options.names:
            continue
        for value in values:
            with patch.object(aimd, name, value):
                row(f"`{name}` {getattr(aimd, name):g}", seeds, base)


if __name__ == "__main__":
    main()
