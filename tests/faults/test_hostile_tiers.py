"""The budget is a hard limit on what is billed, whatever tier an answer names and whatever the hour is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.hostile_stories import impatient
from tests.faults.hostile_tiers import tell
from tests.faults.stories import EVERYWHERE

SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True, scope="module")
def _nobody_waits() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        impatient(patch.setattr)
        yield


@settings(EVERYWHERE, max_examples=4)
@given(seed=SEEDS)
def test_no_sequence_of_tiers_fallbacks_and_hours_passes_the_budget(seed: int) -> None:
    tell(seed, steps=8)


@pytest.mark.slow
@settings(EVERYWHERE, max_examples=300)
@given(seed=SEEDS)
def test_nor_does_a_long_one(seed: int) -> None:
    tell(seed, steps=40)
