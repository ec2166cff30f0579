"""What a plan does not know, or cannot count, said in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator

from handlers.counted import in_hours
from handlers.domain.plan import PilotFigures, PlanRow
from handlers.planning.assumptions import Assumptions
from handlers.planning.demand import Demand
from handlers.planning.plan_request import PlanBasis, PlanRequest
from handlers.planning.platform_limits import platform_limits

_MANY_JOBS = 500
"""Functions from which on a new table throttles those that start together."""


def request_warnings(request: PlanRequest, row: PlanRow | None, demand: Demand) -> Iterator[str]:
    """``row`` is the one that the plan executes."""
    if request.auto and row is not None:
        yield (
            f"--workers auto: planned with the {row.workers} workers a job that it should grow to, growing"
            " included; the run starts with fewer and keeps as many as prove to help"
        )
    if request.limit is not None and request.limit < demand.sent:
        share = request.limit / demand.sent
        yield (
            f"--limit {request.limit:,}: the rows are of all {demand.sent:,} papers to send; a session of"
            f" this plan stops after {request.limit:,}, at about ${demand.cost * share:,.4f}"
        )
    if request.deadline is not None and row is not None and row.hours * 3600 > request.deadline:
        yield (
            f"{row.tier} takes {in_hours(row.hours * 3600)}, longer than the deadline of"
            f" {in_hours(request.deadline)}: the run stops there and goes on when it is started again"
        )
    if request.platform == "lambda" and row is not None:
        yield from aws_warnings(row, demand)
    if request.deadline is not None and request.budget is not None:
        yield "both a deadline and a budget: the cheapest fleet that keeps to both is recommended"


def aws_warnings(row: PlanRow, demand: Demand) -> Iterator[str]:
    """Quotas of AWS that a fleet of this row meets, and which of them can be raised."""
    limits = platform_limits().aws_lambda
    if row.jobs > limits.function.account_concurrency:
        yield (
            f"{row.jobs:,} functions at once: an account has {limits.function.account_concurrency:,} unless"
            " raised, an event source's MaximumConcurrency ends there too, and more need its"
            " ProvisionedPollerConfig (10 a poller, up to 2,000)"
        )
    elif row.jobs > limits.function.new_account_concurrency:
        yield (
            f"{row.jobs:,} functions at once: a new account may have only"
            f" {limits.function.new_account_concurrency} (Lambda's quota of concurrent executions): raise it"
            " first"
        )
    passages = demand.units / demand.sent if demand.sent else 1.0
    per_paper = max(limits.table.writes_per_paper, limits.table.writes_per_passage * passages)
    writes = row.papers_per_hour / 3600 * per_paper
    if writes > limits.table.quota_writes_per_second:
        yield (
            f"{writes:,.0f} write units a second: a table's quota is {limits.table.quota_writes_per_second:,}"
            " unless raised"
        )
    elif row.binding == "table" or row.jobs > _MANY_JOBS:
        yield (
            f"a new on-demand table takes {limits.table.new_writes_per_second:,} write units a second and"
            " doubles its peak each 30 minutes: give it a WarmThroughput, or start with fewer functions"
        )


def basis_warnings(basis: PlanBasis, demand: Demand) -> Iterator[str]:
    pilot, assumptions = basis.pilot, basis.assumptions
    measured = ("usd_per_paper", "papers_per_worker_hour")
    if pilot is None and any(basis.origins.get(name) != "file" for name in measured):
        yield "tokens and latency are assumed, not measured: `paperfleet pilot` measures them on 20 papers"
    if pilot is not None and basis.is_of_another_corpus:
        yield (
            f"the pilot of {pilot.papers:,} papers was made before this corpus grew, or of another one: if"
            " its papers are of another kind, `paperfleet pilot` measures them"
        )
    if assumptions.rpm is None and assumptions.tpm is None:
        yield from _unknown_limits(assumptions, pilot)
    if pilot is not None:
        yield from _quotas(pilot, demand)
    if not basis.workload.sent:
        yield "no paper of this corpus needs a call: all are skipped or finished"


def _unknown_limits(assumptions: Assumptions, pilot: PilotFigures | None) -> Iterator[str]:
    if assumptions.papers_per_worker_hour is None:
        source = (
            "a pilot hears those that an API's headers state" if pilot is None else "its headers state none"
        )
        yield (
            f"no rate limit is known: give the account's with --rpm and --tpm ({source}), or the plan cannot"
            " see it"
        )
    if pilot is not None and pilot.throttled_share:
        yield (
            f"{pilot.throttled_share:.0%} of the pilot's calls were refused for their rate: a limit binds"
            " that this plan does not know, and every row is too fast; give --rpm or --tpm"
        )


def _quotas(pilot: PilotFigures, demand: Demand) -> Iterator[str]:
    """Limits of an hour or a day set no pace, they end a run."""
    needed = {"requests": demand.calls, "tokens": demand.prompt_tokens + demand.completion_tokens}
    for name, limit in pilot.limits.items():
        kind, _, window = name.partition("_per_")
        if window in ("hour", "day") and needed.get(kind, 0.0) > limit:
            yield (
                f"the API's headers state {limit:,} {kind} a {window}, this run takes {needed[kind]:,.0f}:"
                f" {math.ceil(needed[kind] / limit)} {window}s, which no row here counts"
            )
