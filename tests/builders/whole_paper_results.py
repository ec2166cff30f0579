"""Runs over papers with bodies, and what their results have and lack, told by the checker's own code."""

from __future__ import annotations

import gzip
import heapq
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handlers.adapters.file_store import FileStore
from tests.builders.body_checker import complaints, formulas, links, untranslated

Paper = dict[str, Any]


def papers(path: Path) -> Iterator[Paper]:
    """Of a corpus in JSON Lines, packed by gzip or not."""
    with (
        gzip.open(path, "rt", encoding="utf-8")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8") as lines
    ):
        yield from map(json.loads, lines)


def write(path: Path, chosen: Iterator[Paper] | list[Paper]) -> Path:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(each, ensure_ascii=False) + "\n" for each in chosen)
    return path


def giant(bodies: Path, size: int) -> Paper:
    """A paper whose body takes ``size`` bytes at least: those of others, one after the other."""
    first: Paper = {}
    text: list[str] = []
    taken = 0
    for paper in papers(bodies):
        if paper["language"] == "zh" and taken < size:
            first = first or paper
            text.append(paper["body"])
            taken += len(paper["body"].encode()) + 2
    return {**first, "id": "giant", "body": "\n\n".join(text)}


@dataclass
class Checked:
    """Of the papers that are ``done``. ``papers`` has by the kind of complaint those with one."""

    done: int = 0
    formulas: int = 0
    """Formulas and links of their sources."""
    kinds: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)
    flagged: list[str] = field(default_factory=list)
    """Why each of the others is not done."""

    def of(self, *kinds: str) -> int:
        return sum(self.kinds[kind] for kind in kinds)


def checked(source: Path, results: Path) -> Checked:
    """Each accepted body against its source."""
    sources = {paper["id"]: paper for paper in papers(source)}
    found = Checked()
    for line in papers(results):
        if line["status"] in ("flagged", "failed"):
            found.flagged.append(f"{line['id']}: {line['status']} {line['error']}: {line['reason']}")
        if line["status"] != "done":
            continue
        before, after = sources[line["id"]]["body"], line["body"] or ""
        found.done += 1
        found.formulas += formulas(before).total() + len(links(before))
        wrong = complaints(before, after)
        wrong += [f"Chinese: {each[:80]}" for each in untranslated(before, after)]
        found.kinds.update({each.split(":")[0] for each in wrong})
        found.said += [f"{line['id']}: {each}" for each in wrong]
    return found


def part_lines(state: Path, run_id: str = "r") -> Iterator[dict[str, Any]]:
    """All lines of a run's parts."""
    store = FileStore(state)
    for key in store.keys(f"runs/{run_id}/segments/"):
        yield from map(json.loads, store.lines(key))


def refused_passages(state: Path) -> int:
    """Passages whose last line says that the gate refused them, of papers that are flagged."""
    passed: dict[tuple[str, str], bool] = {}
    flagged: set[str] = set()
    for line in sorted(part_lines(state), key=lambda line: line["at"]):
        if line["status"] == "flagged":
            flagged.add(line["id"])
        elif line.get("passage", "frame") != "frame":
            passed[line["id"], line["passage"]] = line.get("passed", False)
    return sum(paper in flagged and not good for (paper, _), good in passed.items())


def calls(state: Path) -> list[tuple[float, float, str]]:
    """(start, latency, passage) of a run's calls, in the order of their start."""
    return sorted(
        (call["started_at"], call["latency"], line.get("passage", ""))
        for line in part_lines(state)
        for call in line["calls"]
    )


def list_schedule(latencies: Iterable[float], workers: int) -> float:
    """Seconds that the calls take in this order if each begins as soon as one of the workers is free: what a
    single queue without any work of its own comes to (Graham, 1969)."""
    free = [0.0] * workers
    for each in latencies:
        heapq.heapreplace(free, free[0] + each)
    return max(free)


def idle_slots(calls: Sequence[tuple[float, float]], workers: int) -> dict[str, float]:
    """Where slots stood empty between the first call's start and the last one's end, as shares of the calls'
    own time: until all were busy for the first time (nine of ten of them), after the last call had begun,
    and between. ``calls``: (start, latency)."""
    changes = sorted([(start, 1) for start, _ in calls] + [(start + long, -1) for start, long in calls])
    last = max(start for start, _ in calls)
    idle, busy, phase, before = {"start": 0.0, "middle": 0.0, "tail": 0.0}, 0, "start", changes[0][0]
    for at, change in changes:
        idle[phase] += (workers - busy) * (at - before)
        busy, before = busy + change, at
        if phase == "start" and busy >= 0.9 * workers:
            phase = "middle"
        if at >= last:
            phase = "tail"
    return {name: seconds / sum(long for _, long in calls) for name, seconds in idle.items()}


def two_stages(state: Path, workers: int) -> tuple[float, float, float]:
    """Of a run's one paper, in seconds: what its calls take at least in two stages side by side, what a list
    schedule of each stage takes, and from the first call's start to the last one's end."""
    found = calls(state)
    stages = [
        [each[1] for each in found if (each[2] in ("head", "terms")) is first] for first in (True, False)
    ]
    bound = sum(max(max(each), sum(each) / workers) for each in stages if each)
    ideal = sum(list_schedule(each, workers) for each in stages)
    return bound, ideal, max(start + latency for start, latency, _ in found) - found[0][0]
