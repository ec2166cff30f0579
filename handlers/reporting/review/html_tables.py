"""HTML's tables inside of a paper's body, as text recognition writes them, drawn as tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

_EDGE = re.compile(r"<(/?)table(?:\s[^<>]{0,400})?>", re.IGNORECASE)
_BEFORE = re.compile(r"<html>\s{0,9}<body>\s{0,9}\Z", re.IGNORECASE)
_AFTER = re.compile(r"\s{0,9}</body>\s{0,9}</html>", re.IGNORECASE)
_TAG = re.compile(r"<(/?)(tr|td|th|thead|tbody|tfoot)((?:\s[^<>]{0,400})?)/?>", re.IGNORECASE)
_SPAN = re.compile(r"\b(colspan|rowspan)\s{0,3}=\s{0,3}[\"']?([0-9]{1,3})\b", re.IGNORECASE)
_RAISED = re.compile(r"<(su[bp])>([^<>]{1,200})</\1>|<(br)\s{0,3}/?>", re.IGNORECASE)
_WIDEST = 200
SCROLLED = '<div class="scroll" role="group" aria-label="Table" tabindex="0">'
"""Around a table that may be wider than its column: the keyboard reaches it too."""

Write = Callable[[str], str]
"""A text → HTML for it: escaped, formulas drawn."""


@dataclass
class _Cell:
    name: str
    spans: str
    texts: list[str] = field(default_factory=list)


def pieces(text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces, each told whether it is the inside of a table; what never ends is no table."""
    at = 0
    opened: re.Match[str] | None = None
    for edge in _EDGE.finditer(text):
        if not edge[1]:
            opened = edge
        elif opened is not None:
            before = _BEFORE.search(text, max(at, opened.start() - 40), opened.start())
            yield text[at : before.start() if before else opened.start()], False
            yield text[opened.end() : edge.start()], True
            after = _AFTER.match(text, edge.end())
            at = after.end() if after else edge.end()
            opened = None
    yield text[at:], False


def table_html(inside: str, write: Write) -> str:
    """The table as rows and cells with their spans; everything else in it is text."""
    rows = [row for row in _rows(inside) if row]
    lines = ("".join(_cell_html(cell, write) for cell in row) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"{SCROLLED}<table>{body}</table></div>" if body else ""


def _rows(inside: str) -> list[list[_Cell]]:
    rows: list[list[_Cell]] = [[]]
    at, is_open = 0, False
    for tag in _TAG.finditer(inside):
        is_open = _put(rows, inside[at : tag.start()], is_open=is_open)
        at, name = tag.end(), tag[2].lower()
        is_open = is_open and name in ("td", "th") and not tag[1]
        if name == "tr":
            rows.append([])
        elif name in ("td", "th") and not tag[1]:
            rows[-1].append(_Cell(name, _spans(tag[3])))
            is_open = True
    _put(rows, inside[at:], is_open=is_open)
    return rows


def _put(rows: list[list[_Cell]], text: str, *, is_open: bool) -> bool:
    """Text goes into the open cell; what stands in none gets one, so that nothing is out of sight."""
    if text.strip() and not is_open:
        rows[-1].append(_Cell("td", ""))
        is_open = True
    if text and is_open:
        rows[-1][-1].texts.append(text)
    return is_open


def _spans(attributes: str) -> str:
    found = {name.lower(): int(number) for name, number in _SPAN.findall(attributes)}
    return "".join(f' {name}="{number}"' for name, number in found.items() if 1 < number <= _WIDEST)


def _cell_html(cell: _Cell, write: Write) -> str:
    text, html, at = "".join(cell.texts).strip(), [], 0
    for found in _RAISED.finditer(text):
        name = (found[1] or found[3]).lower()
        inner = "<br>" if name == "br" else f"<{name}>{write(found[2])}</{name}>"
        html += [write(text[at : found.start()]), inner]
        at = found.end()
    return f"<{cell.name}{cell.spans}>{''.join(html)}{write(text[at:])}</{cell.name}>"
