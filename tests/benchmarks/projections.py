"""What a run was said to come to while it went on, against what it came to; prints a table.

    python -m tests.benchmarks.projections CORPUS [--full-text] [--jobs 2] [--workers 50] [--latency 0.6]
        [--latency-model length|lognormal] [--rpm N] [--tpm N] [--faults 0.02] [--state FOLDER]

Runs the corpus through the built-in model server, then goes through the finished run again second by second
and asks for cost and time in all from 10, 30 and 60% of the papers on: by the mean of the papers so far and
by sizes. In brackets the worst until the next line. ``--state``: a run that is there already. Exit code 1 if
what sizes say is off by more than 10, 4 and 2%. The last column: how often it lay in what was said.
"""

from __future__ import annotations

import argparse
import json
import math
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from handlers.domain.call import CallRecord
from handlers.domain.job import JobStats
from handlers.domain.ledger import BatchFigures
from handlers.domain.money import NanoUsd
from handlers.domain.result import PartLine
from handlers.model_server import ServerSettings, start
from handlers.reporting.projection import Projection, project
from handlers.reporting.time_left import Forecast, Look
from handlers.state_paths import SEGMENTS, run_key
from tests.builders.command import paperfleet, run_flags

PROMISED = {0.1: 0.10, 0.3: 0.04, 0.6: 0.02}
"""Share of the papers → the most that cost and time in all may be off."""


@dataclass
class Batch:
    tokens: int
    papers: int
    settled: int = 0
    cost: int = 0
    calls: int = 0
    busy_ms: int = 0

    @property
    def figures(self) -> BatchFigures:
        return BatchFigures(
            self.tokens, self.papers, self.settled, NanoUsd(self.cost), self.calls, self.busy_ms
        )


@dataclass(frozen=True)
class Recorded:
    """A finished run: its batches as they were cut, and its papers' lines in the order of their ends."""

    batches: dict[str, Batch]
    lines: list[PartLine]
    """Those of ends, and of passages of papers that go on."""
    weights: dict[str, int]
    started_at: float
    workers: int
    limits: dict[str, int] = field(default_factory=dict)
    """That the API stated."""

    @property
    def cost(self) -> int:
        return sum(call.cost for line in self.lines for call in line.calls)

    @property
    def ended_at(self) -> float:
        return self.lines[-1].at


@dataclass
class Replay:
    """The run as it stood at one moment after the other, seen once a second."""

    run: Recorded
    forecast: Forecast = field(default_factory=Forecast)
    at: float = 0.0
    done: int = 0
    finished: int = 0
    calls: int = 0
    spent: int = 0
    tokens: int = 0
    seen: list[tuple[float, int]] = field(default_factory=list)
    told: dict[str, list[CallRecord]] = field(default_factory=dict)
    """Calls of papers that go on."""

    def until(self, share: float) -> None:
        """Go on until so much of the papers is done."""
        wanted = share * sum(self.run.weights.values())
        self.at = self.at or self.run.started_at
        while self.finished < wanted:
            line = self.run.lines[self.done]
            while line.at - self.at >= 1.0:
                self._look(self.at + 1.0)
                self.forecast.left(self._projection())
            self._end(line)

    def _end(self, line: PartLine) -> None:
        told = self.told.setdefault(line.id, [])
        told += line.calls
        if line.status != "pending":
            batch = self.run.batches[line.batch_id]
            batch.settled += 1
            batch.cost += sum(call.cost for call in told)
            batch.calls += len(told)
            batch.busy_ms += round(1000 * sum(call.latency for call in told))
            self.finished += self.run.weights[line.id]
            del self.told[line.id]
        self.done += 1
        self.calls += len(line.calls)
        self.spent += sum(call.cost for call in line.calls)
        self.tokens += sum(
            call.usage.prompt_tokens + call.usage.completion_tokens for call in line.calls if call.usage
        )

    def _look(self, now: float) -> None:
        self.at = now
        ahead = self.run.lines[self.done : self.done + 4 * self.run.workers]
        calls = [call for line in ahead for call in line.calls]
        in_flight = sum(call.started_at <= now < call.started_at + call.latency for call in calls)
        self.forecast.add(
            Look(
                now,
                self.finished,
                self.calls,
                in_flight,
                self.run.workers,
                self.spent,
                self.tokens,
                self.run.limits,
            )
        )
        self.seen.append((now, self.finished))

    def _projection(self) -> Projection:
        found = project(batch.figures for batch in self.run.batches.values())
        return found.less_told(self.spent) if any(self.told.values()) else found

    def said(self) -> tuple[float, float, float, float, bool]:
        """Errors of cost, by the mean so far and by sizes, and of time; whether the time was between those
        that were said. "More than a minute" is right if it is more."""
        self._look(self.run.lines[self.done - 1].at)
        whole, passed = sum(self.run.weights.values()), self.at - self.run.started_at
        took = self.run.ended_at - self.run.started_at
        first = next(each for each in self.seen if self.at - each[0] <= 60.0)
        rate = max(1e-6, self.finished - first[1]) / max(1e-6, self.at - first[0])
        projection = self._projection()
        left = self.forecast.left(projection) or (0.0, 0.0)
        truth = took - passed
        middle = sum(left) / 2 if math.isfinite(left[1]) else max(left[0], truth)
        return (
            self.spent * whole / self.finished / self.run.cost - 1,
            (self.spent + projection.rest.cost) / self.run.cost - 1,
            (passed + (whole - self.finished) / rate) / took - 1,
            (passed + middle) / took - 1,
            left[0] <= truth <= left[1],
        )


