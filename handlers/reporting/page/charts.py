"""Charts as SVG text, by altair and vl-convert: no script, no request, no style attribute."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from handlers.extras import load
from handlers.reporting.page.palette import LIGHT

WIDE, NARROW = 700, 330
"""Widths in pixels: one drawing for screens and paper, one for telephones."""

_AMOUNTS = ",~r"

Rows = Sequence[Mapping[str, Any]]
Titles = tuple[str, str]
"""Of the x axis and the y axis."""


@dataclass(frozen=True)
class TimeAxis:
    """Time worked, from the run's start: every chart over time begins at the same moment.

    ``end`` and ``seams`` (where one session ends and the next begins) are in the unit that ``title`` names.
    """

    title: str
    end: float
    seams: Sequence[float] = ()


class Pen:
    """Draws at one width. ``wide`` tells whether there is room for long labels."""

    def __init__(self, width: int) -> None:
        self._alt = load("altair", extra="report")
        self._convert = load("vl_convert", extra="report")
        self.width = width
        self.wide = width >= WIDE

    def bars(self, rows: Rows, *, colours: Mapping[str, str], title: str) -> str:
        """A horizontal bar for each row ``name count label``, in their order; the label stands at its end."""
        alt, order = self._alt, [row["name"] for row in rows]
        most = max((row["count"] for row in rows), default=1) or 1
        x = alt.X("count:Q", title=title, scale=alt.Scale(domain=[0, most * 1.18]), axis=self._counts())
        range_ = [colours.get(name, LIGHT["blue"]) for name in order]
        colour = alt.Color("name:N", scale=alt.Scale(domain=order, range=range_), legend=None)
        y = alt.Y("name:N", sort=order, title=None, axis=self._names())
        base = alt.Chart(alt.Data(values=list(rows))).encode(x=x, y=y)
        text = base.mark_text(align="left", dx=4, color=LIGHT["ink"]).encode(text=alt.Text("label:N"))
        return self._svg(base.mark_bar().encode(color=colour) + text, height=24 * max(1, len(rows)))

    def area(self, rows: Rows, column: str, *, axis: TimeAxis, title: str) -> str:
        """One amount over ``t``, in steps."""
        alt = self._alt
        look = {"interpolate": "step-before", "color": LIGHT["blue"], "fillOpacity": 0.25}
        line = {"color": LIGHT["blue"], "strokeWidth": 1.5}
        chart = alt.Chart(alt.Data(values=list(rows))).mark_area(**look, line=line)
        chart = chart.encode(x=self._time("t", axis), y=self._amount(column, title, least=self._margin))
        return self._svg(self._with_seams(chart, axis), height=180)

    def lines(
        self,
        rows: Rows,
        series: Mapping[str, tuple[str, str]],
        *,
        axis: TimeAxis,
        title: str,
        level: tuple[float, str] | None = None,
    ) -> str:
        """Lines over ``t``: column → (name, colour). Dashes as well as colours make them distinct.

        ``level`` (amount, name) is drawn as a rule across the chart, under its name.
        """
        alt = self._alt
        chart = alt.Chart(alt.Data(values=_melted(rows, series))).mark_line(
            strokeWidth=2, interpolate="linear"
        )
        chart = chart.encode(
            x=self._time("x", axis),
            y=self._amount("y", title, least=self._margin),
            **self._distinct(dict(series.values())),
        )
        if level is not None:
            at = alt.Chart(alt.Data(values=[{"y": level[0]}]))
            rule = at.mark_rule(color=LIGHT["failed"], strokeDash=[4, 3]).encode(y="y:Q")
            name = at.mark_text(text=level[1], align="right", dy=-7, color=LIGHT["ink"])
            chart = chart + rule + name.encode(y="y:Q", x=alt.value("width"))
        return self._svg(self._with_seams(chart, axis), height=180)

    def _distinct(self, colours: Mapping[str, str]) -> dict[str, Any]:
        """Channels that make series distinct, by colour and by dashes, with one legend for both."""
        alt, names = self._alt, list(colours)
        legend = alt.Legend(
            orient="top", title=None, symbolType="stroke", symbolStrokeWidth=2, columns=3, columnPadding=28
        )
        dashes = alt.Scale(domain=names, range=[[1, 0], [6, 3], [2, 2]][: len(names)])
        scale = alt.Scale(domain=names, range=list(colours.values()))
        return {
            "color": alt.Color("series:N", scale=scale, legend=legend),
            "strokeDash": alt.StrokeDash("series:N", scale=dashes, legend=legend),
        }

    def histogram(self, rows: Rows, *, marks: Rows, titles: Titles) -> str:
        """Rows ``low high count`` on a logarithmic axis, with rules at ``at``, named ``name``."""
        alt = self._alt
        scale = alt.Scale(type="log", nice=False, padding=6)
        axis = alt.Axis(format=_AMOUNTS, tickCount=6 if self.wide else 4, labelOverlap=True, grid=False)
        room = 1.25 * max(row["count"] for row in rows)  # above the bars, for the rules' names
        x = alt.X("low:Q", title=titles[0], scale=scale, axis=axis)
        chart = (
            alt.Chart(alt.Data(values=list(rows)))
            .mark_rect(color=LIGHT["blue"], opacity=0.75, stroke=None)
            .encode(x=x, x2="high:Q", y=self._amount("count", titles[1], top=room), y2=alt.Y2(datum=0))
        )
        if marks:
            named = alt.Chart(alt.Data(values=list(marks)))
            at = alt.X("at:Q", scale=scale)
            rules = named.mark_rule(color=LIGHT["failed"], strokeWidth=1.5).encode(x=at)
            chart = alt.layer(alt.layer(chart, rules), *self._mark_names(rows, marks, at))
        return self._svg(chart, height=190)

    def spread(self, rows: Rows, *, titles: Titles) -> str:
        """Rows ``low high count`` of equal width on an axis from the first to the last."""
        alt, domain = self._alt, [rows[0]["low"], rows[-1]["high"]]
        axis = alt.Axis(format=_AMOUNTS, tickCount=10 if self.wide else 5, labelOverlap=True, grid=False)
        x = alt.X("low:Q", title=titles[0], scale=alt.Scale(domain=domain, nice=False), axis=axis)
        chart = (
            alt.Chart(alt.Data(values=list(rows)))
            .mark_rect(color=LIGHT["blue"], opacity=0.75, stroke=None)
            .encode(x=x, x2="high:Q", y=self._amount("count", titles[1]), y2=alt.Y2(datum=0))
        )
        return self._svg(chart, height=190)

    def _mark_names(self, rows: Rows, marks: Rows, at: Any) -> Iterator[Any]:
        """Names beside their rules, one below the other. They stand on the left in the chart's right third,
        and that of the first of several too, where the rules after it would run through it."""
        alt = self._alt
        low, high = (math.log(max(1e-12, edge)) for edge in (rows[0]["low"], rows[-1]["high"]))
        room = _MARK_NAME / (self.width - 60)
        for number, mark in enumerate(marks):
            place = (math.log(max(1e-12, mark["at"])) - low) / (high - low or 1.0)
            is_left = place > _RIGHT_THIRD or (number == 0 and len(marks) > 1 and place > room)
            text = alt.Chart(alt.Data(values=[{**mark, "row": 2 + 14 * number}])).mark_text(
                align="right" if is_left else "left",
                baseline="top",
                dx=-4 if is_left else 4,
                color=LIGHT["ink"],
            )
            yield text.encode(x=at, y=alt.Y("row:Q", scale=None), text="name:N")

    def gantt(self, rows: Rows, *, axis: TimeAxis) -> str:
        """Rows ``job start end label busy``: when each job ran, the darker part its busy share."""
        alt = self._alt
        order = [row["job"] for row in rows]
        y = alt.Y("job:N", sort=order, title=None, axis=self._names(least=self._margin))
        room = 1.1 if self.wide else 1.22  # for the labels at the bars' ends
        x = self._time("start", replace(axis, end=axis.end * room), grid=True)
        base = alt.Chart(alt.Data(values=list(rows))).encode(y=y)
        whole = base.mark_bar(color=LIGHT["blue"], opacity=0.25).encode(x=x, x2="end:Q")
        busy = base.mark_bar(color=LIGHT["blue"]).encode(x=x, x2="busy:Q")
        text = base.mark_text(align="left", dx=4, color=LIGHT["ink"]).encode(x="end:Q", text="label:N")
        return self._svg(whole + busy + text, height=max(40, 20 * len(rows)))

    def _with_seams(self, chart: Any, axis: TimeAxis) -> Any:
        """With a rule where a session begins, named where there is room for its name."""
        if not axis.seams:
            return chart
        alt = self._alt
        rows = seam_names(axis, room=_SESSION_NAME / (self.width - 60) * axis.end)
        rules = alt.Chart(alt.Data(values=rows)).mark_rule(color=LIGHT["muted"], strokeDash=[2, 3])
        chart = chart + rules.encode(x="x:Q")
        for row in rows:
            if row["line"] is not None:
                is_left = row["side"] == "left"
                text = alt.Chart(alt.Data(values=[row])).mark_text(
                    align=row["side"], baseline="top", dx=4 if is_left else -4, color=LIGHT["muted"]
                )
                chart += text.encode(x="x:Q", y=alt.value(_LINE * row["line"]), text="name:N")
        return chart

    @property
    def _margin(self) -> int:
        """Pixels left of a chart over time, so that all of them begin at one place too."""
        return 88 if self.wide else 44

    def _names(self, least: int = 0) -> Any:
        return self._alt.Axis(
            labelLimit=220 if self.wide else 110, ticks=False, domain=False, minExtent=least
        )

    def _counts(self) -> Any:
        return self._alt.Axis(format=_AMOUNTS, tickCount=5 if self.wide else 3, tickMinStep=1)

    def _time(self, column: str, axis: TimeAxis, *, grid: bool = False) -> Any:
        ticks = self._alt.Axis(format=_AMOUNTS, tickCount=8 if self.wide else 4, grid=grid)
        scale = self._alt.Scale(domain=[0, axis.end or 1.0], nice=False)
        return self._alt.X(f"{column}:Q", title=axis.title, axis=ticks, scale=scale)

    def _amount(self, column: str, title: str, top: float | None = None, least: int = 0) -> Any:
        axis = self._alt.Axis(tickCount=5, format=_AMOUNTS, minExtent=max(0, least - 24))
        scale = self._alt.Scale(zero=True) if top is None else self._alt.Scale(domain=[0, top], nice=False)
        return self._alt.Y(f"{column}:Q", title=title, axis=axis, scale=scale)

    def _svg(self, chart: Any, *, height: int) -> str:
        sized = chart.properties(
            width=self.width, height=height, background="transparent", padding=_PADDING,
            autosize=self._alt.AutoSizeParams(type="fit-x", contains="padding"),
        ).configure(**_LOOK)  # fmt: skip
        major, minor = self._alt.SCHEMA_VERSION.lstrip("v").split(".")[:2]
        svg: str = self._convert.vegalite_to_svg(sized.to_dict(), vl_version=f"v{major}.{minor}")
        return svg.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "").replace(
            "<svg ", '<svg aria-hidden="true" focusable="false" ', 1
        )


_RIGHT_THIRD = 0.64
_MARK_NAME = 76
"""Pixels of ``p50 0.17 s``."""
_SESSION_NAME = 64
"""Pixels of ``session 12``."""
_LINES, _LINE = 3, 14
"""Lines of such names at most, and pixels of one."""
_PADDING = {"left": 10, "right": 6, "top": 4, "bottom": 4}
_FONT = "system-ui, sans-serif"
_AXIS = {
    "labelColor": LIGHT["muted"], "titleColor": LIGHT["muted"], "gridColor": LIGHT["grid"],
    "domainColor": LIGHT["muted"], "tickColor": LIGHT["muted"], "labelFont": _FONT, "titleFont": _FONT,
    "labelFontSize": 12, "labelSeparation": 8, "titleFontSize": 12, "titlePadding": 12,
    "titleFontWeight": "normal",
}  # fmt: skip
_LOOK: dict[str, Any] = {
    "aria": False,
    "font": _FONT,
    "axis": _AXIS,
    "legend": {"labelColor": LIGHT["ink"], "labelFont": _FONT, "labelFontSize": 12},
    "text": {"font": _FONT, "fontSize": 12},
    "view": {"stroke": None},
}


def _melted(rows: Rows, series: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """A row for each point of each series."""
    return [
        {"x": row["t"], "y": row[column], "series": label}
        for column, (label, _) in series.items()
        for row in rows
        if row.get(column) is not None
    ]


def seam_names(axis: TimeAxis, *, room: float) -> list[dict[str, Any]]:
    """Rows ``x name side line`` for the rules between sessions. A name begins at its rule; at the end of the
    chart it ends there. ``line`` is the first with room for it, None where all are taken."""
    rows: list[dict[str, Any]] = []
    free = [0.0] * _LINES
    for number, seam in enumerate(axis.seams, start=2):
        side = "left" if axis.end - seam >= room else "right"
        begin = seam if side == "left" else seam - room
        line = next((line for line in range(_LINES) if free[line] <= begin), None)
        if line is not None:
            free[line] = begin + room
        rows.append({"x": seam, "name": f"session {number}", "side": side, "line": line})
    return rows


def in_html(draw: Callable[[Pen], str], description: str) -> str:
    """A chart at both widths, as HTML; the page's style sheet shows the one that fits."""
    wide, narrow = draw(Pen(WIDE)), draw(Pen(NARROW))
    label = escape(description, quote=True)
    return (
        f'<div class="chart" role="img" aria-label="{label}">'
        f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div></div>'
    )
