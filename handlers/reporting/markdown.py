"""A report as Markdown: for files, pull requests and job summaries."""

from __future__ import annotations

from collections.abc import Iterator

from handlers.counted import counted
from handlers.domain.money import dollars
from handlers.domain.run_report import RunReport
from handlers.reporting.plain import markdown
from handlers.reporting.tables import (
    ReportTable,
    after_parking,
    kept_told,
    left_out,
    segments_told,
    standing,
    tables,
)


def to_markdown(report: RunReport) -> str:
    """A page with a table for each group of figures. Nothing in it from outside is markup."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: RunReport) -> Iterator[str]:
    yield f"# Run {markdown(report.run_id)}: {standing(report)}"
    yield ""
    held = f", {dollars(report.held_usd)} held" if report.held_usd else ""
    papers = counted(report.papers, "paper")
    yield f"{report.finished:,} of {papers} finished, {dollars(report.spend_usd)} spent{held}."
    yield f"Model: {markdown(report.model)}. Started: {report.started_at or '-'}."
    if report.finished_at:
        yield f"Finished: {report.finished_at}."
    if told := segments_told(report):
        yield f"{told}."
    if kept := kept_told(report):
        yield f"{kept}."
    if report.reason:
        yield f"\nWhy it is {standing(report)}: {markdown(report.reason)}"
    if then := after_parking(report):
        yield f"\n{then[0].upper()}{then[1:]}."
    for warning in report.warnings:
        yield f"\n> **Warning:** {markdown(warning)}"
    for table in tables(report):
        yield from _table(table)
    if note := left_out(report):
        yield f"\n{note}"


def _table(table: ReportTable) -> Iterator[str]:
    yield f"\n## {table.title}\n"
    yield _row(table.columns)
    yield _row([" --- ", *[" ---: " for _ in table.columns[1:]]], padded=False)
    for row in table.rows:
        yield _row([markdown(cell) for cell in row])


def _row(cells: tuple[str, ...] | list[str], *, padded: bool = True) -> str:
    return "|" + "|".join(f" {cell} " if padded else cell for cell in cells) + "|"
