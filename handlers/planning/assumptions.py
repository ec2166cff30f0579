"""What a plan takes for granted until it is measured: every figure by name, replaceable from a file.

The defaults are what small models of 2025 and 2026 show through ordinary endpoints; a pilot measures them.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, ValidationError, model_validator

from handlers.domain.fleet_tiers import CUSTOM, TIERS
from handlers.domain.plan import PilotFigures
from handlers.domain.value import Frozen
from handlers.errors import UsageError
from handlers.planning.platform_limits import platform_limits
from handlers.wrong_value import wrong_value

Origin = str
"""Where a figure comes from: ``default``, ``corpus``, ``limits``, ``price``, ``pilot``, ``the API's headers,
DATE``, ``flag`` or ``file``; later ones go before earlier ones."""
_LIMITS = platform_limits()
_LEAST = 1e-3
"""Of what is divided by."""
_MOST = 1e12
"""Of every figure: beyond it the sums mean nothing."""


class Assumptions(Frozen):
    """Seconds, USD, tokens. Tokens "of size" are estimates of the text that is translated."""

    model_config = ConfigDict(allow_inf_nan=False)

    papers: int | None = Field(default=None, gt=0, le=10**9)
    """Replaces the corpus's number; each of them is sent."""
    usd_per_paper: float | None = Field(default=None, ge=0)
    """Replaces the cost by tokens, for each paper that is sent."""
    papers_per_worker_hour: float | dict[str, float] | None = None
    """Replaces everything known of latency, start and tail: a number, or tier → number."""

    prompt_tokens_per_request: float = Field(default=500.0)
    """With the next: prompt tokens of a paper, repairs and repeated calls included."""
    prompt_tokens_per_token: float = Field(default=1.05, ge=0)
    completion_tokens_per_request: float = Field(default=20.0)
    completion_tokens_per_token: float = Field(default=1.15, ge=0)
    cached_share: float = Field(default=0.0, ge=0, le=1)
    """Of the prompt tokens, served from the provider's cache."""
    reasoning_share: float = Field(default=0.0, ge=0, le=1)
    """Of the completion tokens (in which they are counted): paid for, and no part of a result."""
    indeterminate_share: float = Field(default=0.0, ge=0)
    """Booked for calls that may not have been charged, for each dollar of those that were."""
    repair_share: float = Field(default=0.04, ge=0)
    """Repairs for each call that has to be."""
    retry_share: float = Field(default=0.01, ge=0)
    """Calls repeated after a transient error, for each call that has to be."""
    flag_share: float = Field(default=0.01, ge=0, le=1)
    cost_error: float = Field(default=0.35, ge=0)
    """Half of the cost's 90% interval, as a share of it: tokenizers differ by so much."""
    time_error: float = Field(default=0.5, ge=0)
    """Half of the 90% interval of a paper's time, as a share of it."""

    latency_s_per_request: float = Field(default=1.0)
    """With the next: seconds that a paper's calls take, repairs and repeated calls included."""
    latency_s_per_token: float = Field(default=1.15 / 80, ge=0)
    """80 tokens of answer a second."""
    latency_sigma: float = Field(default=0.4, ge=0, le=3)
    """Spread of one call's time around that, as a lognormal's."""
    longest_call_s: float | None = Field(default=None, gt=0)
    """None: 2.6 standard deviations over the largest paper's."""
    worker_s_per_paper: float = Field(default=0.01, ge=0)
    """A worker's own work on a paper (on each passage of a whole one): masking, checks, waiting for the
    interpreter."""

    rpm: float | None = Field(default=None, ge=_LEAST)
    tpm: float | None = Field(default=None, ge=_LEAST)
    price_in: float | None = Field(default=None, ge=0)
    price_out: float | None = Field(default=None, ge=0)
    price_cached: float | None = Field(default=None, ge=0)

    cores: int = Field(default=_LIMITS.laptop.cores, ge=1)
    calls_per_core_second: float = Field(default=_LIMITS.laptop.calls_per_core_second, ge=_LEAST)
    laptop_start_s: float = Field(default=_LIMITS.laptop.start_s, ge=0)

    concurrent_jobs: int | None = Field(default=None, ge=1)
    """Actions; None: the account plan's."""
    included_minutes: float | None = Field(default=None, ge=0)
    """A month on private repositories; None: the account plan's."""
    minute_usd: float = Field(default=_LIMITS.actions.minute.usd, ge=0)
    job_hours: float = Field(default=_LIMITS.actions.job_hours, ge=_LEAST)
    actions_start_s: float = Field(default=_LIMITS.actions.start_s + _LIMITS.actions.setup_s, ge=0)

    lambda_start_concurrency: int = Field(default=_LIMITS.aws_lambda.start_concurrency, ge=1)
    lambda_ramp_per_minute: float = Field(default=_LIMITS.aws_lambda.ramp_per_minute, ge=_LEAST)
    lambda_max_concurrency: int = Field(
        default=min(_LIMITS.aws_lambda.max_concurrency, _LIMITS.aws_lambda.function.account_concurrency), ge=1
    )
    lambda_table_writes: int = Field(default=_LIMITS.aws_lambda.table.new_writes_per_second, ge=1)
    lambda_start_s: float = Field(default=_LIMITS.aws_lambda.function.cold_start_s, ge=0)
    lambda_gb_second_usd: float = Field(default=_LIMITS.aws_lambda.price.gb_second_usd, ge=0)
    lambda_other_usd_per_1000_papers: float = Field(
        default=_LIMITS.aws_lambda.price.other_usd_per_1000_papers, ge=0
    )

    @model_validator(mode="before")
    @classmethod
    def _are_figures(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name, value in values.items():
            for each in value.values() if isinstance(value, dict) else [value]:
                figure = isinstance(each, int | float) and not isinstance(each, bool)
                if each is not None and not (figure and abs(each) <= _MOST):
                    raise ValueError(f"{name}: {json.dumps(each)[:40]} is no figure of a plan")
        return values


class AssumptionsBuilder:
    """Gathers the assumptions, and the origin of each."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self.origins: dict[str, Origin] = {
            name: "limits" if _of_limits(name) else "default" for name in Assumptions.model_fields
        }

    def take(self, origin: Origin, **values: Any) -> None:
        """Replace those given; None counts as not given."""
        for name, value in values.items():
            if value is not None:
                self._values[name] = value
                self.origins[name] = origin

    def take_pilot(self, pilot: PilotFigures) -> None:
        """Replace what was assumed by what was measured."""
        same = (
            "latency_sigma", "cached_share", "reasoning_share", "indeterminate_share", "repair_share",
            "retry_share", "flag_share", "cost_error", "time_error", "worker_s_per_paper",
        )  # fmt: skip
        fits = {
            "prompt_tokens": pilot.prompt,
            "completion_tokens": pilot.completion,
            "latency_s": pilot.seconds,
        }
        for name, fit in fits.items():
            line = {f"{name}_per_request": fit.per_request, f"{name}_per_token": max(0.0, fit.per_token)}
            self.take("pilot", **line)
        self.take("pilot", **{name: getattr(pilot, name) for name in same})
        self.take(
            f"the API's headers, {pilot.limits_on}",
            rpm=pilot.limits.get("requests_per_minute"),
            tpm=pilot.limits.get("tokens_per_minute"),
        )

    def take_file(self, path: Path) -> None:
        """JSON or TOML, by the name's ending. UsageError names the file, the figure and what is wrong."""
        values = _read(path)
        if unknown := sorted(values.keys() - Assumptions.model_fields.keys()):
            known = ", ".join(Assumptions.model_fields)
            raise UsageError(f"--assume {path}: no assumption {unknown[0]!r}; there are: {known}")
        self.take("file", **values)
        try:
            self.build()
        except UsageError as error:
            raise UsageError(f"--assume {path}: {error}") from None

    def build(self) -> Assumptions:
        """UsageError if a figure cannot be."""
        try:
            assumptions = Assumptions(**self._values)
        except ValidationError as error:
            raise UsageError(": ".join(wrong_value(error, Assumptions))) from None
        rates = assumptions.papers_per_worker_hour
        if rates == {}:
            raise UsageError("papers_per_worker_hour: no tier in it; give a number or tier → number")
        if isinstance(rates, dict) and (unknown := sorted(rates.keys() - {*TIERS, CUSTOM})):
            raise UsageError(
                f"papers_per_worker_hour: no tier {unknown[0]!r}; there are {', '.join(TIERS)} and {CUSTOM}"
            )
        for rate in rates.values() if isinstance(rates, dict) else [rates]:
            if rate is not None and not 1e-6 <= rate < 1e9:
                raise UsageError(f"papers_per_worker_hour: {rate} is no rate; give a number over 0")
        return assumptions


def _of_limits(name: str) -> bool:
    return name.startswith(
        ("lambda_", "job_hours", "minute_usd", "actions_", "cores", "laptop_", "calls_per")
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        values = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise UsageError(f"--assume {path}: cannot be read as JSON or TOML: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f'--assume {path}: an object wanted, such as {{"papers": 34237}}')
    return values
