"""A plan in words: on a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from handlers.counted import counted
from handlers.domain.money import dollars
from handlers.domain.plan import Elsewhere, Plan, PlanRow
from handlers.reporting.plain import markdown, plain
from handlers.reporting.tables import ReportTable, duration

_COLUMNS = ("fleet", "papers/h", "time", "API cost", "bound by", "risk")
_BILLED = "billed"
_FOLDED = ("why", "risk", _BILLED)
"""Columns that give way on a narrow terminal."""


def plan_tables(plan: Plan) -> list[ReportTable]:
    """The rows, the chosen fleet elsewhere, and the first steps."""
    return [
        ReportTable(
            f"Plan on {_place(plan)}",
            (*_COLUMNS, *((_BILLED,) if _is_billed(plan) else ())),
            [_row(each, plan) for each in plan.rows],
        ),
        ReportTable(
            f"The same fleet ({plan.chosen or plan.rows[-1].tier}) elsewhere",
            ("where", "papers/h", "time", "API cost", "bound by", _BILLED),
            [_elsewhere(each) for each in plan.platforms],
        ),
        ReportTable(
            "The same calls by tier",
            ("tier", "API cost", "why"),
            [
                (each.tier, "-" if each.cost_usd is None else money(each.cost_usd), each.missing)
                for each in plan.tiers
            ],
        ),
        ReportTable(
            "First steps",
            ("papers", "tier", "time", "API cost", "why"),
            [
                (f"{each.papers:,}", each.tier, duration(each.hours * 3600),
                 money(each.cost_usd), each.why)
                for each in plan.first_steps
            ],
        ),
    ]  # fmt: skip


def plan_markdown(plan: Plan) -> str:
    """A page. Nothing in it from outside is markup."""
    return "\n".join(_lines(plan)) + "\n"


def plan_renderable(plan: Plan) -> RenderableType:
    parts: list[RenderableType] = [Text(plain(line)) for line in _head(plan)]
    for table in plan_tables(plan):
        grid = Grid(
            title=Text(table.title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0), pad_edge=False,
        )  # fmt: skip
        for column in table.columns:
            least = len("13,712 min,") if column == _BILLED else None  # neither figure is torn
            grid.add_column(Text(column), overflow="fold", no_wrap=column not in _FOLDED, min_width=least)
        for row in table.rows:
            grid.add_row(*(Text(plain(cell)) for cell in row))
        parts.append(grid)
    parts += [Text(f"  {tier}: {plain(reason)}", style="dim") for tier, reason in _risks(plan)]
    if plan.recommended is not None:  # why none is, is the command's error
        parts.append(Text(f"recommended: {plan.recommended}: {plain(plan.reason)}", style="bold"))
    parts += [Text.assemble(("warning: ", "yellow"), plain(each)) for each in plan.warnings]
    return Group(*parts)


def _lines(plan: Plan) -> Iterator[str]:
    yield "# Plan"
    yield ""
    for line in _head(plan):
        yield f"{markdown(line)}  "
    for table in plan_tables(plan):
        yield f"\n## {markdown(table.title)}\n"
        yield "| " + " | ".join(table.columns) + " |"
        yield "|" + " --- |" * len(table.columns)
        for row in table.rows:
            yield "| " + " | ".join(markdown(cell) for cell in row) + " |"
    yield ""
    for tier, reason in _risks(plan):
        yield f"- {markdown(tier)}: {markdown(reason)}"
    yield f"\n**Recommended: {markdown(plan.recommended or 'none')}**: {markdown(plan.reason)}."
    for warning in plan.warnings:
        yield f"\n> **Warning:** {markdown(warning)}"


def _head(plan: Plan) -> Iterator[str]:
    corpus, measured = plan.corpus, plan.measured
    yield (
        f"{corpus}; about"
        f" {corpus.tokens_prompt:,} prompt and {corpus.tokens_completion:,} completion tokens in"
        f" {counted(corpus.calls, 'call')}; model {plan.model or '-'}."
    )
    row = plan.rows[0]
    low, high = money(row.cost_low_usd), money(row.cost_high_usd)
    if low != high:
        yield f"API cost: {money(row.cost_usd)}, with 90% certainty {low} to {high}."
    if measured:
        yield (
            f"Measured on {counted(measured.papers, 'paper')}: cost to {measured.cost_error:.1%}, a paper's"
            f" time to {measured.time_error:.1%} (90%)."
        )
    yield from _stated(plan)


def _stated(plan: Plan) -> Iterator[str]:
    """The rate limits that nobody declared."""
    for name, what in (("rpm", "requests"), ("tpm", "tokens")):
        if plan.origins.get(name, "").startswith("the API"):
            yield (
                f"At most {plan.assumptions[name]:,.0f} {what} a minute: {plan.origins[name]}. What"
                " the API allows at once at the start comes on top: a run can end up to a minute sooner."
            )


def _place(plan: Plan) -> str:
    account = f" ({plan.account}, {'private' if plan.private else 'public'})" if plan.account else ""
    return f"{plan.platform}{account}"


def _risks(plan: Plan) -> list[tuple[str, str]]:
    return [(each.tier, f"{each.risk} risk: {each.risk_reason}") for each in plan.rows]


def _row(row: PlanRow, plan: Plan) -> tuple[str, ...]:
    mark = " *" if row.tier == plan.recommended else ""
    cells = (f"{row.tier} {row.jobs}x{row.workers}{mark}", *_pace(row), row.risk)
    return (*cells, *((_billed(row),) if _is_billed(plan) else ()))


def _pace(row: PlanRow | Elsewhere) -> tuple[str, ...]:
    return (
        f"{row.papers_per_hour:,.0f}" if row.papers_per_hour else "-",
        duration(row.hours * 3600),
        money(row.cost_usd),
        row.binding,
    )


def _billed(row: PlanRow | Elsewhere) -> str:
    sessions = "" if row.sessions == 1 else f", {row.sessions:,} sessions"
    return f"{row.platform_minutes:,.0f} min, {money(row.platform_usd)}{sessions}"


def _is_billed(plan: Plan) -> bool:
    """Whether the platform counts its time."""
    return any(each.platform_minutes for each in plan.rows)


def _elsewhere(each: Elsewhere) -> tuple[str, ...]:
    return (f"{each.platform} {each.account}".strip(), *_pace(each), _billed(each))


def money(usd: float) -> str:
    """Two decimals, more for small amounts."""
    return f"${usd:,.2f}" if usd >= 10 or not usd else dollars(usd)
