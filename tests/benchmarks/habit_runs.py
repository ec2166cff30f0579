"""Each habit of the model server alone on sixty papers: calls a paper, and booked against billed."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from handlers.model_server import RunningServer, ServerSettings, start
from handlers.model_server.habits.habit_table import HABITS
from handlers.model_server.habits.turn import Habit
from tests.benchmarks.formulas import changed_formulas
from tests.builders.command import corpus, paperfleet, run_flags

PAPERS = 60
CACHED = Decimal("0.03")
"""USD per million cached prompt tokens, a fifth of what the others cost."""
_SOME = 0.3
_ALWAYS = frozenset(("thinks", "thinks_long", "one_at_a_time"))
_NO_ANSWER = frozenset(("empty", "sensitive", "starved", "hung_up"))
"""No answer comes of them, as of a refusal: all of the calls would leave nothing to see."""
_FLAGS: dict[str, list[object]] = {"one_at_a_time": ["--call-timeout", 3, "--workers", 20]}


@dataclass(frozen=True)
class HabitRun:
    """Money in nano-USD. ``open``: what is held or booked as indeterminate."""

    habit: str
    share: float
    counts: dict[str, int]
    calls: int
    booked: int
    billed: int
    open: int
    changed: int
    seconds: float
    reason: str

    @property
    def good(self) -> bool:
        """No formula changed, and the ledger as far from the bill as it says at most."""
        return not self.changed and abs(self.booked - self.billed) <= self.open

    def line(self) -> str:
        counts = " ".join(
            f"{self.counts.get(name, 0):>7}" for name in ("done", "flagged", "failed", "pending")
        )
        money = f"{self.booked / 1e9:>11.6f} {self.billed / 1e9:>11.6f} {self.open / 1e9:>10.6f}"
        mark = "  " if self.good else "✗ "
        return (
            f"{mark}{self.habit:25}{self.share:>5g} {counts} {self.calls / PAPERS:>8.2f} {money} "
            f"{self.changed:>8} {self.seconds:>6.1f}  {self.reason[:60]}"
        )


HEAD = (
    f"  {'habit':25}share    done flagged  failed pending  calls/p      booked      billed       open"
    "  changed      s  reason"
)


def mixed(share: float) -> tuple[str, ...]:
    """Every habit that a share of the calls can have, at that share."""
    return tuple(f"{name}={share:g}" for name, habit in HABITS.items() if not habit.endpoint)


def share_of(habit: Habit) -> float:
    refuses = habit.moment == "request" or habit.name in _NO_ANSWER
    return _SOME if refuses and not habit.endpoint and habit.name not in _ALWAYS else 1.0


def settings(seed: int = 1) -> ServerSettings:
    return ServerSettings(
        seed=seed,
        mode="canned",
        latency=0.02,
        price_in=Decimal("0.15"),
        price_out=Decimal("0.60"),
        price_cached=CACHED,
    )


def print_table(names: list[str]) -> bool:
    """A line a habit, those of an endpoint as a whole last; True if all are good."""
    wanted = [habit for habit in HABITS.values() if not names or habit.name in names]
    good = True
    with tempfile.TemporaryDirectory() as folder, start(settings()) as server:
        papers = corpus(Path(folder) / "papers.jsonl", PAPERS)
        print(HEAD, flush=True)
        for habit in sorted(wanted, key=lambda each: each.endpoint):
            run = one_habit(habit, server, papers)
            good &= run.good
            print(run.line(), flush=True)
    return good


def one_habit(habit: Habit, server: RunningServer, papers: Path) -> HabitRun:
    share = share_of(habit)
    server.control(habit=[f"{habit.name}={share}"])
    before = server.stats()["bill_nano_usd"]
    with tempfile.TemporaryDirectory() as folder:
        state, began = Path(folder), time.monotonic()
        flags = [*run_flags(papers, state, server), "--price-cached", CACHED, "--jobs", 1]
        flags += _FLAGS.get(habit.name, ["--workers", 8])
        report = paperfleet(*flags, timeout=300).report
        seconds = time.monotonic() - began
        results = state / "runs" / "r" / "results.jsonl"
        changed = len(changed_formulas(papers, results)) if results.exists() else 0
    return HabitRun(
        habit=habit.name,
        share=share,
        counts=report["counts"],
        calls=report["calls"]["sent"],
        booked=report["spend_nano_usd"],
        billed=server.stats()["bill_nano_usd"] - before,
        open=round((report["indeterminate_usd"] + report.get("held_usd", 0.0)) * 1e9),
        changed=changed,
        seconds=seconds,
        reason=report.get("reason") or "",
    )
