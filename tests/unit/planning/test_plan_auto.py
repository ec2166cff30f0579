"""``--workers auto`` in a plan: the fleet that it grows to."""

from __future__ import annotations

from typing import Any

from handlers.domain.fleet_tiers import MOST_AUTO
from handlers.domain.plan import Plan
from handlers.planning.plan_request import PlanRequest
from handlers.planning.workload import Workload
from tests.builders.plans import ORIGINAL, TEN_THOUSAND, planned, tier

QUICK = {
    "latency_s_per_request": 1.0,
    "latency_s_per_token": 0.0,
    "latency_sigma": 0.3,
    "cores": 8,
    "calls_per_core_second": 10_000,
}
_AUTO = PlanRequest(shape=(2, MOST_AUTO), auto=True)


def of(papers: int) -> Workload:
    share = papers / TEN_THOUSAND.papers
    sums = {name: getattr(TEN_THOUSAND, name) * share for name in ("requests", "size", "prompt")}
    return TEN_THOUSAND.model_copy(update={"papers": papers, "sent": papers, **sums})


def auto(papers: int, request: PlanRequest = _AUTO, **figures: Any) -> Plan:
    return planned(request, of(papers), **{**QUICK, **figures})


def test_with_papers_enough_and_no_limit_it_comes_to_the_most_that_it_may() -> None:
    assert tier(auto(1_000_000), "custom").workers == MOST_AUTO


def test_few_papers_end_before_it_has_grown() -> None:
    assert tier(auto(15), "custom").workers == 10
    assert 10 < tier(auto(2_000), "custom").workers < MOST_AUTO


def test_a_rate_limit_keeps_it_at_what_gets_through_and_some_to_spare() -> None:
    row = tier(auto(100_000, rpm=6_000), "custom")
    assert row.binding == "rpm"
    assert 50 < row.workers < 80, "50 a job keep to 100 calls a second of one second"


def test_growing_takes_its_time() -> None:
    grown = tier(auto(20_000), "custom")
    at_once = tier(auto(20_000, PlanRequest(shape=(2, grown.workers))), "custom")
    assert grown.workers == at_once.workers
    assert 5 < 3600 * (grown.hours - at_once.hours) < 30


def test_workers_whose_rate_is_assumed_need_no_time_to_grow() -> None:
    plan = planned(_AUTO, **{**ORIGINAL, "papers_per_worker_hour": 5})
    row = tier(plan, "custom")
    assert row.papers_per_hour == row.jobs * row.workers * 5


def test_the_plan_says_what_it_took_auto_for() -> None:
    (told,) = [each for each in auto(100_000).warnings if "auto" in each]
    assert "the 500 workers a job" in told
    assert not [each for each in auto(100, PlanRequest(shape=(2, 5))).warnings if "auto" in each]


def test_a_corpus_without_a_call_is_planned_too() -> None:
    nothing = Workload(papers=5, same_as=0, sent=0, requests=0, size=0, prompt=0)
    assert tier(planned(_AUTO, nothing), "custom").binding == "nothing"