def recorded(state: Path, run_id: str) -> Recorded:
    with closing(sqlite3.connect(state / "ledger.sqlite3")) as db:
        batches, weights = {}, {}
        for (text,) in db.execute("SELECT message FROM batch WHERE run_id = ? ORDER BY position", (run_id,)):
            message = json.loads(text)
            ids = message["ids"]
            batches[message["batch_id"]] = Batch(message["tokens"], len(ids))
            weights.update(zip(ids, message["weights"] or [1] * len(ids), strict=True))
        jobs = db.execute("SELECT MIN(started_at), SUM(workers), stats FROM job WHERE run_id = ?", (run_id,))
        started_at, workers, stats = jobs.fetchone()
    lines = sorted(_lines(state, run_id), key=lambda line: line.at)
    return Recorded(batches, lines, weights, started_at, workers, JobStats.parse(stats).limits)


def _lines(state: Path, run_id: str) -> Iterator[PartLine]:
    for path in state.glob(run_key(run_id, SEGMENTS, "*.jsonl")):
        with path.open("rb") as file:
            for text in file:
                line = PartLine.model_validate_json(text)
                if line.status != "pending" or line.passage:
                    yield line.model_copy(update={"fields": {}, "checks": ()})


def run(options: argparse.Namespace, state: Path) -> None:
    settings = ServerSettings(
        mode="gloss", price_in=Decimal("0.15"), price_out=Decimal("0.60"), latency=options.latency,
        latency_model=options.latency_model, ttft=0.3, tokens_per_second=options.tokens_per_second,
        rpm=options.rpm, tpm=options.tpm, faults=options.faults,
    )  # fmt: skip
    with start(settings) as server:
        fleet = ["--jobs", options.jobs, "--workers", options.workers]
        flags = [*run_flags(options.corpus, state, server), *fleet]
        paperfleet(*flags, *(["--full-text"] if options.full_text else []), timeout=3600)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path, nargs="?")
    parser.add_argument("--full-text", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--workers", type=int, default=50)
    parser.add_argument("--latency", type=float, default=0.6)
    parser.add_argument("--latency-model", default="length", choices=["lognormal", "length"])
    parser.add_argument("--tokens-per-second", type=float, default=600)
    parser.add_argument("--rpm", type=float)
    parser.add_argument("--tpm", type=float)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--run-id", default="r")
    options = parser.parse_args()
    if options.corpus is None and options.state is None:
        parser.error("give a CORPUS or a --state")
    with tempfile.TemporaryDirectory() as folder:
        if options.state is None:
            run(options, Path(folder))
        return int(not _print(Replay(recorded(options.state or Path(folder), options.run_id))))


def _print(replay: Replay) -> bool:
    took = replay.run.ended_at - replay.run.started_at
    print(f"{sum(replay.run.weights.values()):,} papers, ${replay.run.cost / 1e9:.4f}, {took:.1f} s")
    columns = "cost by the mean so far | by sizes | time by the pace so far | by sizes | in its span"
    print(f"| papers done | {columns} |")
    print("| --- | --- | --- | --- | --- | --- |")
    marks = [*PROMISED, 1.0]
    good = True
    for share, until in pairwise(marks):
        errors = []
        for percent in range(round(100 * share), round(100 * until)):
            replay.until(percent / 100)
            errors.append(replay.said())
        at, worst = errors[0][:4], [max(map(abs, each)) for each in zip(*errors, strict=True)][:4]
        within = sum(each[4] for each in errors) / len(errors)
        good = good and max(worst[1::2]) <= PROMISED[share]
        cells = [f"{one:+.1%} (to {until:.0%}: {most:.1%})" for one, most in zip(at, worst, strict=True)]
        print(f"| {share:.0%} | {' | '.join(cells)} | {within:.0%} |")
    return good


if __name__ == "__main__":
    sys.exit(main())
