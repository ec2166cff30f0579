"""What plans are computed from: a measured corpus, prices, limits and assumptions, each with its origin."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from handlers.bootstrap import host
from handlers.domain.money import Price
from handlers.domain.run import RunSpec
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
from handlers.local.measured_corpus import MeasuredCorpus
from handlers.planning.assumptions import Assumptions, AssumptionsBuilder
from handlers.planning.plan_request import PlanBasis
from handlers.settings import Settings

_PICO = 10**6


def plan_basis(corpus: MeasuredCorpus, assume: Path | None = None) -> PlanBasis:
    """By what pilots measured, what is known of limits and prices, and a file of assumptions."""
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
    price = _price(settings, corpus.spec, known)
    if price is not None:
        prices = (price.prompt, price.completion, price.cached)
        for name, pico in zip(("price_in", "price_out", "price_cached"), prices, strict=True):
            if getattr(known, name) is None:
                builder.take("price", **{name: pico / _PICO})
    return PlanBasis(
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
    known = {"prompt_tokens_per_request": (work.prompt - work.size) / work.requests * 1.05}
    if corpus.spec.task != "file":
        return known
    # A task file's sizes are guesses of the answers themselves; of vectors, which cost nothing, the prompts'.
    answered = 0.0 if corpus.spec.embeds else 1.0
    return known | {"completion_tokens_per_request": 0.0, "completion_tokens_per_token": answered}


def _price(settings: Settings, spec: RunSpec, assumed: Assumptions) -> Price | None:
    """The model's price; None where ``usd_per_paper`` makes it needless. UsageError if it is unknown."""
    prices = {
        name: Decimal(str(value))
        for name in ("price_in", "price_out", "price_cached")
        if (value := getattr(assumed, name)) is not None
    }
    from handlers.bootstrap import wiring  # most of the package

    try:
        return wiring.price(settings.model_copy(update=prices), spec.model)
    except UsageError as error:
        if assumed.usd_per_paper is None:
            about = "0.02 --price-out 0" if spec.embeds else "0.15 --price-out 0.60"
            raise UsageError(f"{error} Small models cost about --price-in {about}") from None
        return None
