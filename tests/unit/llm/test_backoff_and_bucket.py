from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.llm.limits.backoff import delay
from handlers.llm.limits.token_bucket import TokenBucket

chance = st.floats(0, 1, exclude_max=True)


@given(attempt=st.integers(1, 1_000_000), drawn=chance)
def test_a_wait_is_jittered_over_all_of_its_bound(attempt: int, drawn: float) -> None:
    assert delay(attempt, 0.5, 20.0, lambda: drawn) == drawn * min(20.0, 0.5 * 2.0 ** min(attempt - 1, 50))


@given(after=st.floats(0, 300), drawn=chance)
def test_a_retry_after_is_never_undercut_and_little_exceeded(after: float, drawn: float) -> None:
    wait = delay(1, 0.5, 20.0, lambda: drawn, retry_after=after)
    assert after <= wait <= after + max(0.5, after / 4)


@given(
    claims=st.lists(st.tuples(st.floats(0.1, 20), st.floats(0, 5)), min_size=1, max_size=30),
    rate=st.floats(0.5, 50),
    burst=st.floats(1, 20),
)
def test_no_window_of_time_lets_through_more_than_burst_and_rate(
    claims: list[tuple[float, float]], rate: float, burst: float
) -> None:
    bucket = TokenBucket(rate, burst)
    now, used = 0.0, []
    for amount, pause in claims:
        now += pause
        used.append((now + bucket.take(amount, now), amount))
    for first, (start, _) in enumerate(used):
        total = 0.0
        for moment, amount in used[first + 1 :]:
            total += amount
            assert total <= burst + rate * (moment - start) + 1e-6


def test_a_bucket_that_rested_is_full_and_no_fuller() -> None:
    bucket = TokenBucket(rate=10, burst=5)
    assert [bucket.take(1, 0.0) for _ in range(5)] == [0.0] * 5
    assert bucket.take(1, 0.0) == pytest.approx(0.1)
    assert bucket.take(5, 1000.0) == 0.0
    assert bucket.take(1, 1000.0) == pytest.approx(0.1)


def test_what_is_given_back_can_be_taken_again() -> None:
    bucket = TokenBucket(rate=1, burst=10)
    bucket.take(10, 0.0)
    bucket.give_back(4)
    assert bucket.take(4, 0.0) == 0.0


def test_a_new_rate_holds_from_the_next_claim_on() -> None:
    bucket = TokenBucket(rate=10, burst=10)
    bucket.take(10, 0.0)
    bucket.set_rate(2, 2)
    assert bucket.take(2, 0.0) == pytest.approx(1.0)


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (1, 0), (-1, 1)])
def test_a_rate_that_never_lets_anything_through_is_refused(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        TokenBucket(rate, burst)
