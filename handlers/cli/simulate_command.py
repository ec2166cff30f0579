"""``paperfleet simulate``: a run on a virtual clock, before the first call."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from handlers.bootstrap import host
from handlers.bootstrap.state import SystemClock
from handlers.cli.flags.setting_flags import add_command, parsed
from handlers.counted import counted
from handlers.domain.fleet_tiers import TIERS
from handlers.domain.plan import PlanFile
from handlers.errors import UsageError
from handlers.local.named_outputs import keep_apart
from handlers.model_server.limits import Limits
from handlers.model_server.server_settings import ServerSettings
from handlers.pipeline.pace import AWS
from handlers.planning import plan_file
from handlers.planning.assumptions import Assumptions
from handlers.planning.plan_rows import work_of_call, worker_rate
from handlers.planning.platform_limits import platform_limits
from handlers.reporting.plan_table import money
from handlers.reporting.sim_charts import chart_files, check_charts, write_charts
from handlers.reporting.tables import duration
from handlers.settings import load_settings
from handlers.simulation.sim_api import ApiLimits
from handlers.simulation.sim_job import body_passage
from handlers.simulation.sim_setup import SimResult, SimSetup
from handlers.simulation.simulation import Simulation

_SHOW_EVERY = 5.0


def register(app: typer.Typer) -> None:
    add_command(
        app,
        "simulate",
        simulate,
        "simulate --papers 1000000 --jobs 100 --workers 100 --latency 2 --api-rpm 100000 --charts charts",
        SimSetup,
    )


def simulate(
    *,
    plan: Annotated[
        Path | None,
        typer.Option(help="plan file: its fleet, papers and assumptions; flags go before it"),
    ] = None,
    tier: Annotated[
        str | None, typer.Option(help="standard 1x10, parallel 5x20, ultra 10x50 or extreme 20x100")
    ] = None,
    charts: Annotated[
        Path | None,
        typer.Option(help="folder for charts of papers, slots and throttles (SVG, PNG; extra `report`)"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print set-up and result as JSON.")] = False,
    **flags: Any,
) -> None:
    """Run a fleet on a virtual clock with the limiter, backoff and batches of real runs. Shows how long it
    takes, which limit binds, how often the API refuses, and what deaths and faults cost. Sends nothing.
    """
    setup = _setup(plan, tier, {name: value for name, value in flags.items() if value is not None})
    if charts is not None:
        keep_apart(load_settings(), [("--charts", path) for path in chart_files(charts)], plan)
        check_charts(charts)
    console = Console(stderr=True, highlight=False)
    clock = SystemClock()
    shown_at = clock.monotonic()

    def progress(at: float, done: int) -> None:
        nonlocal shown_at
        if clock.monotonic() - shown_at >= _SHOW_EVERY:
            shown_at = clock.monotonic()
            console.print(f"{done / part.papers:.0%} of the papers, {duration(at)} of the fleet's time")

    began = host.cpu_seconds()
    part = setup.part()
    result = Simulation(part, _limits(part), progress=progress).run().of_whole(setup)
    used = {"cpu_s": round(host.cpu_seconds() - began, 2), "peak_mb": round(host.peak_mb(), 1)}
    result = result.model_copy(update=used)
    if as_json:
        typer.echo(json.dumps({"setup": setup.model_dump(), **result.model_dump()}))
    else:
        typer.echo(_words(setup, result))
    if charts is not None:
        for path in write_charts([each.model_dump() for each in result.samples], charts):
            console.print(f"chart: {path}", markup=False, soft_wrap=True)


def _setup(plan: Path | None, tier: str | None, flags: dict[str, Any]) -> SimSetup:
    """The set-up of flags, which go before the tier, which goes before the plan. UsageError names the wrong
    flag."""
    values: dict[str, Any] = {}
    if plan is not None:
        planned = plan_file.read(plan)
        if not planned.corpus.sent and "papers" not in flags:
            raise UsageError(f"--plan {plan}: it has no paper to send; --papers says how many to simulate")
        values = _fields_of(planned)
    if tier is not None:
        if tier not in TIERS:
            raise UsageError(f"--tier {tier}: give one of {', '.join(TIERS)}")
        values["jobs"], values["workers"] = TIERS[tier]
    if isinstance(flags.get("sizes"), str):
        flags["sizes"] = tuple(flags["sizes"].split(","))
    return parsed(SimSetup, {**values, **flags})


def _fields_of(plan: PlanFile) -> dict[str, Any]:
    """Fields of a simulation of the plan's chosen row."""
    row, assumed, corpus = plan.row_chosen, plan.assumptions, plan.corpus
    sigma = assumed["latency_sigma"]
    to_median = math.exp(-(sigma**2) / 2)
    result: dict[str, Any] = {
        "papers": max(1, corpus.sent),
        "jobs": row.jobs,
        "workers": row.workers,
        "sizes": corpus.sizes or None,
        "passage_tokens": body_passage(corpus.sizes, corpus.passages / max(1, corpus.sent)),
        "latency": max(0.0, assumed["latency_s_per_request"]) * to_median,
        "latency_per_token": assumed["latency_s_per_token"] * to_median,
        "sigma": sigma,
        "worker_s": assumed["worker_s_per_paper"],
        "prompt_tokens": max(0.0, assumed["prompt_tokens_per_request"]),
        "completion_share": assumed["completion_tokens_per_token"],
        "usd_per_paper": row.cost_usd / max(1, corpus.passages or corpus.sent),
        **_limits_of(plan),
        "batch_papers": plan.run.get("batch_papers"),
        **_of_platform(plan),
        **_of_rate(plan),
    }
    return {name: value for name, value in result.items() if value is not None}


