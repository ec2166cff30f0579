"""Task files through every way: begun, killed by ``kill -9``, gone on with, exported to Parquet, judged
by another check, tried again; the ledger held against the provider's bill, and each request counted.

python -m tests.e2e.task_drill [--ways local aws actions] [--tasks NAME ...]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from handlers.model_server import RunningServer
from tests.builders.command import Running, until
from tests.builders.own_tasks import OTHERS, SEVEN, OwnTask
from tests.e2e.task_ways import RECORDS, Sessions, Way, prepared

KINDS = (*SEVEN, *OTHERS)
_KILLED_AT = RECORDS // 2
"""Answers."""


@dataclass
class Step:
    """What a step cost beside what was paid before it. Money in nano-USD."""

    calls: int
    repairs: int
    twice: int
    """Calls whose request was sent before."""
    bill: int
    ledger: int


@dataclass
class Played:
    """What came of a task on a way."""

    way: str
    task: str
    counts: dict[str, int]
    first: Step
    lost: int
    """Nano-USD booked for calls that the killed processes had in flight."""
    unbooked: int
    """Calls that were sent and not booked when all was killed: no other is sent twice for it."""
    allowed: int
    """At most so many: those in flight, and those answered since the last flush that must have ended."""
    stricter: Step
    retried: Step
    flagged: tuple[int, int]
    """Before and after the stricter check."""
    columns: list[str]
    seconds: float
    calls: int
    """Of a record, at most."""
    votes: bool
    """Whether they are answers to one question."""


class Books:
    """The provider's bill and the ledger, step by step."""

    def __init__(self, server: RunningServer) -> None:
        self._server = server
        self._before = Step(0, 0, 0, 0, 0)

    def step(self, report: dict[str, Any], *, new_run: bool = False) -> Step:
        stats, calls = self._server.stats(), report["calls"]
        before = self._before
        spent, sent, repairs = (0, 0, 0) if new_run else (before.ledger, before.calls, before.repairs)
        now = Step(calls["sent"], calls["repairs"], stats["duplicates"], stats["bill_nano_usd"],
                   report["spend_nano_usd"])  # fmt: skip
        self._before = now
        return Step(now.calls - sent, now.repairs - repairs, now.twice - before.twice, now.bill - before.bill,
                    now.ledger - spent)  # fmt: skip


def play(name: str, way: Way, own: OwnTask, folder: Path, server: RunningServer) -> Played:
    """One task on one way."""
    began, task, books = time.monotonic(), own.file(folder), Books(server)
    with way.begun(task) as running:
        answered = _killed(running, server, way.flush)
    until(lambda: server.stats()["in_flight"] == 0)
    sent = server.stats()["requests"]
    unbooked = sent - way.booked()
    report = way.finish(task)
    assert report["counts"]["pending"] == report["counts"]["failed"] == 0, report["counts"]
    first, lost = books.step(report), round(report["indeterminate_usd"] * 1e9)
    columns = _exported(way, folder, sum(report["counts"].values()))
    stricter = own.file(folder, own.stricter)
    judged = way.judged_by(stricter)
    again = books.step(judged, new_run=own.has_checks and isinstance(way, Sessions))
    tried = way.retry(stricter)
    return Played(
        name, own.name, report["counts"], first, lost, unbooked, sent - answered, again, books.step(tried),
        (report["counts"]["flagged"], judged["counts"]["flagged"]), columns,
        round(time.monotonic() - began, 1), own.calls, "samples = " in own.text,
    )  # fmt: skip


def _killed(running: Running, server: RunningServer, flush: float) -> int:
    """Kill the work half way. Returns how many calls had been answered ``flush`` seconds before."""
    seen = [(time.monotonic(), 0)]

    def is_half_way() -> bool:
        seen.append((time.monotonic(), int(server.stats()["delivered"])))
        return seen[-1][1] >= _KILLED_AT

    until(is_half_way, seconds=90)
    os.killpg(running.pid, signal.SIGKILL)
    end = time.monotonic() - flush
    running.end()
    return max((answered for at, answered in seen if at <= end), default=0)


def _exported(way: Way, folder: Path, records: int) -> list[str]:
    """Columns of the export to Parquet, which has every record."""
    output = folder / "results.parquet"
    ran = way.command("export", "--output", output)
    assert ran.code == 0, ran.err
    assert duckdb.sql(f"SELECT count(*) FROM '{output}'").fetchall() == [(records,)]
    return [str(each[0]) for each in duckdb.sql(f"DESCRIBE SELECT * FROM '{output}'").fetchall()]


def check(played: Played) -> None:
    """The promises."""
    first, stricter, retried, refused = played.first, played.stricter, played.retried, played.flagged[0]
    assert first.ledger - played.lost <= first.bill <= first.ledger
    assert first.twice <= played.unbooked <= played.allowed
    assert (stricter.ledger, retried.ledger) == (stricter.bill, retried.bill), "to the nano-dollar"
    anew = stricter.calls - stricter.repairs
    first_of_them = refused * played.calls
    assert played.votes or anew <= first_of_them, (
        "what was refused before is asked anew, and of the rest repairs alone"
    )  # where one vote is refused, others that were not asked may be needed
    assert stricter.twice <= 2 * first_of_them
    assert retried.calls <= 2 * played.flagged[1] * played.calls


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--ways", nargs="+", default=["local", "aws", "actions"])
    parser.add_argument("--tasks", nargs="+", default=[each.name for each in KINDS])
    asked = parser.parse_args(arguments)
    for name in asked.ways:
        for own in (each for each in KINDS if each.name in asked.tasks):
            with tempfile.TemporaryDirectory() as place, prepared(name, own, Path(place)) as (way, server):
                played = play(name, way, own, Path(place), server)
            print(json.dumps(asdict(played)), flush=True)
            check(played)


if __name__ == "__main__":
    main(sys.argv[1:])
