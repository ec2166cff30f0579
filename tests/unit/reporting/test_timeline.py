"""Time worked, and amounts over it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.domain.job import JobRecord, JobStats
from handlers.reporting.page.timeline import Axis, Columns, Timeline
from tests.builders import values

moments = st.floats(min_value=0, max_value=1e6)
intervals = st.tuples(moments, moments).map(lambda pair: (min(pair), max(pair)))


def job(start: float, end: float, workers: int = 10) -> JobRecord:
    return JobRecord("j", "r", "s", "h:1:1", workers, start, start, end, "finished", JobStats())


def test_a_gap_between_sessions_is_left_out_of_the_axis() -> None:
    axis = Axis([(100.0, 200.0), (1000.0, 1050.0)])
    assert axis.length == 150
    assert axis.seams == [100]
    assert [axis.at(t) for t in (50, 100, 150, 500, 1000, 1050, 9999)] == [0, 0, 50, 100, 100, 150, 150]


def test_jobs_side_by_side_are_one_stretch() -> None:
    axis = Axis([(0.0, 10.0), (5.0, 20.0), (22.0, 30.0)])
    assert axis.length == 30
    assert axis.seams == []


@given(st.lists(intervals, max_size=8), moments, moments)
def test_time_worked_never_runs_back(spans: list[tuple[float, float]], one: float, two: float) -> None:
    axis = Axis(spans)
    assert 0 <= axis.at(min(one, two)) <= axis.at(max(one, two)) <= axis.length + 1e-6


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1000)), max_size=20))
def test_all_that_is_added_stands_in_some_column(given: list[tuple[float, float]]) -> None:
    columns = Columns(Axis([(0.0, 100.0)]))
    for moment, amount in given:
        columns.add(moment, amount)
    assert sum(columns.values) == pytest.approx(sum(amount for _, amount in given))


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0.1, 50))
def test_a_level_that_was_held_keeps_its_area(one: float, two: float, level: float) -> None:
    columns = Columns(Axis([(0.0, 100.0)]))
    start, end = min(one, two), max(one, two)
    columns.spread(start, end, level)
    assert sum(columns.values) * columns.width == pytest.approx(level * (end - start), abs=1e-6)


def test_moments_tell_rates_levels_and_the_spend_so_far() -> None:
    timeline = Timeline([job(0, 96), job(0, 48, workers=5)])
    timeline.call(values.call(started_at=0.0, latency=48.0, cost=2_000_000_000))
    timeline.call(values.call(started_at=48.0, latency=48.0, cost=1_000_000_000))
    timeline.paper(at=0.5, weight=3)
    moments = timeline.moments()
    assert len(moments) == 96
    assert (moments[0].papers, moments[0].papers_per_hour) == (3, 3 * 3600)
    assert (moments[10].calls_in_flight, moments[10].workers) == pytest.approx((1, 15))
    assert moments[60].workers == pytest.approx(10)
    assert moments[50].spend_usd == 2.0
    assert moments[-1].spend_usd == 3.0
    assert timeline.spend == 3_000_000_000


def test_a_run_that_no_job_worked_on_has_no_moments() -> None:
    assert Timeline([]).moments() == []


def test_what_came_after_the_last_heartbeat_is_no_burst_in_the_last_column() -> None:
    running = replace(job(0.0, 0.0), heartbeat_at=95.5, ended_at=None, outcome="")
    timeline = Timeline([running])
    for second in range(106):
        timeline.paper(float(second), 1)
    rates = [moment.papers_per_hour for moment in timeline.moments()]
    assert min(rates) >= 0.9 * 3600
    assert max(rates) <= 1.1 * 3600
