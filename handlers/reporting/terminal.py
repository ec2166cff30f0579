"""A report on a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.panel import Panel
from rich.table import Table as Grid
from rich.text import Text

from handlers.counted import counted
from handlers.domain.money import dollars
from handlers.domain.paper import TERMINAL
from handlers.domain.run_report import RunReport
from handlers.reporting.plain import plain
from handlers.reporting.tables import (
    ReportTable,
    after_parking,
    kept_told,
    left_out,
    segments_told,
    standing,
    tables,
)

_WIDEST = 1_000
"""Characters of a line that a terminal wraps."""
_COLOURS = {
    "finished": "green",
    "running": "cyan",
    "parked": "red",
    "paused": "yellow",
    "cancelled": "magenta",
}


def render(report: RunReport, console: Console) -> None:
    """Print it. Nothing of it is read as markup. On a terminal how the run stands comes last, where it is
    seen; a file or a pipe has it first."""
    head, rest = _head(report), _figures(report)
    console.print(*([rest, head] if console.is_terminal else [head, rest]), sep="\n")


def print_table(table: ReportTable, console: Console) -> None:
    """One table alone, as wide as it is: a name that is broken to fit in cannot be copied."""
    grid = _grid(table)
    options = console.options.update(max_width=_WIDEST)
    console.width = max(console.width, Measurement.get(console, options, grid).maximum)
    console.print(grid)


def _figures(report: RunReport) -> RenderableType:
    parts: list[RenderableType] = [_grid(table) for table in tables(report)]
    if note := left_out(report):
        parts.append(Text(note, style="dim"))
    parts += [Text.assemble(("warning: ", "yellow"), plain(warning)) for warning in report.warnings]
    return Group(*parts)


def _head(report: RunReport) -> Panel:
    stands = standing(report)
    colour = "cyan" if stands == "ready" else _COLOURS[report.state]
    held = f" and {dollars(report.held_usd)} held" if report.held_usd else ""
    head = Text.assemble(
        (stands, f"bold {colour}"),
        f": {report.finished:,} of {counted(report.papers, 'paper')}{_less(report)},"
        f" {dollars(report.spend_usd)}{held}, model {plain(report.model)}",
    )
    if told := segments_told(report):
        head.append(f"\n{told}")
    if kept := kept_told(report):
        head.append(f"\n{kept}")
    if report.reason:
        reason = report.reason.removeprefix(stands).lstrip(":; ")
        head.append(f"\n{plain(reason or report.reason)}")
    if then := after_parking(report):
        head.append(f"\n{then}")
    return Panel(head, title=Text(f"run {plain(report.run_id)}"), border_style=colour)


def _less(report: RunReport) -> str:
    """`` (3 flagged, 12 skipped)``: what of the papers is not done; "" if all are."""
    counts = {name: report.counts[name] for name in TERMINAL if name != "done"}
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    return f" ({told})" if told else ""


def _grid(table: ReportTable) -> Grid:
    title = Text(table.title)
    grid = Grid(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, collapse_padding=True
    )
    for position, column in enumerate(table.columns):
        figures = position > 0 and table.columns != ("metric", "value")
        grid.add_column(Text(column), justify="right" if figures else "left", overflow="fold")
    for row in table.rows:
        grid.add_row(*(Text(plain(cell)) for cell in row))
    return grid
