"""The promises at full size, each with its figure: kills, a tight budget, an account without credit.

    python -m tests.benchmarks.promises CORPUS.jsonl.gz [--jobs 4] [--workers 100]

Exit code 1 if one of them is broken. Calls repeated after a kill may be those in flight and those of the
last flush (0.25 s or 25 papers a job).
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from handlers.model_server import RunningServer, ServerSettings, start
from tests.builders.command import Ran, Running, job_processes, paperfleet, run_flags, until

_FLUSH = 25
_PRICED = {"mode": "canned", "price_in": Decimal("0.15"), "price_out": Decimal("0.60")}
Row = tuple[str, object, bool]


class Bench:
    """A model server and a state folder for one scenario."""

    def __init__(self, options: argparse.Namespace, server: RunningServer, state: Path) -> None:
        self.server = server
        self.state = state
        self.jobs, self.workers = options.jobs, options.workers
        self.flags = [
            *run_flags(options.corpus, state, server),
            "--jobs",
            self.jobs,
            "--workers",
            self.workers,
        ]

    def run(self, *flags: object) -> Ran:
        return paperfleet(*self.flags, *flags, timeout=1800)


@contextmanager
def bench(options: argparse.Namespace, **settings: Any) -> Iterator[Bench]:
    with (
        tempfile.TemporaryDirectory() as state,
        start(ServerSettings(**(_PRICED | {"latency": options.latency} | settings))) as server,
    ):
        yield Bench(options, server, Path(state))


def killed(
    options: argparse.Namespace, calls: int, name: str, kill: Callable[[Running, Path], int]
) -> list[Row]:
    """Kill at half way, let it or the next command finish, and count what was sent twice."""
    with bench(options) as b:
        with Running(*b.flags) as running:
            until(lambda: b.server.stats()["requests"] >= calls // 2, seconds=600)
            dead = kill(running, b.state)
            ran = running.end(timeout=1800)
        if ran.code < 0:
            ran = b.run()
        report, stats = ran.report, b.server.stats()
        allowed = dead * (b.workers + _FLUSH)
        unbooked = stats["bill_nano_usd"] - report["spend_nano_usd"]
        return [
            (f"{name}: pending papers", report["counts"]["pending"], report["counts"]["pending"] == 0),
            (
                f"{name}: calls sent twice (at most {allowed})",
                stats["duplicates"],
                stats["duplicates"] <= allowed,
            ),
            (f"{name}: billed and not booked, nano-USD", max(0, unbooked), unbooked <= 0),
            (f"{name}: ledger over bill", round(report["spend_nano_usd"] / stats["bill_nano_usd"], 4), True),
            (f"{name}: indeterminate, USD", report["indeterminate_usd"], True),
        ]


def one_job(_running: Running, state: Path) -> int:
    os.kill(job_processes(state)[0], signal.SIGKILL)
    return 1


def everything(running: Running, state: Path) -> int:
    jobs = len(job_processes(state))
    os.killpg(running.pid, signal.SIGKILL)
    return jobs


def budget(options: argparse.Namespace, need: int) -> list[Row]:
    third = need // 3
    with bench(options) as b:
        tight = b.run("--budget", f"{third / 1e9:.9f}")
        spent, bill = tight.report["spend_nano_usd"], b.server.stats()["bill_nano_usd"]
        whole = b.run("--budget", f"{need * 2 / 1e9:.9f}")
        return [
            ("budget: exit code", tight.code, tight.code == 4),
            ("budget: used", round(bill / third, 4), 0.85 <= bill / third <= 1),
            ("budget: ledger equals bill", spent == bill, spent == bill),
            ("budget: exit code with a larger one", whole.code, whole.code in (0, 3)),
            (
                "budget: then pending",
                whole.report["counts"]["pending"],
                whole.report["counts"]["pending"] == 0,
            ),
        ]


def no_credit(options: argparse.Namespace, need: int) -> list[Row]:
    with bench(options, credit_usd=Decimal(need // 3) / 10**9) as b:
        ran = b.run()
        refused = b.server.stats()["statuses"].get("402", 0)
        return [
            ("402: exit code", ran.code, ran.code == 4),
            ("402: papers failed", ran.report["counts"]["failed"], ran.report["counts"]["failed"] == 0),
            (
                f"402: calls refused (at most {b.jobs * b.workers} in flight)",
                refused,
                refused <= b.jobs * b.workers,
            ),
            ("402: reason", ran.report["reason"], "402" in ran.report["reason"]),
        ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--latency", type=float, default=1.0)
    options = parser.parse_args()
    with bench(options) as b:
        whole = b.run().report
    need, calls = whole["spend_nano_usd"], whole["calls"]["sent"]
    rows = [
        *killed(options, calls, "one job killed", one_job),
        *killed(options, calls, "all killed", everything),
        *budget(options, need),
        *no_credit(options, need),
    ]
    for name, value, good in rows:
        print(f"{'  ' if good else '✗ '}{name:52}{value}")
    return 0 if all(good for *_, good in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
