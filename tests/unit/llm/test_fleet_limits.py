"""What a fleet does at an API's limit, on a virtual clock: the shape of it, with room to the figures that
``tests.benchmarks.rate_limits`` prints."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import pytest

from handlers.llm.limits.admission import Admission
from handlers.llm.limits.gossip import LimiterReport
from handlers.pipeline.heartbeat import BEAT
from handlers.pipeline.pace import AWS
from tests.benchmarks.rate_limits import SCENARIOS, api, figures
from tests.builders.virtual_fleet import Fleet, Scenario

_SMALL = Scenario(api(rpm=600.0), jobs=5, workers=25, seconds=300.0)
"""10 calls a second for 125 workers that could send 14."""


@pytest.mark.parametrize(
    "scenario",
    [
        _SMALL,
        replace(_SMALL, server=api(rpm=600.0, burst=10.0)),
        replace(_SMALL, server=api(rpm=None, tpm=600.0 * 900)),
        replace(_SMALL, stagger=10.0),
        replace(_SMALL, workers=100),
    ],
    ids=["burst of a second", "bucket of ten", "tokens a minute", "one by one", "many workers"],
)
def test_a_limit_that_nobody_told_of_is_used_and_hardly_ever_hit(scenario: Scenario) -> None:
    seen = Fleet(scenario).run()
    assert seen.calls(100, 300) > 0.93 * 10 * 200
    assert seen.refused_share(100, 300) < 0.02
    assert seen.refused_share(0, 300) < 0.05


def test_without_retry_after_or_headers_refusals_stay_few_all_the_same() -> None:
    server = api(rpm=600.0, retry_after="off", retry_after_ms=False)
    seen = Fleet(replace(_SMALL, server=server, headers=False)).run()
    assert seen.calls(150, 300) > 0.9 * 10 * 150
    assert seen.refused_share(100, 300) < 0.02


def test_a_quota_of_a_minute_is_made_to_last() -> None:
    seen = Fleet(replace(_SMALL, fixed_window=True, headers=False, seconds=420.0)).run()
    assert seen.calls(120, 420) > 0.97 * 10 * 300
    assert seen.refused_share(60, 420) < 0.01


def test_a_limit_that_falls_and_rises_is_followed_both_ways() -> None:
    changes = ((100.0, {"rpm": 300.0}), (200.0, {"rpm": 600.0}))
    # One run in ten is a tenth slower or faster than the median, whoever hears what.
    runs = [Fleet(replace(_SMALL, changes=changes, seed=seed)).run() for seed in range(1, 6)]
    assert median(seen.calls(160, 200) for seen in runs) > 0.9 * 5 * 40
    assert max(seen.refused_share(160, 200) for seen in runs) < 0.04
    assert median(seen.calls(260, 300) for seen in runs) > 0.85 * 10 * 40


@pytest.mark.slow
def test_jobs_that_hear_of_each_other_follow_it_without_headers_and_are_refused_less() -> None:
    changing = SCENARIOS["halved and doubled, no headers"]
    alone, here, on_aws = (
        figures(replace(changing, heartbeat=every)) for every in (0.0, BEAT, AWS.report_every)
    )
    for found in (here, on_aws):
        assert found.used > 0.95
        assert found.refused < min(0.013, 0.8 * alone.refused)
        assert found.share > alone.share


@pytest.mark.parametrize(
    "name", ["429 without Retry-After", "burst of 1 s, 20 x 100 workers", "bucket of 10 s, 20 x 100 workers"]
)
@pytest.mark.parametrize("refusal", [0.02, 0.2])
def test_what_a_start_overshoots_is_little_even_where_refusals_are_slow(
    name: str, refusal: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a run of ten minutes at that limit: 1% where a refusal is back after 20 ms, 4% after 200."""
    monkeypatch.setattr("tests.builders.virtual_fleet._REFUSAL_SECONDS", refusal)
    seen = Fleet(replace(SCENARIOS[name], seconds=30.0)).run()
    assert seen.refusals(0, 30) < (0.01 if refusal < 0.1 else 0.04) * 50 * 600


def test_a_fleet_whose_words_are_stale_does_as_one_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Fleet(replace(_SMALL, heartbeat=0.0)).run()
    stuck = LimiterReport("stuck", 7, 3, 2.0, 25)
    monkeypatch.setattr(Admission, "report", lambda _gate, job: stuck._replace(job=job))
    assert Fleet(_SMALL).run() == alone


def test_a_declared_limit_is_used_and_never_hit() -> None:
    found = figures(replace(SCENARIOS["declared --rpm"], seconds=120.0))
    assert found.used > 0.97
    assert found.refused_in_all < 0.002
    assert found.share > 0.8


def test_jobs_come_by_like_parts_of_a_limit() -> None:
    seen = Fleet(_SMALL).run()
    calls = [seen.calls(100, 300, job=job) for job in range(5)]
    assert min(calls) > 0.5 * sum(calls) / 5