def _limits_of(plan: PlanFile) -> dict[str, Any]:
    """Declared limits pace the calls, as in the run; those that the plan only knows of refuse them."""
    return {
        name if plan.run.get(name) is not None else f"api_{name}": plan.assumptions[name]
        for name in ("rpm", "tpm")
    }


def _of_rate(plan: PlanFile) -> dict[str, Any]:
    """Where a worker's rate was assumed outright, every paper takes the same."""
    rate = worker_rate(plan.row_chosen.tier, Assumptions(**plan.assumptions))
    if rate is None:
        return {}
    return {"latency": 3600 / rate, "latency_per_token": 0.0, "sigma": 0.0, "worker_s": 0.0}


def _of_platform(plan: PlanFile) -> dict[str, Any]:
    assumed = plan.assumptions
    if plan.platform == "lambda":
        return {
            "start_s": assumed["lambda_start_s"],
            "ramp_start": assumed["lambda_start_concurrency"],
            "ramp_per_minute": assumed["lambda_ramp_per_minute"],
            "job_s": platform_limits().aws_lambda.function.timeout_s,
            "lease_s": 120.0,
            "heartbeat_s": AWS.report_every,
        }
    if plan.platform == "actions":
        return {
            "start_s": assumed["actions_start_s"],
            "restart_s": assumed["actions_start_s"],
            "job_s": assumed["job_hours"] * 3600,
            "lease_s": 120.0,
            "heartbeat_s": 0.0,  # each runner has a ledger of its own
        }
    sizes = plan.corpus.passage_sizes or plan.corpus.sizes
    size = sum(sizes) / len(sizes) if sizes else 400.0
    cpu = work_of_call(size) / assumed["calls_per_core_second"]
    return {"start_s": assumed["laptop_start_s"], "cores": float(assumed["cores"]), "cpu_s": cpu}


def _limits(setup: SimSetup) -> ApiLimits | None:
    """The model server's own limits, for an account of that size."""
    if setup.api_rpm is None and setup.api_tpm is None and setup.api_in_flight is None:
        return None
    settings = ServerSettings(
        rpm=setup.api_rpm,
        tpm=setup.api_tpm,
        max_in_flight=setup.api_in_flight,
        burst=setup.api_burst,
    )
    return Limits(settings, now=0.0)


def _words(setup: SimSetup, result: SimResult) -> str:
    fleet = f"{counted(setup.jobs, 'job')} x {counted(setup.workers, 'worker')}"
    lines = (
        f"{counted(result.papers, 'paper')}, {fleet}: {duration(result.wall_s)},"
        f" {result.papers_per_hour:,.0f} papers an hour, bound by {result.binding}",
        f"calls {result.calls:,}: {result.throttled:,} throttled ({result.throttle_rate:.2%}),"
        f" {result.transient:,} transient, {counted(result.repairs, 'repair')};"
        f" {counted(result.failed, 'paper')} failed",
        f"utilization {result.worker_utilization:.1%}; {counted(result.jobs_died, 'job')} died,"
        f" {counted(result.repeated, 'paper')} repeated for it,"
        f" {result.jobs_ended:,} reached their time limit",
        *([f"cost {money(result.cost_usd)}"] if setup.usd_per_paper else []),
        f"simulated in {result.cpu_s:.1f} s of processor time, {result.peak_mb:.0f} MB",
    )
    return "\n".join(lines)
