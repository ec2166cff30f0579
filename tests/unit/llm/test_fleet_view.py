"""What jobs know of each other's refusals, whatever another process may have written."""

from __future__ import annotations

import math
from typing import Any

import pytest

from handlers.domain.job import JobStats
from handlers.llm.limits.gossip import FleetReport, FleetView, LimiterReport


def report(
    job: str, answered: int, throttled: int = 0, level: float = 5.0, ceiling: int = 10
) -> LimiterReport:
    return LimiterReport(job, answered, throttled, level, ceiling)


def last_report(*rounds: list[LimiterReport], every: float = 1.0) -> FleetReport | None:
    """Of the last round."""
    view, fleet = FleetView(), None
    for number, each in enumerate(rounds):
        fleet = view.observe(each, number * every)
    return fleet


def test_the_calls_of_all_since_the_last_time_are_summed() -> None:
    first = [report("a", 100, 7), report("b", 50, 0, level=3.0, ceiling=30)]
    then = [report("a", 110, 8), report("b", 55, 2, level=3.0, ceiling=30)]
    assert last_report(first, then, every=2.0) == FleetReport(
        answered=15, throttled=3, level=8 / 40, seconds=2.0
    )


def test_a_first_word_is_no_news_and_one_job_is_no_fleet() -> None:
    assert last_report([report("a", 100), report("b", 50)]) is None
    assert last_report([report("a", 1)], [report("a", 2)]) is None


def test_a_job_that_is_silent_or_gone_counts_no_more() -> None:
    rounds = [[report("a", number), report("b", min(number, 2))] for number in range(40)]
    assert last_report(*rounds[:30]) is not None
    assert last_report(*rounds) is None
    assert last_report(*rounds[:3], [report("a", 99)]) is None


def test_a_job_that_comes_or_begins_anew_brings_no_calls_of_before() -> None:
    base = [[report("a", n), report("b", n)] for n in (1, 2)]
    fleet = last_report(*base, [report("a", 3), report("b", 3), report("c", 10_000, 500)])
    assert fleet is not None
    assert fleet[:2] == (2, 0)
    fleet = last_report(*base, [report("a", 0), report("b", 3)])
    assert fleet is not None
    assert fleet[:2] == (1, 0)


def test_a_job_that_was_never_refused_a_call_has_no_part_of_the_limit() -> None:
    fleet = last_report(*[[report("a", n, level=5.0), report("b", n, level=0.0)] for n in (1, 2)])
    assert fleet is not None
    assert fleet.level == 0.5
    fleet = last_report(*[[report("a", n, level=0.0), report("b", n, level=0.0)] for n in (1, 2)])
    assert fleet is not None
    assert fleet.level is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"job": ""},
        {"job": None},
        {"job": ["a"]},
        {"answered": -1},
        {"answered": 1e3},
        {"answered": True},
        {"answered": 10**400},
        {"throttled": "many"},
        {"throttled": None},
        {"level": math.nan},
        {"level": math.inf},
        {"level": 11.0},
        {"level": -1.0},
        {"level": 10**400},
        {"level": "5"},
        {"ceiling": 0},
        {"ceiling": {}},
    ],
    ids=str,
)
def test_words_that_cannot_be_true_are_passed_over(wrong: dict[str, Any]) -> None:
    def each(number: int) -> list[LimiterReport]:
        return [report("a", number), report("b", number), report("c", number)._replace(**wrong)]

    assert last_report(each(1), each(2)) == FleetReport(answered=2, throttled=0, level=0.5, seconds=1.0)


def test_what_a_release_without_such_words_tells_is_passed_over() -> None:
    silent = JobStats.parse('{"papers": 3, "slots": 4}')
    assert not LimiterReport(
        silent.job, silent.answered, silent.throttled, silent.level, silent.ceiling
    ).makes_sense


def test_what_a_later_release_tells_beyond_this_ones_is_left_out() -> None:
    assert JobStats.parse('{"papers": 3, "mood": [1], "latency": {"2": 5}}') == JobStats(
        papers=3, latency={2: 5}
    )
