"""The peers' figures as a table in Markdown and a picture in SVG."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

PICTURE = Path(__file__).with_name("peers.svg")
_BEGIN, _END = "<!-- peers: made by `make bench` -->", "<!-- /peers -->"
WALL, DURABLE = "wall over the bound", "on disk after `kill -9`"
_TITLES = {
    "100": "100 in flight",
    "1000": "1,000 in flight",
    "whole": "Whole papers, 100 in flight",
    "schema": "A task with a schema, 100 in flight",
    "limited": "50 a second and 3% faults, 100 in flight",
}
_COLUMNS = (
    WALL, "CPU a call, ms", "peak memory, MB", "start-up, s", "refused", "lost",
    "paid twice", DURABLE,
)  # fmt: skip
_WIDTH, _ROW, _LEFT = 760, 26, 250


def render(found: dict[str, Any], page: Path | None) -> None:
    """Print the table; with ``page``, write the picture and put the tables between its markers instead."""
    text = table(found)
    if page is None:
        print(text)
        return
    PICTURE.write_text(picture(found), encoding="utf-8")
    before, rest = page.read_text(encoding="utf-8").split(_BEGIN)
    _, after = rest.split(_END)
    page.write_text(f"{before}{_BEGIN}\n{text}{_END}{after}", encoding="utf-8")


def table(found: dict[str, Any]) -> str:
    """A table a scenario that was measured."""
    lines = []
    for scenario, title in _TITLES.items():
        rows = [each for each in found.values() if scenario in each]
        if rows:
            size = _size(rows[0][scenario])
            columns = " | ".join(_COLUMNS)
            lines += [f"| {title}, {size} | {columns} |", "| --- |" + " ---: |" * len(_COLUMNS)]
            for each in rows:
                own = _size(each[scenario])
                name = each["name"] if own == size else f"{each['name']} ({own})"
                cells = " | ".join(_cell(each[scenario].get(column)) for column in _COLUMNS)
                lines.append(f"| {name} | {cells} |")
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _size(measured: dict[str, Any]) -> str:
    runs = measured["runs"]
    return f"{measured['calls']:,} calls" + (f", median of {runs}" if runs > 1 else "")


def picture(found: dict[str, Any]) -> str:
    """CPU a call at 100 in flight, as bars."""
    rows = [(each["name"], each["100"]["CPU a call, ms"]) for each in found.values() if "100" in each]
    most = max((value for _, value in rows), default=1.0)
    height = _ROW * len(rows) + 48
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        '<text x="12" y="22" font-weight="bold" fill="#1f2328">CPU a call, 100 in flight (ms; '
        "shorter is better)</text>",
    ]
    for number, (name, value) in enumerate(rows):
        y = 40 + number * _ROW
        width = (_WIDTH - _LEFT - 70) * value / most
        fill = "#0969da" if number == 0 else "#afb8c1"
        parts.append(f'<text x="12" y="{y + 14}" fill="#1f2328">{escape(name)}</text>')
        parts.append(f'<rect x="{_LEFT}" y="{y}" width="{width:.0f}" height="18" fill="{fill}"/>')
        parts.append(f'<text x="{_LEFT + width + 6:.0f}" y="{y + 14}" fill="#1f2328">{value:g}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _cell(value: object) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
