"""The budget is a hard limit on what is billed, whatever a provider bills for answers that do not say."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.faults.hostile_bills import HostileFleet
from tests.faults.hostile_provider import HONEST, HOSTILE
from tests.faults.hostile_stories import STEPS, impatient, tell
from tests.faults.stories import EVERYWHERE, MEMORY

SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True, scope="module")
def _nobody_waits() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        impatient(patch.setattr)
        yield


@pytest.mark.parametrize("seed", range(3))
def test_where_every_answer_states_its_usage_the_ledger_is_the_bill(seed: int) -> None:
    fleet = tell(seed, ends=HONEST, steps=[each for each in STEPS if each != "die"])
    assert (fleet.bill, 0) == fleet.booked


@pytest.mark.parametrize("seed", range(4))
def test_a_provider_that_bills_all_that_is_reserved_stays_within_the_budget(seed: int) -> None:
    """Also where nothing that it answers states a usage."""
    fleet = tell(seed, ends=("timeout", "garbage", "silent", "unforeseen"))
    assert fleet.bill <= sum(fleet.booked)


class HostileBills(RuleBasedStateMachine):
    """After every step, and within every call, the bill is within what is reserved, that in the budget."""

    fleet: HostileFleet | None = None

    @initialize(jobs=st.integers(1, 5), ends=st.sets(st.sampled_from(HOSTILE), min_size=1))
    def begin(self, jobs: int, ends: set[str]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bills-", dir=MEMORY if MEMORY.is_dir() else None))
        self.fleet = HostileFleet(self.folder, tuple(sorted(ends)), jobs)

    @rule(step=st.sampled_from(STEPS), seed=SEEDS)
    def step(self, step: str, seed: int) -> None:
        assert self.fleet is not None
        self.fleet.step(step, seed)

    def teardown(self) -> None:
        if self.fleet is None:
            return
        try:
            self.fleet.rest()
            self.fleet.unite()
        finally:
            self.fleet.close()
            shutil.rmtree(self.folder, ignore_errors=True)


TestHostileBills = HostileBills.TestCase
TestHostileBills.settings = settings(EVERYWHERE, max_examples=8, stateful_step_count=20)


@pytest.mark.slow
class TestManyBills(HostileBills.TestCase):
    settings = settings(EVERYWHERE, max_examples=300, stateful_step_count=40)
