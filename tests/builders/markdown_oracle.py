"""Where another reader of Markdown, markdown-it-py, sees headings, display formulas and tables begin."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from markdown_it import MarkdownIt
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

_TABLE = re.compile(r"<(/?)table\b", re.IGNORECASE)
_KINDS = {"heading_open": "heading", "math_block": "mathematics", "math_block_label": "mathematics"}


@cache
def _reader() -> MarkdownIt:
    reader = MarkdownIt("commonmark").enable("table").disable(["code", "lheading", "reference"])
    return reader.use(dollarmath_plugin).use(amsmath_plugin)


def begins(text: str) -> set[tuple[str, int]]:
    """(kind, position of the first character) of headings, display formulas and tables."""
    starts = [0, *(match.end() for match in re.finditer("\r\n|\r|\n", text)), len(text)]
    return {pair for token in _reader().parse(text) if token.map for pair in _seen(text, starts, token)}


def _seen(text: str, starts: list[int], token: object) -> Iterator[tuple[str, int]]:
    first, last = token.map
    start, end = starts[first], starts[min(last, len(starts) - 1)]
    kind = _KINDS.get(token.type)
    start += len(text[start:end]) - len(text[start:end].lstrip())
    if kind is not None:
        yield kind, start
    elif token.type == "table_open":
        yield "table", start
    elif token.type == "html_block":
        yield from (("table", place) for place in _outermost(text, start, end))


def _outermost(text: str, start: int, end: int) -> Iterator[int]:
    depth = 0
    for mark in _TABLE.finditer(text, start, end):
        if not mark[1] and depth == 0:
            yield mark.start()
        depth = max(0, depth + (-1 if mark[1] else 1))
