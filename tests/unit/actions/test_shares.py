"""What a session has is split without a remainder, and its work evenly."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handlers.actions.shares import BatchWeight, assign_batches, proportional_shares

amounts = st.integers(0, 10**15)
weights = st.lists(st.integers(0, 10**6), min_size=1, max_size=40)


@given(amounts, weights)
def test_shares_add_up_and_none_is_negative(amount: int, of: list[int]) -> None:
    shares = proportional_shares(amount, of)
    assert sum(shares) == amount
    assert all(share >= 0 for share in shares)


@given(amounts, weights)
def test_a_share_is_its_part_of_the_whole_to_the_nano(amount: int, of: list[int]) -> None:
    whole = sum(of)
    for share, weight in zip(proportional_shares(amount, of), of, strict=True):
        if whole:
            assert abs(share - amount * weight / whole) < 1 + 1e-9 * amount


@given(st.lists(st.integers(0, 10_000), max_size=60), st.integers(1, 20))
def test_every_batch_goes_to_one_job_and_no_job_is_empty(tokens: list[int], jobs: int) -> None:
    batches = [BatchWeight(f"b{n}", 1, weight) for n, weight in enumerate(sorted(tokens, reverse=True))]
    hands = assign_batches(batches, jobs)
    assert sorted(each for hand in hands for each in hand) == sorted(batches)
    assert len(hands) == min(jobs, len(batches))


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=60), st.integers(1, 20))
def test_no_job_has_more_than_an_even_share_and_one_batch(tokens: list[int], jobs: int) -> None:
    batches = [BatchWeight(f"b{n}", 1, weight) for n, weight in enumerate(sorted(tokens, reverse=True))]
    heaviest = max(sum(each.tokens for each in hand) for hand in assign_batches(batches, jobs))
    assert heaviest <= sum(tokens) / jobs + max(tokens)
