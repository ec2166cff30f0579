"""What platforms allow, and what their time costs: ``limits.toml`` as frozen values."""

from __future__ import annotations

import tomllib
from datetime import date
from functools import cache
from importlib import resources

from pydantic import Field

from handlers.domain.value import Frozen
from handlers.errors import UsageError


class Sourced(Frozen):
    """Figures, the page that they come from, and when they stood there."""

    source: str
    date: date


class AccountPlan(Sourced):
    """A GitHub account: standard hosted runners at once, and minutes a month on private repositories."""

    concurrent_jobs: int
    minutes: int


class MinutePrice(Sourced):
    """USD for a minute of a standard Linux runner past the included ones."""

    usd: float


class ActionsLimits(Sourced):
    """GitHub Actions, for every account; ``plans`` by name."""

    job_hours: float
    matrix_jobs: int
    start_s: float
    setup_s: float
    minute: MinutePrice
    plans: dict[str, AccountPlan]

    def plan(self, name: str) -> AccountPlan:
        """UsageError naming the plans there are."""
        try:
            return self.plans[name]
        except KeyError:
            raise UsageError(f"no account plan {name!r}: give one of {', '.join(self.plans)}") from None


class FunctionLimits(Sourced):
    """One Lambda function."""

    timeout_s: float
    account_concurrency: int
    new_account_concurrency: int
    cold_start_s: float


class TableLimits(Sourced):
    """Write units of a DynamoDB table, and those that a paper takes."""

    new_writes_per_second: int
    quota_writes_per_second: int
    writes_per_paper: float
    writes_per_passage: float


class LambdaPrice(Sourced):
    """USD; ``other`` is queue, ledger, store and logs."""

    gb_second_usd: float
    other_usd_per_1000_papers: float


class LambdaLimits(Sourced):
    """Lambda behind an SQS event source mapping; concurrency counts invocations."""

    start_concurrency: int
    ramp_per_minute: float
    max_concurrency: int
    function: FunctionLimits
    table: TableLimits
    price: LambdaPrice


class LaptopLimits(Sourced):
    """A machine of one's own."""

    cores: int
    calls_per_core_second: float
    start_s: float


class PlatformLimits(Frozen):
    """All of ``limits.toml``."""

    actions: ActionsLimits
    aws_lambda: LambdaLimits = Field(alias="lambda")
    laptop: LaptopLimits


@cache
def platform_limits() -> PlatformLimits:
    """The limits that this version knows."""
    text = resources.files("handlers.planning").joinpath("limits.toml").read_text("utf-8")
    return PlatformLimits.model_validate(tomllib.loads(text))
