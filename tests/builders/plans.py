"""Plans: of the project's original table, and of ten thousand papers."""

from __future__ import annotations

from typing import Any

from handlers.actions.session_plan import SessionPlan
from handlers.actions.tiers import TierForecast
from handlers.domain.money import NanoUsd, Price
from handlers.domain.plan import Plan, PlanRow
from handlers.planning.assumptions import AssumptionsBuilder
from handlers.planning.make_plan import make_plan
from handlers.planning.plan_request import PlanBasis, PlanRequest
from handlers.planning.workload import Workload

ORIGINAL = {
    "papers": 34_237,
    "usd_per_paper": 0.0013,
    "papers_per_worker_hour": {"standard": 10, "parallel": 5, "ultra": 5, "extreme": 5},
}


PRICE = Price(prompt=150_000, completion=600_000, cached=75_000)


TEN_THOUSAND = Workload(
    papers=10_000,
    same_as=0,
    sent=10_000,
    requests=10_000,
    size=4_000_000,
    prompt=9_000_000,
    least_bytes=2_000,
    least_max_tokens=300,
    sizes=tuple(20.0 * step for step in range(1, 42)),
)


def planned(request: PlanRequest | None = None, workload: Workload = TEN_THOUSAND, **figures: Any) -> Plan:
    builder = AssumptionsBuilder()
    builder.take("file", **figures)
    basis = PlanBasis(workload, builder.build(), builder.origins, PRICE, model="m")
    return make_plan(basis, request or PlanRequest())


def tier(plan: Plan, name: str) -> PlanRow:
    found = plan.row(name)
    assert found is not None
    return found


def session_plan(**changes: Any) -> SessionPlan:
    """Of a session on Actions, of the run ``r``."""
    row = TierForecast(
        tier="parallel", jobs=1, workers=5, at_once=1, papers_per_hour=100.0, hours=1.0, sessions=1,
        minutes=60, minutes_per_session=60, cost_usd=40.0, cost_low_usd=30.0, cost_high_usd=50.0,
        binding="5 workers",
    )  # fmt: skip
    plan = SessionPlan(
        session="actions-1-1", run_id="r", tier="parallel", why="as asked for", jobs=(), workers=5,
        at_once=1, started_at=0.0, job_seconds=60.0, checkpoint_seconds=60.0, call=NanoUsd(1),
        budget=None, total_papers=None, papers=100, pending=100, spent=NanoUsd(0), verdict=row, table=(),
        last=None, self_hosted=True,
    )  # fmt: skip
    return plan.model_copy(update=changes)
