"""Figures of a task's answers: bars of an enum and of a list's lengths, a histogram of numbers."""

from __future__ import annotations

from collections.abc import Iterator

from handlers.counted import counted
from handlers.domain.run_report import AnswerFigures, RunReport
from handlers.reporting.answers_told import shares
from handlers.reporting.page.charts import in_html
from handlers.reporting.page.figure import Figure, percent
from handlers.reporting.page.palette import LIGHT
from handlers.reporting.plain import plain

_MOST = 20


def answer_charts(report: RunReport) -> Iterator[Figure]:
    """Of the first twenty fields that have something to show."""
    for number, (name, each) in enumerate(list((report.answers or {}).items())[:_MOST], 1):
        if each.answered and each.bins:
            yield _histogram(f"answers-{number}", plain(name), each)
        elif each.answered:
            yield _bars(f"answers-{number}", plain(name), each)


def _bars(key: str, name: str, each: AnswerFigures) -> Figure:
    counts = shares(each.counts or each.lengths)
    what = f"{name}: entries" if each.type == "list" else name
    says = f"{counted(each.answered, 'paper')} by {what}."
    rows = [
        {
            "name": value,
            "count": count,
            "label": f"{count:,} ({percent(count, each.answered)})" if count else "0",
        }
        for value, count in counts.items()
    ]
    chart = in_html(
        lambda pen: pen.bars(rows, colours=dict.fromkeys(counts, LIGHT["blue"]), title="papers"), says
    )
    cells = tuple((value, f"{count:,}", percent(count, each.answered)) for value, count in counts.items())
    return Figure(key, f"Answers: {what}", says, chart, ("value", "papers", "share"), cells)


def _histogram(key: str, name: str, each: AnswerFigures) -> Figure:
    low, high = each.edges or (0.0, 1.0)
    width = (high - low or 1.0) / len(each.bins)
    rows = [
        {"low": low + n * width, "high": low + (n + 1) * width, "count": count}
        for n, count in enumerate(each.bins)
    ]
    span = f"{name} from {each.min:.4g} to {each.max:.4g}, {each.mean:.4g} on average"
    says = f"{counted(each.answered, 'paper')}: {span}."
    chart = in_html(lambda pen: pen.spread(rows, titles=(name, "papers")), says)
    cells = tuple((f"{row['low']:.4g}", f"{row['high']:.4g}", f"{row['count']:,}") for row in rows)
    return Figure(key, f"Answers: {name}", says, chart, ("from", "to", "papers"), cells)
