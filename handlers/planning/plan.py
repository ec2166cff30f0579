"""The parallelisation table of a corpus: rows, what binds, a recommendation, and first steps. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from handlers.domain.money import Price
from handlers.domain.value import Frozen
from handlers.planning.assumptions import Assumptions
from handlers.planning.demand import Demand, demand
from handlers.planning.pilot_figures import PilotFigures
from handlers.planning.plan_auto import auto_shape
from handlers.planning.plan_refusals import refuse_impossible, refuse_negative
from handlers.planning.plan_rows import PlanRow, Shape, row
from handlers.planning.plan_warnings import plan_warnings
from handlers.planning.platform_limits import platform_limits
from handlers.planning.platforms import Platform, PlatformName, platform
from handlers.planning.workload import Workload
from handlers.settings import CUSTOM, TIERS

_NEARLY = 1.1
"""A smaller fleet that takes at most so many times as long is as good."""
_STEPS = ((100, "parallel"), (1_000, "ultra"), (5_000, "ultra"))
"""Papers of the first phases, each with its tier: look at every one, look at samples, then in sessions."""


@dataclass(frozen=True)
class Wish:
    """What is asked of a plan. Seconds, USD (the API's)."""

    platform: PlatformName = "laptop"
    account: str = "free"
    private: bool = True
    shape: tuple[int, int] | None = None
    """(jobs, workers) of a fleet of one's own."""
    auto: bool = False
    """The jobs of that fleet find their number of workers by themselves."""
    tier: str | None = None
    """The fleet to be executed, in place of the recommended one."""
    deadline: float | None = None
    budget: float | None = None
    limit: int | None = None
    """Papers after which the session stops."""


class PlanCorpus(Frozen):
    """``done``: papers that a pilot has finished already; they cost nothing more."""

    papers: int
    same_as: int
    sent: int
    done: int
    calls: int
    tokens_prompt: int
    tokens_completion: int
    sha256: str = ""
    sizes: tuple[float, ...] = ()
    """Quantiles of a paper's size in tokens."""


class Step(Frozen):
    """One of the phases that are proposed before everything is let loose."""

    papers: int
    tier: str
    hours: float
    cost_usd: float
    why: str


class Elsewhere(Frozen):
    """The chosen fleet on another platform."""

    platform: str
    account: str
    hours: float
    papers_per_hour: float
    cost_usd: float
    platform_usd: float
    platform_minutes: float
    sessions: int
    binding: str


class Plan(Frozen):
    """All that ``paperfleet plan`` says. ``recommended`` and ``chosen`` are tiers of ``rows``."""

    corpus: PlanCorpus
    model: str
    platform: str
    account: str
    private: bool
    measured: PilotFigures | None
    assumptions: dict[str, Any]
    origins: dict[str, str]
    """Assumption → where its figure comes from."""
    rows: tuple[PlanRow, ...]
    recommended: str | None
    reason: str
    chosen: str | None
    """What the plan file executes: the fleet asked for, else the recommended one."""
    platforms: tuple[Elsewhere, ...]
    first_steps: tuple[Step, ...]
    warnings: tuple[str, ...]

    def row(self, tier: str | None) -> PlanRow | None:
        return next((each for each in self.rows if each.tier == tier), None)


def make_plan(
    workload: Workload,
    assumed: Assumptions,
    wish: Wish,
    *,
    price: Price | None,
    origins: Mapping[str, str],
    model: str = "",
    sha256: str = "",
    pilot: PilotFigures | None = None,
) -> Plan:
    """UsageError, with the number that would work, for what cannot be done."""
    place = platform(wish.platform, wish.account, private=wish.private, assumed=assumed)
    rest, done = _without_done(workload, pilot, assumed)
    refuse_negative(rest, assumed, origins)
    asked = demand(rest, assumed, price)
    refuse_impossible(asked, place, budget=wish.budget, deadline=wish.deadline)
    rows = tuple(
        row(shape, asked, assumed, place, budget=wish.budget)
        for shape in _shapes(wish, asked, assumed, place)
    )
    recommended, reason = _recommend(rows, asked, wish)
    chosen = wish.tier or (CUSTOM if wish.shape else recommended)
    found = next((each for each in rows if each.tier == chosen), None)
    return Plan(
        corpus=PlanCorpus(
            papers=rest.papers,
            same_as=rest.same_as,
            sent=rest.sent,
            done=done,
            calls=round(asked.calls),
            tokens_prompt=round(asked.prompt_tokens),
            tokens_completion=round(asked.completion_tokens),
            sha256=sha256,
            sizes=rest.sizes,
        ),
        model=model,
        platform=wish.platform,
        account=place.account,
        private=wish.private,
        measured=pilot,
        assumptions=assumed.model_dump(),
        origins=dict(origins),
        rows=rows,
        recommended=recommended,
        reason=reason,
        chosen=chosen,
        platforms=tuple(_elsewhere(found or rows[-1], asked, assumed, wish)),
        first_steps=tuple(_first_steps(asked, assumed, place)),
        warnings=(*_about(wish, found, asked), *plan_warnings(rest, asked, assumed, pilot, origins)),
    )


def _without_done(
    workload: Workload, pilot: PilotFigures | None, assumed: Assumptions
) -> tuple[Workload, int]:
    """The workload that is left after a pilot."""
    if assumed.papers is not None:
        return workload.scaled(assumed.papers), 0
    if pilot is None or not workload.sent:
        return workload, 0
    done = min(pilot.done, workload.sent)
    return (
        workload.model_copy(
            update={
                "sent": workload.sent - done,
                "requests": max(0.0, workload.requests - pilot.done_requests),
                "size": max(0.0, workload.size - pilot.done_size),
            }
        ),
        done,
    )


def _shapes(wish: Wish, asked: Demand, assumed: Assumptions, place: Platform) -> Iterator[Shape]:
    for tier, (jobs, workers) in TIERS.items():
        yield Shape(tier, jobs, workers)
    if wish.shape is not None:
        auto = wish.auto and asked.sent
        yield (
            auto_shape(CUSTOM, wish.shape[0], asked, assumed, place) if auto else Shape(CUSTOM, *wish.shape)
        )


def _recommend(rows: Sequence[PlanRow], asked: Demand, wish: Wish) -> tuple[str | None, str]:
    """(tier, why): the cheapest that meets the deadline, or the fastest within the budget."""
    good = [each for each in rows if wish.budget is None or each.cost_usd <= wish.budget]
    if not good:
        return None, (
            f"the budget of ${wish.budget:,.4f} ends before the papers do: give --budget"
            f" {math.ceil(asked.cost * 100) / 100:.2f}, or {asked.cost + asked.cost_error:.2f} to be 95% sure"
        )
    if wish.deadline is not None:
        return _cheapest_in_time(good, wish.deadline)
    fastest = min(each.hours for each in good)
    near = [each for each in good if each.hours <= fastest * _NEARLY]
    best = min(near, key=lambda each: (each.total_usd, each.jobs * each.workers))
    within = "" if wish.budget is None else f" within ${wish.budget:,.2f}"
    return best.tier, f"the fastest{within}, or within 10% of it at less cost or with fewer workers"


def _cheapest_in_time(rows: Sequence[PlanRow], deadline: float) -> tuple[str | None, str]:
    hours = deadline / 3600
    in_time = [each for each in rows if each.hours <= hours]
    if not in_time:
        fastest = min(rows, key=lambda each: each.hours)
        return None, (
            f"no fleet makes the deadline of {deadline:,.0f} s: the fastest, {fastest.tier}, takes"
            f" {fastest.hours * 3600:,.0f} s, bound by {fastest.binding}: give --deadline"
            f" {math.ceil(fastest.hours * 3600)} or more, or lift that limit"
        )
    best = min(in_time, key=lambda each: (each.total_usd, each.jobs * each.workers))
    return best.tier, f"the cheapest that meets the deadline of {deadline:,.0f} s"


def _elsewhere(found: PlanRow, asked: Demand, assumed: Assumptions, wish: Wish) -> Iterator[Elsewhere]:
    shape = Shape(found.tier, found.jobs, found.workers)
    accounts = [name for name in platform_limits().actions.plans if not name.startswith("original")]
    places: list[tuple[PlatformName, str]] = [
        ("laptop", ""), *(("actions", name) for name in accounts), ("lambda", ""),
    ]  # fmt: skip
    for name, account in places:
        place = platform(name, account, private=wish.private, assumed=assumed)
        there = row(shape, asked, assumed, place, budget=wish.budget)
        yield Elsewhere(
            platform=name,
            account=account,
            **there.model_dump(include=Elsewhere.model_fields.keys() - {"platform", "account"}),
        )


def _first_steps(asked: Demand, assumed: Assumptions, place: Platform) -> Iterator[Step]:
    words = (
        "read every one of them, and mend prompt and settings",
        "500 to 1,000: read a sample, compare the forecast with what it took",
        "then in sessions of 5,000, each with its report, until all are done",
    )
    for (papers, tier), why in zip(_STEPS, words, strict=True):
        if papers < asked.papers or papers == _STEPS[0][0]:
            part = asked.part(papers)
            found = row(Shape(tier, *TIERS[tier]), part, assumed, place)
            yield Step(papers=part.papers, tier=tier, hours=found.hours, cost_usd=found.cost_usd, why=why)


def _about(wish: Wish, found: PlanRow | None, asked: Demand) -> Iterator[str]:
    if wish.auto and found is not None:
        yield (
            f"--workers auto: planned with the {found.workers} workers a job that it should grow to, growing"
            " included; the run starts with fewer and keeps as many as prove to help"
        )
    if wish.limit is not None and wish.limit < asked.sent:
        share = wish.limit / asked.sent
        yield (
            f"--limit {wish.limit:,}: the rows are of all {asked.sent:,} papers to send; a session of this"
            f" plan stops after {wish.limit:,}, at about ${asked.cost * share:,.4f}"
        )
    if wish.deadline is not None and found is not None and found.hours * 3600 > wish.deadline:
        yield (
            f"{found.tier} takes {found.hours * 3600:,.0f} s, longer than the deadline of"
            f" {wish.deadline:,.0f} s: the run stops there and goes on when it is started again"
        )
    if wish.deadline is not None and wish.budget is not None:
        yield "both a deadline and a budget: the cheapest fleet that keeps to both is recommended"
