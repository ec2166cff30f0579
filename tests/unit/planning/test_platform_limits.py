"""Platforms' limits as a data file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib import resources
from types import SimpleNamespace
from typing import Any, cast

import pytest

from handlers.domain.plan import PlanRow
from handlers.errors import UsageError
from handlers.planning.assumptions import Assumptions, AssumptionsBuilder
from handlers.planning.demand import Demand
from handlers.planning.plan_warnings import aws_warnings
from handlers.planning.platform_limits import platform_limits
from handlers.planning.platforms import platform_of


def tables(table: dict[str, Any], name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every table that has figures of its own."""
    if any(not isinstance(value, dict) for value in table.values()):
        yield name, table
    for key, value in table.items():
        if isinstance(value, dict):
            yield from tables(value, f"{name}.{key}")


def test_every_table_of_limits_has_its_source_and_date() -> None:
    text = resources.files("handlers.planning").joinpath("limits.toml").read_text("utf-8")
    found = dict(tables(tomllib.loads(text)))
    assert len(found) >= 10
    assert [name for name, table in found.items() if not {"source", "date"} <= table.keys()] == []


def test_accounts_have_the_jobs_of_their_plan() -> None:
    plans = platform_limits().actions.plans
    jobs = {name: plans[name].concurrent_jobs for name in ("free", "pro", "team", "enterprise")}
    assert jobs == {"free": 20, "pro": 40, "team": 60, "enterprise": 500}


def test_the_original_accounts_stand_beside_todays() -> None:
    plans = platform_limits().actions.plans
    original = [
        (plans[name].concurrent_jobs, plans[name].minutes) for name in ("original-free", "original-paid")
    ]
    assert original == [(20, 2_000), (40, 50_000)]


def test_an_unknown_account_plan_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="free, pro, team, enterprise"):
        platform_limits().actions.plan("gold")


def test_lambda_ramps_up_by_the_minute_to_its_ceiling() -> None:
    limits = platform_limits().aws_lambda
    assert (limits.start_concurrency, limits.ramp_per_minute, limits.max_concurrency) == (5, 300, 1250)
    function = platform_of("lambda", "", AssumptionsBuilder().build(), private=True)
    assert function.ramp(5) == 0
    assert function.ramp(305) == pytest.approx(60 * 150 / 305), "a minute at half of 300 on average"
    assert function.jobs(10_000) == limits.function.account_concurrency


@pytest.mark.parametrize(
    ("jobs", "papers_per_hour", "binding", "says"),
    [
        (10, 10_000.0, "workers", ""),
        (20, 10_000.0, "workers", "20 functions at once: a new account may have only 10"),
        (600, 10_000.0, "workers", "WarmThroughput"),
        (20, 6_000_000.0, "table", "takes 4,000 write units a second"),
        (20, 70_000_000.0, "table", "quota is 40,000"),
        (1_200, 10_000.0, "slots", "ProvisionedPollerConfig"),
    ],
)
def test_a_fleet_on_aws_hears_which_quota_it_meets(
    jobs: int, papers_per_hour: float, binding: str, says: str
) -> None:
    demand = SimpleNamespace(units=100, sent=100)
    row = SimpleNamespace(jobs=jobs, papers_per_hour=papers_per_hour, binding=binding)
    told = " ".join(aws_warnings(cast("PlanRow", row), cast("Demand", demand)))
    assert (says in told) if says else not told


def test_a_table_takes_fewer_papers_a_second_the_more_passages_they_have() -> None:
    lambda_ = platform_of("lambda", "", Assumptions(), private=False)
    assert lambda_.papers_per_second(1.0) == pytest.approx(4000 / 2.2)
    assert lambda_.papers_per_second(20.0) == pytest.approx(4000 / 36)
    assert platform_of("laptop", "", Assumptions(), private=False).papers_per_second(1.0) is None
