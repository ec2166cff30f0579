"""What jobs hear of each other's refusals, whatever another process may have written."""

from __future__ import annotations

import math
from typing import Any

import pytest

from handlers.domain.job import JobStats
from handlers.llm.limits.gossip import Hearsay, News, Told


def told(job: str, answered: int, throttled: int = 0, level: float = 5.0, ceiling: int = 10) -> Told:
    return Told(job, answered, throttled, level, ceiling)


def heard(*rounds: list[Told], every: float = 1.0) -> News | None:
    """The news of the last round."""
    hearsay, news = Hearsay(), None
    for number, each in enumerate(rounds):
        news = hearsay.hear(each, number * every)
    return news


def test_the_calls_of_all_since_the_last_time_are_summed() -> None:
    first = [told("a", 100, 7), told("b", 50, 0, level=3.0, ceiling=30)]
    then = [told("a", 110, 8), told("b", 55, 2, level=3.0, ceiling=30)]
    assert heard(first, then, every=2.0) == News(answered=15, throttled=3, level=8 / 40, seconds=2.0)


def test_a_first_word_is_no_news_and_one_job_is_no_fleet() -> None:
    assert heard([told("a", 100), told("b", 50)]) is None
    assert heard([told("a", 1)], [told("a", 2)]) is None


def test_a_job_that_is_silent_or_gone_counts_no_more() -> None:
    rounds = [[told("a", number), told("b", min(number, 2))] for number in range(40)]
    assert heard(*rounds[:30]) is not None
    assert heard(*rounds) is None
    assert heard(*rounds[:3], [told("a", 99)]) is None


def test_a_job_that_comes_or_begins_anew_brings_no_calls_of_before() -> None:
    base = [[told("a", n), told("b", n)] for n in (1, 2)]
    news = heard(*base, [told("a", 3), told("b", 3), told("c", 10_000, 500)])
    assert news is not None
    assert news[:2] == (2, 0)
    news = heard(*base, [told("a", 0), told("b", 3)])
    assert news is not None
    assert news[:2] == (1, 0)


def test_a_job_that_was_never_refused_a_call_has_no_part_of_the_limit() -> None:
    news = heard(*[[told("a", n, level=5.0), told("b", n, level=0.0)] for n in (1, 2)])
    assert news is not None
    assert news.level == 0.5
    news = heard(*[[told("a", n, level=0.0), told("b", n, level=0.0)] for n in (1, 2)])
    assert news is not None
    assert news.level is None


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
    def each(number: int) -> list[Told]:
        return [told("a", number), told("b", number), told("c", number)._replace(**wrong)]

    assert heard(each(1), each(2)) == News(answered=2, throttled=0, level=0.5, seconds=1.0)


def test_what_a_release_without_such_words_tells_is_passed_over() -> None:
    silent = JobStats.parse('{"papers": 3, "slots": 4}')
    assert not Told(silent.job, silent.answered, silent.throttled, silent.level, silent.ceiling).makes_sense


def test_what_a_later_release_tells_beyond_this_ones_is_left_out() -> None:
    assert JobStats.parse('{"papers": 3, "mood": [1], "latency": {"2": 5}}') == JobStats(
        papers=3, latency={2: 5}
    )
