"""The same figures from several runs as one table: the median of each, the least and the most."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any


def summary(runs: Sequence[Mapping[str, object]]) -> dict[str, dict[str, Any]]:
    """Each figure's ``median``, ``min`` and ``max`` over the runs that have it as a number; of one that is
    no number, its ``values``."""
    found: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(name for run in runs for name in run):
        values = [run[name] for run in runs if run.get(name) is not None]
        numbers = [value for value in values if isinstance(value, int | float)]
        if numbers and len(numbers) == len(values):
            least, most = min(numbers), max(numbers)
            found[name] = {"median": _plain(statistics.median(numbers)), "min": least, "max": most}
        else:
            found[name] = {"values": [str(value) for value in values]}
    return found


def median(runs: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """The medians alone; what is no number as the first run has it."""
    return {
        name: each["median"] if "median" in each else next(run[name] for run in runs if name in run)
        for name, each in summary(runs).items()
    }


def table(runs: Sequence[Mapping[str, object]], *, width: int = 36) -> str:
    """Lines to print: of one run its figures, of several their medians, least and most."""
    if len(runs) == 1:
        return "\n".join(f"{name:{width}}{value}" for name, value in runs[0].items())
    heads = f"median of {len(runs)}", "min", "max"
    lines = [f"{'':{width}}" + "".join(f"{head:>14}" for head in heads)]
    for name, each in summary(runs).items():
        if "median" in each:
            cells = "".join(f"{each[key]:>14}" for key in ("median", "min", "max"))
        else:
            cells = "  " + "; ".join(map(str, each["values"]))
        lines.append(f"{name:{width}}{cells}")
    return "\n".join(lines)


def _plain(value: float) -> float:
    """Without the digits that come of halving a sum, and whole where it is whole."""
    value = round(value, 6)
    return int(value) if isinstance(value, float) and value.is_integer() else value
