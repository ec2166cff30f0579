"""What a session's plan says of its budget."""

from __future__ import annotations

import pytest

from handlers.actions.session_plan import SessionPlan
from handlers.actions.summary import plan_summary
from handlers.actions.tiers import TierForecast
from handlers.domain.money import NANO, NanoUsd

ROW = TierForecast(
    tier="parallel", jobs=1, workers=5, at_once=1, papers_per_hour=100.0, hours=1.0, sessions=1, minutes=60,
    minutes_per_session=60, cost_usd=40.0, cost_low_usd=30.0, cost_high_usd=50.0, binding="5 workers",
)  # fmt: skip


def summary(budget: int | None, spent: int = 0) -> str:
    plan = SessionPlan(
        session="actions-1-1", run_id="june", tier="parallel", why="as asked for", jobs=(), workers=5,
        at_once=1, started_at=0.0, job_seconds=60.0, checkpoint_seconds=60.0, call=NanoUsd(1),
        budget=None if budget is None else NanoUsd(budget * NANO), total_papers=None, papers=100,
        pending=100, spent=NanoUsd(spent * NANO), verdict=ROW, table=(), last=None, self_hosted=True,
    )  # fmt: skip
    return plan_summary(plan, "")


@pytest.mark.parametrize(
    ("budget", "spent", "said"),
    [
        (20, 0, "$20.00 of it are left, which covers about 50% of that; budget_usd 50.00 should last"),
        (20, 10, "$10.00 of it are left, which covers about 25% of that; budget_usd 60.00"),
        (20, 20, "covers about 0% of that; budget_usd 70.00"),
        (40, 0, ""),
        (None, 30, ""),
    ],
)
def test_a_plan_says_where_a_budget_ends_that_ends_before_the_papers(
    budget: int | None, spent: int, said: str
) -> None:
    told = summary(budget, spent)
    assert ("The budget ends first" in told) == bool(said)
    assert said in told
