"""The parallelisation table of a corpus: rows, what binds, a recommendation, and first steps. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from handlers.counted import in_hours
from handlers.domain.fleet_tiers import CUSTOM, TIERS
from handlers.domain.plan import Elsewhere, FirstStep, Plan, PlanCorpus, PlanRow, PlanTier
from handlers.planning.demand import demand_of
from handlers.planning.plan_refusals import refuse_impossible, refuse_negative
from handlers.planning.plan_request import PlanBasis, PlanRequest
from handlers.planning.plan_rows import PILOT_WORKERS, FleetShape, Scenario, auto_shape, plan_row
from handlers.planning.plan_warnings import basis_warnings, request_warnings
from handlers.planning.platform_limits import platform_limits
from handlers.planning.platforms import PlatformName, platform_of

_NEARLY = 1.1
"""A smaller fleet that takes at most so many times as long is as good."""
_FIRST = (
    "first run `paperfleet pilot`, which hears the API's limits, or give --rpm and --tpm; then plan again"
)
PILOT_PAPERS = 20
"""Of a pilot, unless times vary much."""
_STEPS = (
    (100, "parallel", "read every one of them, and mend prompt and settings"),
    (1_000, "ultra", "500 to 1,000: read a sample, compare the forecast with what it took"),
    (5_000, "ultra", "then in sessions of 5,000, each with its report, until all are done"),
)
"""Papers of the first phases, each with its tier."""


def make_plan(basis: PlanBasis, request: PlanRequest) -> Plan:
    """UsageError, with the number that would work, for what cannot be done."""
    basis = _with_papers(basis)
    scenario = _scenario(basis, request)
    demand, rest = scenario.demand, basis.workload
    rows = tuple(plan_row(shape, scenario) for shape in _shapes(request, scenario))
    recommended, reason = _recommend(rows, scenario, request)
    chosen = request.tier or (CUSTOM if request.shape else recommended)
    row = next((each for each in rows if each.tier == chosen), None)
    return Plan(
        corpus=PlanCorpus(
            **dict(rest.counts),
            calls=round(demand.calls),
            tokens_prompt=round(demand.prompt_tokens),
            tokens_completion=round(demand.completion_tokens),
            sha256=basis.sha256,
            sizes=rest.sizes,
            passage_sizes=rest.passage_sizes,
        ),
        model=basis.model,
        platform=request.platform,
        account=scenario.platform.account,
        private=request.private,
        measured=basis.pilot,
        assumptions=basis.assumptions.model_dump(),
        origins=dict(basis.origins),
        rows=rows,
        recommended=recommended,
        reason=reason,
        chosen=chosen,
        platforms=tuple(_elsewhere(row or rows[-1], scenario, private=request.private)),
        first_steps=tuple(_first_steps(scenario)),
        tiers=tuple(_tiers(basis)),
        warnings=(*request_warnings(request, row, demand), *basis_warnings(basis, demand)),
    )


def _with_papers(basis: PlanBasis) -> PlanBasis:
    """With the number of papers that is assumed, if one is."""
    papers = basis.assumptions.papers
    return basis if papers is None else replace(basis, workload=basis.workload.scaled(papers))


def _scenario(basis: PlanBasis, request: PlanRequest) -> Scenario:
    assumptions = basis.assumptions
    platform = platform_of(request.platform, request.account, assumptions, private=request.private)
    refuse_negative(basis.workload, assumptions, basis.origins)
    demand = demand_of(basis.workload, assumptions, basis.price).hedged(request.hedge)
    refuse_impossible(demand, platform, budget=request.budget, deadline=request.deadline)
    return Scenario(demand, assumptions, platform, request.budget, basis.pilot)


def _shapes(request: PlanRequest, scenario: Scenario) -> Iterator[FleetShape]:
    for tier, (jobs, workers) in TIERS.items():
        yield FleetShape(tier, jobs, workers)
    if request.shape is not None:
        auto = request.auto and scenario.demand.sent
        yield auto_shape(request.shape[0], scenario) if auto else FleetShape(CUSTOM, *request.shape)


def _recommend(rows: Sequence[PlanRow], scenario: Scenario, request: PlanRequest) -> tuple[str | None, str]:
    """(tier, why): the cheapest that meets the deadline, or the fastest within the budget; while no limit is
    known, of those whose calls accounts usually allow, and of low risk before anything is measured."""
    demand = scenario.demand
    payable = [row for row in rows if request.budget is None or row.cost_usd <= request.budget]
    if not payable:
        return None, (
            f"the budget of ${request.budget:,.4f} ends before the papers do: give --budget"
            f" {math.ceil(demand.cost * 100) / 100:.2f}, or {demand.cost + demand.cost_error:.2f} to be 95%"
            " sure"
        )
    if request.deadline is not None:
        return _cheapest_in_time(payable, scenario, request.deadline)
    careful = [row for row in payable if not _is_a_guess(row, scenario)]
    if not careful:
        return None, f"every fleet makes more calls a minute than accounts usually allow: {_FIRST}"
    first = "" if scenario.is_measured or not scenario.is_blind else f"; {_FIRST}"
    lowest = [row for row in careful if row.risk == "low"] if first else []
    candidates = lowest or careful
    fastest = min(row.hours for row in candidates)
    best = _cheapest(row for row in candidates if row.hours <= fastest * _NEARLY)
    which = ("of low risk " if lowest else "") + (
        "" if request.budget is None else f"within ${request.budget:,.2f} "
    )
    return best.tier, f"the fastest {which}or within 10% of it at less cost or with fewer workers{first}"


def _is_a_guess(row: PlanRow, scenario: Scenario) -> bool:
    """Whether nobody knows that the API takes so many calls a minute."""
    return scenario.is_blind and row.risk == "high" and row.binding not in ("budget", "minutes")


def _cheapest_in_time(rows: Sequence[PlanRow], scenario: Scenario, deadline: float) -> tuple[str | None, str]:
    in_time = [row for row in rows if row.hours <= deadline / 3600]
    careful = [row for row in in_time if not _is_a_guess(row, scenario)]
    if careful:
        return _cheapest(careful).tier, f"the cheapest that meets the deadline of {in_hours(deadline)}"
    if in_time:
        best = _cheapest(in_time).tier
        return None, (
            f"only {best} or more makes the deadline of {in_hours(deadline)}, and no limit is known that"
            f" allows its calls: {_FIRST}; --tier {best} plans it all the same"
        )
    fastest = min(rows, key=lambda row: row.hours)
    return None, (
        f"no fleet makes the deadline of {in_hours(deadline)}: the fastest, {fastest.tier},"
        f" takes {in_hours(fastest.hours * 3600)}, bound by {fastest.binding}: give --deadline"
        f" {math.ceil(fastest.hours * 3600)} or more, or lift that limit"
    )


def _cheapest(rows: Iterable[PlanRow]) -> PlanRow:
    return min(rows, key=lambda row: (row.total_usd, row.jobs * row.workers))


def _elsewhere(row: PlanRow, scenario: Scenario, *, private: bool) -> Iterator[Elsewhere]:
    shape = FleetShape(row.tier, row.jobs, row.workers)
    accounts = [name for name in platform_limits().actions.plans if not name.startswith("original")]
    places: list[tuple[PlatformName, str]] = [
        ("laptop", ""), *(("actions", name) for name in accounts), ("lambda", ""),
    ]  # fmt: skip
    for name, account in places:
        platform = platform_of(name, account, scenario.assumptions, private=private)
        there = plan_row(shape, replace(scenario, platform=platform))
        same = Elsewhere.model_fields.keys() - {"platform", "account"}
        yield Elsewhere(platform=name, account=account, **there.model_dump(include=same))


def _tiers(basis: PlanBasis) -> Iterator[PlanTier]:
    for tier, price in basis.tiers.items():
        if isinstance(price, str):
            yield PlanTier(tier=tier, cost_usd=None, missing=price)
        elif basis.assumptions.usd_per_paper is not None:
            yield PlanTier(tier=tier, cost_usd=None, missing="usd_per_paper is assumed, whatever the tier")
        else:
            yield PlanTier(tier=tier, cost_usd=demand_of(basis.workload, basis.assumptions, price).cost)


def _first_steps(scenario: Scenario) -> Iterator[FirstStep]:
    if not scenario.is_measured and scenario.demand.sent:
        yield _pilot_step(scenario)
    for papers, tier, why in _STEPS:
        if papers < scenario.demand.papers or papers == _STEPS[0][0]:
            part = replace(scenario, demand=scenario.demand.part(papers))
            row = plan_row(FleetShape(tier, *TIERS[tier]), part)
            yield FirstStep(
                papers=part.demand.papers, tier=tier, hours=row.hours, cost_usd=row.cost_usd, why=why
            )


def _pilot_step(scenario: Scenario) -> FirstStep:
    part = replace(scenario, demand=scenario.demand.part(PILOT_PAPERS))
    row = plan_row(FleetShape("pilot", 1, PILOT_WORKERS), part)
    return FirstStep(
        papers=part.demand.papers,
        tier="pilot",
        hours=row.hours,
        cost_usd=row.cost_usd,
        why="`paperfleet pilot`: measures tokens and seconds, and hears the API's limits; up to five times as"
        " many papers where calls vary much",
    )
