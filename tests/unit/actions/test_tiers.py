"""Tiers are presets, and the plan is concurrency_text about what comes of them on an account."""

from __future__ import annotations

from pathlib import Path

import pytest

from handlers.actions.queue_times import JobTimes, queue_status
from handlers.actions.session_plan import cost_to_go, next_allowance
from handlers.actions.tiers import (
    GitHubAccount,
    SessionResult,
    concurrency_text,
    forecast,
    forecasts,
    next_tier,
    shape_of,
)
from handlers.errors import UsageError
from handlers.planning.assumptions import Assumptions
from handlers.planning.make_plan import make_plan
from handlers.planning.plan_request import PlanBasis, PlanRequest
from handlers.planning.plan_rows import FleetShape
from tests.builders.plans import PRICE, TEN_THOUSAND

PAPERS = 34_237
SEED_PACE = PAPERS / (340 * 10)
"""Papers of a worker in an hour, as a backfill once showed: 10 workers took 340 hours."""
FREE = GitHubAccount("free", private=True)


def measured(**changes: object) -> SessionResult:
    fields: dict[str, object] = {
        "tier": "parallel", "jobs": 5, "workers": 20, "papers": 900, "papers_per_worker_hour": 300.0,
        "busy": 0.9, "throttled": 0.0, "slots": 5, "waited_s": 3.0,
    }  # fmt: skip
    return SessionResult.model_validate(fields | changes)


def basis(*, pace: float | None = SEED_PACE, **figures: object) -> PlanBasis:
    assumptions = Assumptions.model_validate({"papers_per_worker_hour": pace, **figures})
    return PlanBasis(TEN_THOUSAND.scaled(PAPERS), assumptions, {}, PRICE)


def test_the_four_tiers_on_the_free_plan_at_the_pace_that_was_measured_once() -> None:
    rows = {row.tier: row for row in forecasts(basis(), FREE)}
    assert rows["standard"].hours == pytest.approx(340, abs=2), "and the start of each session"
    assert rows["extreme"].hours == pytest.approx(1.7, abs=0.05)
    assert rows["extreme"].sessions == 1
    assert rows["standard"].sessions > 50, "a job ends after six hours"
    assert all(row.minutes > 2_000 for row in rows.values()), "more than a free account's minutes"
    assert "2,000 a month" in rows["extreme"].binding
    assert "sessions" in rows["parallel"].binding


def test_the_guide_shows_the_plans_own_figures() -> None:
    guide = (Path(__file__).parents[3] / "docs/how-to/actions.md").read_text(encoding="utf-8")
    for row in forecasts(basis(), FREE):
        figures = (f"{row.hours:.1f} h", str(row.sessions), f"{row.minutes:,}")
        assert f"| `{row.tier}` | {row.jobs} x {row.workers} | {' | '.join(figures)} |" in guide


def test_ten_jobs_of_a_hundred_workers_are_a_thousand() -> None:
    assert concurrency_text(10, 100) == "10 jobs x 100 workers is 1,000 calls at once"


def test_jobs_past_the_accounts_limit_queue_up_and_the_plan_says_so() -> None:
    row = forecast(FleetShape("custom", 40, 50), basis(), FREE)
    assert row.at_once == 20
    assert "20 queue up" in row.binding
    assert row.hours == forecast(FleetShape("custom", 20, 50), basis(), FREE).hours
    own = forecast(FleetShape("custom", 40, 50), basis(), GitHubAccount("free", self_hosted=True))
    assert own.at_once == 40


def test_a_declared_rate_binds_before_workers_do() -> None:
    row = forecast(FleetShape("extreme", 20, 100), basis(pace=None, rpm=600), FREE)
    assert 0.9 * 600 * 60 < row.papers_per_hour * 1.05 <= 600 * 60
    assert row.binding.startswith("the API's 600 requests a minute")


def test_minutes_of_a_public_repository_are_not_counted_against_the_account() -> None:
    row = forecast(FleetShape("extreme", 20, 100), basis(), GitHubAccount("free", private=False))
    assert "minutes" not in row.binding


