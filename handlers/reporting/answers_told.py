"""What a task's answers come to, in words: a table for each field that has values to count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from handlers.domain.run_report import AnswerFigures, RunReport
from handlers.reporting.plain import plain

_MOST_FIELDS, _MOST_VALUES = 20, 30
Row = tuple[str, ...]


def answer_tables(report: RunReport) -> Iterator[tuple[str, Row, list[Row]]]:
    """(title, columns, rows) of the first twenty fields: numbers in one table, every other in its own."""
    fields = dict(list((report.answers or {}).items())[:_MOST_FIELDS])
    numbers = [_number(name, each) for name, each in fields.items() if each.type == "number"]
    if numbers:
        yield "Answers: numbers", ("field", "papers", "least", "mean", "most"), numbers
    for name, each in fields.items():
        counts = each.counts or each.lengths
        if counts:
            what = "entries" if each.type == "list" else "value"
            yield f"Answers: {plain(name)}", (what, "papers", "share"), list(_rows(counts, each.answered))


def shares(counts: Mapping[str, int]) -> dict[str, int]:
    """The first thirty values as they may be shown, and the sum of the others."""
    shown: dict[str, int] = {}
    for number, (name, count) in enumerate(counts.items()):
        key = plain(name) if number < _MOST_VALUES else "others"
        shown[key] = shown.get(key, 0) + count
    return shown


def _rows(counts: Mapping[str, int], whole: int) -> Iterator[Row]:
    for name, count in shares(counts).items():
        yield name, f"{count:,}", f"{100 * count / whole if whole else 0.0:.1f}%"


def _number(name: str, each: AnswerFigures) -> Row:
    known = (each.min, each.mean, each.max)
    return plain(name), f"{each.answered:,}", *("" if value is None else f"{value:,.4g}" for value in known)
