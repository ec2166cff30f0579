"""The budget's tree under random schedules of its requests: no dollar is lost, and none is granted twice."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.faults.money_schedules import Schedule


def played(seeds: range, steps: int) -> Counter[str]:
    """What draws were told, over all schedules; each ends with every dollar where it belongs."""
    said: Counter[str] = Counter()
    for seed in seeds:
        schedule = Schedule(seed)
        schedule.play(steps)
        said += schedule.said
    return said


def test_every_dollar_is_where_it_belongs_whoever_dies_when() -> None:
    assert played(range(200), 60).keys() == {"drawn", "busy", "closed", "short", "spent"}


@pytest.mark.slow
def test_the_same_of_thousands_of_schedules() -> None:
    assert min(played(range(3000), 600).values()) > 1000


@pytest.mark.parametrize("seed", [7, 19])
def test_a_run_without_a_limit_is_never_short(seed: int) -> None:
    schedule = Schedule(seed, budget=10**30)
    schedule.play(150)
    assert schedule.said.keys() <= {"drawn", "busy", "closed"}
