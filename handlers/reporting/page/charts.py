"""Charts as SVG text, by altair and vl-convert: no script, no request, no style attribute."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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

    def area(self, rows: Rows, column: str, *, titles: Titles, seams: Sequence[float]) -> str:
        """One amount over ``t``, in steps."""
        alt = self._alt
        look = {"interpolate": "step-before", "color": LIGHT["blue"], "fillOpacity": 0.25}
        line = {"color": LIGHT["blue"], "strokeWidth": 1.5}
        chart = alt.Chart(alt.Data(values=list(rows))).mark_area(**look, line=line)
        chart = chart.encode(x=self._time("t", titles[0]), y=self._amount(column, titles[1]))
        return self._svg(self._with_seams(chart, seams), height=180)

    def lines(
        self,
        rows: Rows,
        series: Mapping[str, tuple[str, str]],
        *,
        titles: Titles,
        seams: Sequence[float] = (),
        budget: float | None = None,
    ) -> str:
        """Lines over ``t``: column → (name, colour). Dashes as well as colours make them distinct.

        ``budget`` is drawn as a rule across the chart, under its name.
        """
        alt = self._alt
        chart = alt.Chart(alt.Data(values=_melted(rows, series))).mark_line(
            strokeWidth=2, interpolate="linear"
        )
        chart = chart.encode(
            x=self._time("x", titles[0]),
            y=self._amount("y", titles[1]),
            **self._distinct(dict(series.values())),
        )
        if budget is not None:
            level = alt.Chart(alt.Data(values=[{"y": budget}]))
            rule = level.mark_rule(color=LIGHT["failed"], strokeDash=[4, 3]).encode(y="y:Q")
            name = level.mark_text(text="budget", align="right", dy=-7, color=LIGHT["ink"])
            chart = chart + rule + name.encode(y="y:Q", x=alt.value("width"))
        return self._svg(self._with_seams(chart, seams), height=180)

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
        bars = (
            alt.Chart(alt.Data(values=list(rows)))
            .mark_rect(color=LIGHT["blue"], opacity=0.75, stroke=None)
            .encode(x=x, x2="high:Q", y=self._amount("count", titles[1], top=room), y2=alt.Y2(datum=0))
        )
        named = alt.Chart(alt.Data(values=list(marks)))
        rules = named.mark_rule(color=LIGHT["failed"], strokeWidth=1.5).encode(x=alt.X("at:Q", scale=scale))
        text = named.mark_text(align="left", baseline="top", dx=3, color=LIGHT["ink"]).encode(
            x=alt.X("at:Q", scale=scale), y=alt.Y("row:Q", scale=None), text="name:N"
        )
        layers = alt.layer(bars, rules) if marks else bars
        return self._svg(alt.layer(layers, text) if marks else layers, height=190)

    def gantt(self, rows: Rows, *, x_title: str) -> str:
        """Rows ``job start end label busy``: when each job ran, the darker part its busy share."""
        alt = self._alt
        order = [row["job"] for row in rows]
        y = alt.Y("job:N", sort=order, title=None, axis=self._names())
        most = max((row["end"] for row in rows), default=1.0) or 1.0
        x = alt.X(
            "start:Q",
            title=x_title,
            scale=alt.Scale(domain=[0, most * (1.1 if self.wide else 1.22)], nice=False),
            axis=alt.Axis(tickCount=8 if self.wide else 4, grid=True),
        )
        base = alt.Chart(alt.Data(values=list(rows))).encode(y=y)
        whole = base.mark_bar(color=LIGHT["blue"], opacity=0.25).encode(x=x, x2="end:Q")
        busy = base.mark_bar(color=LIGHT["blue"]).encode(x=x, x2="busy:Q")
        text = base.mark_text(align="left", dx=4, color=LIGHT["ink"]).encode(x="end:Q", text="label:N")
        return self._svg(whole + busy + text, height=max(40, 20 * len(rows)))

    def _with_seams(self, chart: Any, seams: Sequence[float]) -> Any:
        if not seams:
            return chart
        rules = self._alt.Chart(self._alt.Data(values=[{"seam": at} for at in seams]))
        return chart + rules.mark_rule(color=LIGHT["muted"], strokeDash=[2, 3]).encode(x="seam:Q")

    def _names(self) -> Any:
        return self._alt.Axis(labelLimit=220 if self.wide else 110, ticks=False, domain=False)

    def _counts(self) -> Any:
        return self._alt.Axis(format=_AMOUNTS, tickCount=5 if self.wide else 3, tickMinStep=1)

    def _time(self, column: str, title: str) -> Any:
        axis = self._alt.Axis(tickCount=8 if self.wide else 4, grid=False)
        return self._alt.X(f"{column}:Q", title=title, axis=axis, scale=self._alt.Scale(nice=False))

    def _amount(self, column: str, title: str, top: float | None = None) -> Any:
        axis = self._alt.Axis(tickCount=5, format=_AMOUNTS)
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


def in_html(draw: Callable[[Pen], str], description: str) -> str:
    """A chart at both widths, as HTML; the page's style sheet shows the one that fits."""
    wide, narrow = draw(Pen(WIDE)), draw(Pen(NARROW))
    label = escape(description, quote=True)
    return (
        f'<div class="chart" role="img" aria-label="{label}">'
        f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div></div>'
    )
