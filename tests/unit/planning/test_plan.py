"""The planner: the table that the project began with, what binds, what is recommended, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.errors import UsageError
from handlers.planning.assumptions import AssumptionsBuilder
from handlers.planning.demand import demand_of
from handlers.planning.make_plan import make_plan
from handlers.planning.plan_request import PlanBasis, PlanRequest
from handlers.planning.plan_rows import FleetShape, Scenario, plan_row
from handlers.planning.platforms import platform_of
from handlers.planning.workload import Workload
from tests.builders.pilots import piloted
from tests.builders.plans import ORIGINAL, PRICE, TEN_THOUSAND, planned, tier


def two_figures(value: float) -> float:
    return float(f"{value:.2g}")


def test_from_its_own_assumptions_the_original_table_comes_out() -> None:
    plan = planned(**ORIGINAL)
    assert [two_figures(each.papers_per_hour) for each in plan.rows] == [100, 500, 2_500, 10_000]
    assert [two_figures(each.hours) for each in plan.rows] == [340, 68, 14, 3.4]
    assert [round(each.cost_usd) for each in plan.rows] == [45, 45, 45, 45]


@pytest.mark.parametrize(
    ("papers", "name", "minutes"), [(100, "parallel", 12), (5_000, "ultra", 120), (10_000, "extreme", 60)]
)
def test_the_original_recommended_runs_take_what_their_own_rates_say(
    papers: int, name: str, minutes: float
) -> None:
    plan = planned(**{**ORIGINAL, "papers": papers})
    assert tier(plan, name).hours * 60 == pytest.approx(minutes)


def test_the_original_table_on_a_free_private_account_is_bound_by_minutes_in_every_tier() -> None:
    plan = planned(PlanRequest(platform="actions", account="original-free"), **ORIGINAL)
    assert {each.binding for each in plan.rows} == {"minutes"}
    assert tier(plan, "standard").sessions == 59
    assert all(each.platform_minutes > 2_000 for each in plan.rows)


def test_on_a_public_repository_minutes_do_not_bind_and_cost_nothing() -> None:
    plan = planned(PlanRequest(platform="actions", account="original-free", private=False), **ORIGINAL)
    assert [each.binding for each in plan.rows] == ["job_time", "job_time", "job_time", "workers"]
    assert {each.platform_usd for each in plan.rows} == {0.0}


@pytest.mark.parametrize(
    ("figures", "asked", "binding"),
    [
        ({}, PlanRequest(shape=(1, 10)), "workers"),
        ({"rpm": 60}, PlanRequest(shape=(1, 10)), "rpm"),
        ({"tpm": 30_000}, PlanRequest(shape=(1, 10)), "tpm"),
        ({"cores": 1, "calls_per_core_second": 5}, PlanRequest(shape=(4, 100)), "machine"),
        ({}, PlanRequest(shape=(30, 1), platform="actions"), "slots"),
        (
            {"latency_s_per_request": 3000},
            PlanRequest(shape=(1, 100), platform="actions", private=False),
            "job_time",
        ),
        ({"included_minutes": 10}, PlanRequest(shape=(1, 10), platform="actions"), "minutes"),
        ({}, PlanRequest(shape=(1000, 10), platform="lambda"), "lambda_ramp"),
        ({"lambda_table_writes": 2}, PlanRequest(shape=(5, 20), platform="lambda"), "table"),
        ({}, PlanRequest(shape=(1, 10), budget=0.5), "budget"),
    ],
)
def test_the_limit_that_binds_is_named(figures: dict[str, Any], asked: PlanRequest, binding: str) -> None:
    assert tier(planned(asked, **figures), "custom").binding == binding


def test_a_rate_limit_binds_workers_whose_rate_is_assumed() -> None:
    plan = planned(**ORIGINAL, rpm=20)
    assert [each.binding for each in plan.rows] == ["workers", "workers", "rpm", "rpm"]
    assert tier(plan, "ultra").papers_per_hour < 1_200


def test_lifting_the_limit_that_binds_makes_the_run_shorter_and_lifting_another_does_not() -> None:
    bound = tier(planned(PlanRequest(shape=(5, 20)), rpm=300), "custom")
    assert tier(planned(PlanRequest(shape=(5, 20)), rpm=600), "custom").hours < bound.hours
    assert tier(planned(PlanRequest(shape=(10, 20)), rpm=300), "custom").hours == pytest.approx(
        bound.hours, rel=0.02
    )


def test_the_cheapest_fleet_that_meets_the_deadline_is_recommended() -> None:
    plan = planned(PlanRequest(platform="actions", deadline=3_600), included_minutes=0)
    in_time = [each for each in plan.rows if each.hours <= 1]
    assert plan.recommended == min(in_time, key=lambda each: each.total_usd).tier


def test_the_fastest_fleet_within_the_budget_is_recommended() -> None:
    plan = planned(PlanRequest(budget=100.0), rpm=50_000)
    assert tier(plan, str(plan.recommended)).hours == min(each.hours for each in plan.rows)


def test_of_fleets_that_a_rate_limit_makes_equal_the_smallest_is_recommended() -> None:
    assert planned(rpm=120).recommended == "parallel"


def test_without_a_fleet_that_makes_the_deadline_nothing_is_recommended_and_the_fastest_is_named() -> None:
    plan = planned(PlanRequest(deadline=40.0))
    assert plan.recommended is None
    assert "extreme" in plan.reason
    assert "of 24 h" in planned(PlanRequest(platform="actions", deadline=86_400)).reason


def test_a_budget_under_the_cheapest_paper_is_refused_with_the_one_that_would_do() -> None:
    with pytest.raises(UsageError, match=r"give --budget 0\.0005\d+ or more"):
        planned(PlanRequest(budget=0.0001))
    planned(PlanRequest(budget=0.0006))


def test_a_deadline_before_the_longest_call_is_refused_with_the_one_that_would_do() -> None:
    with pytest.raises(UsageError, match=r"--deadline ([0-9]+) or more") as refused:
        planned(PlanRequest(deadline=5.0))
    seconds = float(str(refused.value).rpartition("--deadline ")[2].split()[0])
    assert planned(PlanRequest(deadline=seconds)).rows


def test_a_deadline_needs_time_for_a_call_and_not_for_a_whole_paper_of_many() -> None:
    bodies = TEN_THOUSAND.model_copy(update={"requests": 500_000.0, "size": 100_000_000.0})
    demand = demand_of(bodies, AssumptionsBuilder().build(), PRICE)
    assert demand.service_time.mean > 150, "seconds of a paper, at some 4 s a call"
    assert planned(PlanRequest(deadline=60.0), bodies).rows


def test_a_fleet_that_was_asked_for_and_is_too_slow_for_the_deadline_is_warned_of() -> None:
    slow = planned(PlanRequest(deadline=600.0, tier="standard"))
    assert slow.chosen == "standard"
    assert [each for each in slow.warnings if each.startswith("standard takes ")]
    assert not [each for each in planned(PlanRequest(deadline=600.0)).warnings if " takes " in each]


@pytest.mark.parametrize("name", ["latency_s_per_request", "prompt_tokens_per_request"])
def test_figures_by_which_a_paper_takes_less_than_nothing_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} -1e.09 and .* give {name} from 0 on"):
        planned(**{name: -1e9})


def test_a_limit_on_the_papers_is_said_to_be_none_of_the_rows() -> None:
    (told,) = [each for each in planned(PlanRequest(limit=100)).warnings if "--limit" in each]
    assert "--limit 100: the rows are of all 10,000 papers" in told
    assert not [each for each in planned(PlanRequest(limit=10_000)).warnings if "--limit" in each]


def test_an_account_that_does_not_exist_is_refused_wherever_the_jobs_run() -> None:
    with pytest.raises(UsageError, match="free, pro, team, enterprise"):
        planned(PlanRequest(platform="laptop", account="gold"))


def test_a_given_cost_a_paper_needs_no_price() -> None:
    builder = AssumptionsBuilder()
    builder.take("file", usd_per_paper=0.001)
    plan = make_plan(PlanBasis(TEN_THOUSAND, builder.build(), builder.origins, None), PlanRequest())
    assert plan.rows[0].cost_usd == pytest.approx(10.0)


def test_every_assumption_is_told_with_its_origin() -> None:
    plan = planned(rpm=100)
    assert plan.assumptions.keys() == plan.origins.keys()
    assert plan.origins["rpm"] == "file"
    assert plan.origins["latency_sigma"] == "default"


def test_first_steps_are_a_hundred_papers_then_a_thousand_then_sessions_of_five_thousand() -> None:
    plan = planned()
    assert [step.papers for step in plan.first_steps] == [20, 100, 1_000, 5_000]
    assert "paperfleet pilot" in plan.first_steps[0].why
    assert [step.papers for step in planned(**ORIGINAL).first_steps] == [100, 1_000, 5_000], (
        "told, not assumed"
    )


@pytest.mark.parametrize("latency", [0.001, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("request_", [PlanRequest(), PlanRequest(budget=50.0), PlanRequest(deadline=3600.0)])
def test_without_a_known_limit_no_fleet_of_high_risk_is_recommended(
    latency: float, request_: PlanRequest
) -> None:
    figures = {"latency_s_per_request": latency, "latency_s_per_token": 0.0}
    plan = planned(request_, **figures)
    assert plan.recommended is None or tier(plan, plan.recommended).risk != "high"
    assert plan.recommended is not None or "first run `paperfleet pilot`" in plan.reason
    known = planned(request_, rpm=100_000, **figures)
    assert known.recommended is not None


def test_a_new_user_is_told_to_measure_first_and_gets_the_fleet_of_low_risk() -> None:
    plan = planned()
    assert (plan.recommended, tier(plan, "standard").risk) == ("standard", "low")
    assert plan.reason.endswith("or give --rpm and --tpm; then plan again")
    assert "paperfleet pilot" not in planned(rpm=3000).reason


def test_a_corpus_without_a_paper_to_send_takes_no_time_and_costs_nothing() -> None:
    nothing = Workload(papers=5, same_as=0, sent=0, requests=0, size=0, prompt=0)
    plan = planned(workload=nothing)
    assert {(each.cost_usd, each.binding) for each in plan.rows} == {(0.0, "nothing")}


def test_more_workers_never_make_a_run_longer() -> None:
    assumptions = AssumptionsBuilder().build()
    laptop = platform_of("laptop", "", assumptions, private=True)
    scenario = Scenario(demand_of(TEN_THOUSAND, assumptions, PRICE), assumptions, laptop)
    hours = [plan_row(FleetShape("custom", 1, workers), scenario).hours for workers in (1, 3, 10, 30, 100)]
    assert hours == sorted(hours, reverse=True)


def test_a_quota_of_a_day_that_the_run_exceeds_is_warned_of_with_the_days_that_it_takes() -> None:
    pilot = piloted().model_copy(update={"limits": {"requests_per_day": 1_000, "tokens_per_day": 10**9}})
    basis = PlanBasis(TEN_THOUSAND, AssumptionsBuilder().build(), {}, PRICE, pilot=pilot)
    plan = make_plan(basis, PlanRequest())
    (told,) = [each for each in plan.warnings if "a day" in each]
    assert "1,000 requests a day" in told
    assert "11 days" in told


def test_calls_sent_a_second_time_cost_their_share_and_shorten_the_end() -> None:
    demand = demand_of(TEN_THOUSAND, AssumptionsBuilder().build(), PRICE)
    hedged = demand.hedged(0.005)
    assert hedged.cost == pytest.approx(1.005 * demand.cost)
    assert hedged.tail(1_000) < 0.95 * demand.tail(1_000)
    assert hedged.longest_unit <= demand.longest_unit
    assert demand.hedged(0.0) == demand