@pytest.mark.parametrize("account", ["free", "team"])
@pytest.mark.parametrize("figures", [{}, {"rpm": 600}, {"tpm": 10**6}], ids=str)
def test_a_session_and_a_plan_make_one_forecast(account: str, figures: dict[str, object]) -> None:
    known = basis(pace=None, **figures)
    planned = make_plan(known, PlanRequest(platform="actions", account=account, private=True))
    for row, told in zip(planned.rows, forecasts(known, GitHubAccount(account, private=True)), strict=True):
        assert (told.tier, told.papers_per_hour, told.sessions) == (
            row.tier,
            row.papers_per_hour,
            row.sessions,
        )
        assert (told.hours, told.minutes) == (round(row.hours, 2), row.platform_minutes)
        prices = (told.cost_usd, told.cost_low_usd, told.cost_high_usd)
        assert prices == (row.cost_usd, row.cost_low_usd, row.cost_high_usd)
        assert told.cost_usd > 10


@pytest.mark.parametrize(
    ("tier", "jobs", "workers", "word"),
    [
        ("huge", None, None, "standard, parallel, ultra, extreme, custom, auto"),
        ("custom", None, 5, "parallel_jobs and workers_per_job"),
        ("custom", 300, 5, "256"),
        ("custom", 5, 5_000, "1000"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused_with_what_does(
    tier: str, jobs: int | None, workers: int | None, word: str
) -> None:
    with pytest.raises(UsageError, match=word):
        shape_of(tier, jobs, workers)


@pytest.mark.parametrize(
    ("last", "pending", "tier"),
    [
        (None, PAPERS, "parallel"),
        (measured(), PAPERS, "ultra"),
        (measured(throttled=0.2), PAPERS, "standard"),
        (measured(slots=1), PAPERS, "standard"),
        (measured(busy=0.3), PAPERS, "parallel"),
        (measured(tier="extreme", jobs=20, slots=20), PAPERS, "extreme"),
        (measured(), 15, "standard"),
    ],
)
def test_auto_goes_a_rung_by_what_the_last_session_showed(
    last: SessionResult | None, pending: int, tier: str
) -> None:
    assert next_tier(last, pending)[0] == tier


@pytest.mark.parametrize(
    ("left", "spent", "to_go", "allowance"),
    [
        (None, 100, 10_000, 3_000),
        (500, 100, 10_000, 500),
        (None, 100, 700, 700),
        (None, 0, 0, 10),
        (-5, 0, 0, 0),
    ],
    ids=["twice the pace", "what is left", "what is to be done", "at least", "nothing left"],
)
def test_an_allowance_is_bounded_by_all_that_is_known(
    left: int | None, spent: int, to_go: int, allowance: int
) -> None:
    found = next_allowance(left, least=10, spent=spent, seconds=60, checkpoint=900, to_go=to_go)
    assert found == allowance


def test_what_is_to_go_is_reckoned_by_what_an_answer_costs() -> None:
    assert cost_to_go(spent=1_000, ended=10, papers=20) == 3_000
    assert cost_to_go(spent=1_000, ended=0, papers=20) is None, "full texts take longer than a step"


def job(name: str, queued: float, started: float | None, ended: float | None, **changes: object) -> JobTimes:
    fields: dict[str, object] = {"attempt": 1, "status": "completed", "conclusion": "success"}
    return JobTimes.model_validate(
        {"name": name, "queued_at": queued, "started_at": started, "ended_at": ended} | fields | changes
    )


def test_the_queue_says_who_waits_how_long_and_how_many_ran_at_once() -> None:
    jobs = [
        job("work 1", 0, 5, 65),
        job("work 2", 0, 6, 100),
        job("work 3", 0, 65, None, status="in_progress", conclusion=None),
        job("work 4", 0, None, None, status="queued", conclusion=None),
        job("plan-aws", 0, None, 1, conclusion="skipped"),
    ]
    found = queue_status(jobs, now=120)
    assert (found.queued, found.running, found.ended) == (1, 1, 2)
    assert found.slots == 2
    assert found.longest_wait_s == 120
    assert found.runner_minutes == 1 + 2 + 1
