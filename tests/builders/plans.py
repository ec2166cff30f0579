"""Plans: of the project's original table, and of ten thousand papers."""

from __future__ import annotations

from typing import Any

from handlers.domain.money import Price
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
