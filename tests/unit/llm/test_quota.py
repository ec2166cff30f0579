from __future__ import annotations

import math
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.llm.limits.admission import Admission
from handlers.llm.limits.aimd import AimdLimit
from handlers.llm.limits.window_quota import Quota


def spend(quota: Quota, calls: int, start: float, end: float) -> None:
    """``calls`` spread evenly, and one more at ``end`` to be refused."""
    for number in range(calls):
        quota.sent(start + (end - start) * number / calls)
    quota.sent(end)


def test_the_pace_is_what_would_have_lasted_to_the_end_of_the_window() -> None:
    quota = Quota()
    spend(quota, 90, 0.0, 45.0)
    spent = quota.refused(15.0, 0.5, 45.0)
    assert spent is not None
    assert (spent.pace, spent.seconds) == (1.5, 60.0)


def test_one_window_is_told_once() -> None:
    quota = Quota()
    spend(quota, 90, 0.0, 45.0)
    assert quota.refused(15.0, 0.5, 45.0) is not None
    assert quota.refused(15.0, 0.5, 45.3) is None


def test_a_short_wait_counts_once_the_windows_are_known() -> None:
    quota = Quota()
    spend(quota, 90, 0.0, 45.0)
    assert quota.refused(15.0, 0.5, 45.0) is not None
    spend(quota, 118, 60.0, 119.2)
    spent = quota.refused(1.0, 0.5, 119.2)
    assert spent is not None
    assert spent.pace == pytest.approx(118 / 60.2)


def test_a_window_without_a_refusal_does_not_thin_the_count() -> None:
    quota = Quota()
    for start in (0.0, 60.0):
        spend(quota, 90, start, start + 45.0)
        assert quota.refused(15.0, 0.5, start + 45.0) is not None
    spend(quota, 60, 120.0, 180.0)
    spend(quota, 120, 180.1, 230.0)
    spent = quota.refused(10.0, 0.5, 230.0)
    assert spent is not None
    assert spent.pace == pytest.approx(2.0, rel=0.05)


def test_the_next_token_of_a_bucket_is_no_window() -> None:
    quota = Quota()
    spend(quota, 20, 0.0, 10.0)
    assert quota.refused(1.0, 0.5, 10.0) is None, "Retry-After in whole seconds"
    assert quota.refused(5.0, 3.0, 11.0) is None, "a slow API: its calls are that far apart"


waits = st.floats(0, 400)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 100), waits), max_size=60))
def test_a_pace_is_finite_and_never_negative(moves: list[tuple[bool, float, float]]) -> None:
    quota, now = Quota(), 0.0
    for refused, pause, wait in moves:
        now += pause
        if not refused:
            quota.sent(now)
        elif (spent := quota.refused(wait, 0.5, now)) is not None:
            assert 0 <= spent.pace < math.inf
            assert spent.seconds > 0


def test_a_quota_is_settled_on_at_once_and_a_mistake_costs_at_most_one_cut() -> None:
    settled, mistaken = AimdLimit(100, start=80), AimdLimit(100, start=80)
    settled.settle(60.0, 10.0, patience=60.0)
    mistaken.settle(2.0, 10.0, patience=60.0)
    assert 64 <= settled.slots(10.0) <= 70
    assert mistaken.slots(10.0) == 64


def test_one_late_wait_does_not_hold_a_job_back_for_as_long_as_it_has_run() -> None:
    limit = AimdLimit(100, start=100)
    admission = Admission(limit, lambda: 0.5)
    _work(admission, 0.0, 60.0)
    _work(admission, 1800.0, 3600.0)  # half of the hour without a paper: half the pace
    admission.throttled(3599.0, 10.0, 3600.0)
    assert limit.slots(3600.0) < 90
    _work(admission, 3600.0, 4000.0)
    assert limit.slots(4000.0) == 100


def _work(admission: Admission, start: float, end: float, *, latency: float = 8.0) -> None:
    """Calls whenever there is a slot, each answered after ``latency``, the last ones later."""
    flights: deque[float] = deque([start] * admission.in_flight)
    now = start
    while now < end:
        while flights and flights[0] + latency <= now:
            admission.succeeded(flights.popleft(), now)
            admission.release(now)
        ticket = admission.join(1, lambda: None)
        wait = admission.step(ticket, now)
        if ticket.granted:
            flights.append(now)
        else:
            admission.leave(ticket, now)
            now += min(wait, 0.25)
