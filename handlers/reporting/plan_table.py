"""A plan in words: on a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from handlers.reporting.plain import markdown, plain
from handlers.reporting.tables import Table, duration

Plan = Mapping[str, Any]
"""The JSON of ``paperfleet plan``."""
_COLUMNS = ("fleet", "papers/hour", "time", "API cost (90%)", "bound by", "risk")
_FOLDED = ("why", "API cost (90%)", "where", "bound by", "risk", "sessions")
"""Columns that give way on a narrow terminal."""
_BILLED = ("platform", "minutes", "sessions")


def plan_tables(plan: Plan) -> list[Table]:
    """The rows, the chosen fleet elsewhere, and the first steps."""
    return [
        Table(
            f"Plan on {_place(plan)}",
            (*_COLUMNS, *(_BILLED if _is_billed(plan) else ())),
            [_row(each, plan) for each in plan["rows"]],
        ),
        Table(
            f"The same fleet ({plan['chosen'] or plan['rows'][-1]['tier']}) elsewhere",
            ("where", "papers/hour", "time", "API", "platform", "minutes", "sessions", "bound by"),
            [_elsewhere(each) for each in plan["platforms"]],
        ),
        Table(
            "First steps",
            ("papers", "tier", "time", "API cost", "why"),
            [
                (f"{each['papers']:,}", each["tier"], duration(each["hours"] * 3600),
                 money(each["cost_usd"]), each["why"])
                for each in plan["first_steps"]
            ],
        ),
    ]  # fmt: skip


def plan_markdown(plan: Plan) -> str:
    """A page. Nothing in it from outside is markup."""
    return "\n".join(_lines(plan)) + "\n"


def plan_renderable(plan: Plan) -> RenderableType:
    parts: list[RenderableType] = [Text(plain(line)) for line in _head(plan)]
    for table in plan_tables(plan):
        grid = Grid(title=Text(table.title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
        for column in table.columns:
            grid.add_column(Text(column), overflow="fold", no_wrap=column not in _FOLDED)
        for row in table.rows:
            grid.add_row(*(Text(plain(cell)) for cell in row))
        parts.append(grid)
    parts += [Text(f"  {tier}: {plain(reason)}", style="dim") for tier, reason in _risks(plan)]
    parts.append(Text(f"recommended: {plan['recommended'] or 'none'}: {plain(plan['reason'])}", style="bold"))
    parts += [Text.assemble(("warning: ", "yellow"), plain(each)) for each in plan["warnings"]]
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
    yield f"\n**Recommended: {markdown(plan['recommended'] or 'none')}**: {markdown(plan['reason'])}."
    for warning in plan["warnings"]:
        yield f"\n> **Warning:** {markdown(warning)}"


def _head(plan: Plan) -> Iterator[str]:
    corpus, measured = plan["corpus"], plan["measured"]
    yield (
        f"{corpus['papers']:,} papers: {corpus['sent']:,} to send, {corpus['done']:,} done by a pilot; about"
        f" {corpus['tokens_prompt']:,} prompt and {corpus['tokens_completion']:,} completion tokens in"
        f" {corpus['calls']:,} calls; model {plan['model'] or '-'}."
    )
    if measured:
        yield (
            f"Measured on {measured['papers']:,} papers: cost to {measured['cost_error']:.1%}, a paper's time"
            f" to {measured['time_error']:.1%} (90%)."
        )


def _place(plan: Plan) -> str:
    account = f" ({plan['account']}, {'private' if plan['private'] else 'public'})" if plan["account"] else ""
    return f"{plan['platform']}{account}"


def _risks(plan: Plan) -> list[tuple[str, str]]:
    return [(each["tier"], f"{each['risk']} risk: {each['risk_reason']}") for each in plan["rows"]]


def _row(row: Mapping[str, Any], plan: Plan) -> tuple[str, ...]:
    mark = " *" if row["tier"] == plan["recommended"] else ""
    spread = (row["cost_high_usd"] - row["cost_low_usd"]) / 2
    cells = (
        f"{row['tier']} {row['jobs']}x{row['workers']}{mark}",
        f"{row['papers_per_hour']:,.0f}",
        duration(row["hours"] * 3600),
        f"{money(row['cost_usd'])} ± {money(spread)}" if spread else money(row["cost_usd"]),
        row["binding"],
        row["risk"],
    )
    billed = (money(row["platform_usd"]), f"{row['platform_minutes']:,.0f}", f"{row['sessions']:,}")
    return (*cells, *(billed if _is_billed(plan) else ()))


def _is_billed(plan: Plan) -> bool:
    """Whether the platform counts its time."""
    return any(each["platform_minutes"] for each in plan["rows"])


def _elsewhere(each: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        f"{each['platform']} {each['account']}".strip(),
        f"{each['papers_per_hour']:,.0f}",
        duration(each["hours"] * 3600),
        money(each["cost_usd"]),
        money(each["platform_usd"]),
        f"{each['platform_minutes']:,.0f}",
        f"{each['sessions']:,}",
        each["binding"],
    )


def money(usd: float) -> str:
    """Two decimals, more for small amounts."""
    return f"${usd:,.2f}" if usd >= 10 or not usd else f"${usd:,.4f}"
