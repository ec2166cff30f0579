"""``paperfleet plan``: hours, dollars and the limit that binds, before the first call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from handlers.cli.flags import shared_options
from handlers.cli.flags.setting_flags import add_command
from handlers.cli.provider_hint import tell_of_provider
from handlers.domain.plan import PlanFile
from handlers.errors import UsageError
from handlers.local.ingesting import SourceSpec
from handlers.local.measured_corpus import measure_corpus
from handlers.local.named_outputs import keep_apart
from handlers.local.planning_basis import plan_basis
from handlers.planning import plan_file
from handlers.planning.make_plan import make_plan
from handlers.planning.plan_request import PlanRequest
from handlers.reporting.plan_table import plan_markdown, plan_renderable
from handlers.settings import load_settings

_PLAN = "Plan"


def register(app: typer.Typer) -> None:
    add_command(
        app,
        "plan",
        plan,
        "plan papers.jsonl --base-url URL --model NAME --rpm 3000 --deadline 3600 --output plan.json`, then"
        " `paperfleet run papers.jsonl --plan plan.json",
    )


def plan(
    source: shared_options.Source,
    *,
    mapping: shared_options.Mapping = None,
    source_format: shared_options.SourceFormat = None,
    encoding: shared_options.Encoding = None,
    platform: Annotated[
        Literal["laptop", "actions", "lambda"],
        typer.Option(help="Where the jobs run.", rich_help_panel=_PLAN),
    ] = "laptop",
    account: Annotated[
        str, typer.Option(help="GitHub account: free, pro, team or enterprise.", rich_help_panel=_PLAN)
    ] = "free",
    public: Annotated[
        bool,
        typer.Option("--public/--private", help="The repository's visibility.", rich_help_panel=_PLAN),
    ] = False,
    assume: Annotated[
        Path | None,
        typer.Option(
            help="JSON or TOML that replaces assumptions, e.g. papers, usd_per_paper,"
            " papers_per_worker_hour; --json shows them all.",
            rich_help_panel=_PLAN,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Plan file for `run --plan` [default: plan.json in the state's plans/RUN-ID].",
            rich_help_panel=_PLAN,
        ),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown on stdout.", rich_help_panel=_PLAN)
    ] = False,
    as_json: shared_options.AsJson = False,
    **flags: Any,
) -> None:
    """Predict how long SOURCE takes with each fleet, what it costs and which limit binds, and recommend the
    cheapest fleet that meets --deadline or the fastest within --budget. Sends nothing. The plan uses what a
    `pilot` measured, and the rate limits that it read unless --rpm and --tpm are given; it states every other
    assumption. Writes a plan file that `run --plan` executes.
    """
    settings = load_settings(**flags)
    keep_apart(settings, [("--output", output)], source, assume)
    console = Console(stderr=True, highlight=False)
    tell_of_provider(settings, console)
    corpus = measure_corpus(SourceSpec(source, mapping or (), source_format, encoding), settings, console)
    request = PlanRequest(
        platform=platform,
        account=account,
        private=not public,
        shape=settings.shape if settings.jobs or settings.workers else None,
        auto=settings.workers == "auto",
        limit=settings.limit,
        hedge=settings.hedge,
        tier=None if settings.jobs or settings.workers else settings.tier,
        deadline=settings.deadline,
        budget=None if settings.budget is None else float(settings.budget),
    )
    file = plan_file.seal(make_plan(plan_basis(corpus, assume), request), corpus.settings)
    if file.chosen is not None:
        path = output or settings.state / "plans" / f"{settings.run_id}.json"
        if output is None and (kept := plan_file.set_apart(path, file)):
            console.print(f"the plan of another corpus is kept: {kept}", markup=False, soft_wrap=True)
        plan_file.write(file, path)
        console.print(f"plan file: {path}", markup=False, soft_wrap=True)
    _print(file, as_json=as_json, markdown=markdown)
    if file.chosen is None:
        raise UsageError(f"no plan file is written, for no fleet is recommended: {file.reason}")


def _print(file: PlanFile, *, as_json: bool, markdown: bool) -> None:
    if as_json:
        typer.echo(file.model_dump_json())
    elif markdown:
        typer.echo(plan_markdown(file), nl=False)
    else:
        Console().print(plan_renderable(file))
