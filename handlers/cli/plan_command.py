"""``paperfleet plan``: hours, dollars and the limit that binds, before the first call."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from handlers.bootstrap import host
from handlers.cli.flags import shared_options
from handlers.cli.flags.setting_flags import add_command
from handlers.cli.provider_hint import tell_of_provider
from handlers.domain.money import Price
from handlers.domain.plan import Plan, PlanFile
from handlers.errors import UsageError
from handlers.llm.prices.pricing import list_price
from handlers.llm.prices.tariff import (
    FLEX,
    OFFPEAK,
    STANDARD,
    flex_price,
    is_billed_by,
    missing_flex_price,
    missing_hours,
)
from handlers.local.ingesting import SourceSpec
from handlers.local.measured_corpus import MeasuredCorpus, measure_corpus
from handlers.planning import plan_file
from handlers.planning.assumptions import Assumptions, AssumptionsBuilder
from handlers.planning.make_plan import make_plan
from handlers.planning.plan_request import PlanBasis, PlanRequest
from handlers.reporting.plan_table import plan_markdown, plan_renderable
from handlers.settings import Settings, load_settings

_PLAN = "Plan"
_PICO = 10**6


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
        tier=None if settings.jobs or settings.workers else settings.tier,
        deadline=settings.deadline,
        budget=None if settings.budget is None else float(settings.budget),
    )
    file = plan_file.seal(_plan_of(corpus, request, assume), corpus.settings)
    if file.chosen is not None:
        path = output or settings.state / "plans" / f"{settings.run_id}.json"
        plan_file.write(file, path)
        console.print(f"plan file: {path}", markup=False, soft_wrap=True)
    _print(file, as_json=as_json, markdown=markdown)
    if file.chosen is None:
        raise UsageError(f"no plan file is written, for no fleet is recommended: {file.reason}")


def _plan_of(corpus: MeasuredCorpus, request: PlanRequest, assume: Path | None) -> Plan:
    settings, figures = corpus.settings, corpus.figures()
    builder = AssumptionsBuilder()
    builder.take("corpus", **_of_corpus(corpus))
    builder.take("limits", cores=host.cores())
    if figures is not None:
        builder.take_pilot(figures)
    builder.take("flag", rpm=settings.rpm, tpm=settings.tpm)
    if assume is not None:
        builder.take_file(assume)
    known = builder.build()
    price = _price(settings, corpus.spec.model, known)
    if price is not None:
        prices = (price.prompt, price.completion, price.cached)
        for name, pico in zip(("price_in", "price_out", "price_cached"), prices, strict=True):
            if getattr(known, name) is None:
                builder.take("price", **{name: pico / _PICO})
    basis = PlanBasis(
        corpus.workload,
        builder.build(),
        builder.origins,
        price,
        pilot=figures,
        is_of_another_corpus=not corpus.is_piloted,
        model=corpus.spec.model,
        sha256=corpus.ingest_result.sha256,
        tiers=_tiers(settings, corpus.spec.model, price),
    )
    return make_plan(basis, request)


def _tiers(settings: Settings, model: str, standard: Price | None) -> dict[str, Price | str]:
    """The price of each tier, or what is missing to know it."""
    from handlers.bootstrap import wiring  # most of the package

    given = wiring.given_prices(settings)
    listed = None if given.standard_is_given else list_price(model)
    flex = flex_price(listed.tiers.get(FLEX) if listed else None, given)
    if settings.flex and flex is None:
        raise UsageError(missing_flex_price(model))
    cheap: Price | str = missing_hours(model)
    if listed and listed.hours:
        elsewhere = f"known for {', '.join(listed.hours.hosts)} alone, not for --base-url"
        cheap = listed.hours.cheap if is_billed_by(listed.hours, settings.base_url) else elsewhere
    return {
        STANDARD: standard or "no price is known",
        FLEX: flex or missing_flex_price(model),
        OFFPEAK: cheap,
    }


def _of_corpus(corpus: MeasuredCorpus) -> dict[str, float]:
    """The prompt's fixed text, by the corpus's own requests."""
    work = corpus.workload
    if not work.requests:
        return {}
    return {"prompt_tokens_per_request": (work.prompt - work.size) / work.requests * 1.05}


def _price(settings: Settings, model: str, assumed: Assumptions) -> Price | None:
    """The model's price; None where ``usd_per_paper`` makes it needless. UsageError if it is unknown."""
    prices = {
        name: Decimal(str(value))
        for name in ("price_in", "price_out", "price_cached")
        if (value := getattr(assumed, name)) is not None
    }
    from handlers.bootstrap import wiring  # most of the package

    try:
        return wiring.price(settings.model_copy(update=prices), model)
    except UsageError as error:
        if assumed.usd_per_paper is None:
            raise UsageError(f"{error} Small models cost about --price-in 0.15 --price-out 0.60") from None
        return None


def _print(file: PlanFile, *, as_json: bool, markdown: bool) -> None:
    if as_json:
        typer.echo(file.model_dump_json())
    elif markdown:
        typer.echo(plan_markdown(file), nl=False)
    else:
        Console().print(plan_renderable(file))
