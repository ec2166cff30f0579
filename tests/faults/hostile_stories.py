"""Random stories of jobs and a hostile provider.

``python -m tests.faults.hostile_stories 1000`` tells so many, and says how near the bill came to the budget.
It ends at the first story in which the bill passes the budget.
"""

from __future__ import annotations

import logging
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from handlers.pipeline import context
from handlers.pipeline.pace import EMBEDDED
from tests.faults.hostile_bills import HostileFleet
from tests.faults.hostile_provider import HOSTILE
from tests.faults.stories import MEMORY

STEPS = ("ask",) * 6 + ("commit",) * 3
STEPS += ("give_back", "end", "die", "bury", "come_back", "release", "pay_more")


def tell(seed: int, *, steps: Sequence[str] = STEPS, ends: tuple[str, ...] = HOSTILE) -> HostileFleet:
    """A random story of 40 steps; the fleet as it is when all have ended. It is closed."""
    folder = Path(tempfile.mkdtemp(prefix="bills-", dir=MEMORY if MEMORY.is_dir() else None))
    chance = random.Random(seed)
    fleet = HostileFleet(folder, ends, jobs=chance.randint(1, 5))
    try:
        for _ in range(40):
            fleet.step(chance.choice(steps), chance.getrandbits(32))
        fleet.rest()
        fleet.unite()
    finally:
        fleet.close()
        shutil.rmtree(folder, ignore_errors=True)
    return fleet


def impatient(set_attribute: Callable[[object, str, object], None]) -> None:
    """In one thread nothing changes while one waits."""
    set_attribute(context, "EMBEDDED", replace(EMBEDDED, asks_again=(0.0, 0.0)))


def main(stories: int) -> None:
    impatient(setattr)
    logging.disable()
    began, calls, most = time.monotonic(), 0, []
    for seed in range(stories):
        try:
            fleet = tell(seed)
        except AssertionError as error:
            raise SystemExit(f"story {seed}: {error}") from error
        calls += fleet.calls
        most.append(fleet.most)
    print(
        f"{stories:,} stories, {calls:,} calls: at most {max(most) / 10:.1f}% of the budget was billed"
        f" ({sum(each >= 900 for each in most):,} stories over 90%); {time.monotonic() - began:.0f} s"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
