"""The texts of a table's cells, by position; all that is between them is never sent."""

from __future__ import annotations

import re
from collections.abc import Iterator

from handlers.tasks.translation.masking.dollars import Span
from handlers.tasks.translation.passages.blocks import Block

_TAGS = re.compile(
    r"</?(?:html|body|div|center|figure|p|table|thead|tbody|tfoot|tr|td|th|caption|colgroup|col)"
    r"(?:\s[^<>]{0,4000})?/?>",
    re.IGNORECASE,
)
_OPENED = re.compile(r"<(tr|td|th)(?=[\s/>])", re.IGNORECASE)
_CLOSED = re.compile(r"</(tr|td|th)\s{0,9}>", re.IGNORECASE)
_STANZA = re.compile(
    r"(?:\r?\n[ \t]*+(?=\r?\n)|\r?\n(?=[ \t]*+#{1,6}[ \t]))\s*+(?:#{1,6}[ \t]++)?|\A\s*+#{1,6}[ \t]++"
)
"""Between paragraphs of one cell, with a heading's mark: for a reader of Markdown blank lines end HTML."""
_BAR = re.compile(r"\\.|\|", re.DOTALL)


def cell_texts(text: str, block: Block) -> Iterator[Span]:
    """Places of what stands in a table's cells, white space left out, empty cells too. A cell of HTML ends at
    the next tag of a table, so that one that is never closed is read, and ``1<V≤2`` is text."""
    parts = _stanzas(text, _html(text, block)) if block.kind == "html_table" else _pipes(text, block)
    for start, end in parts:
        cell = text[start:end]
        if cell and not cell.isspace():
            left = len(cell) - len(cell.lstrip())
            yield start + left, start + len(cell.rstrip())


def cell_marks(text: str, block: Block) -> list[str]:
    """What makes a table's rows and cells: the tags of one in HTML, attributes and all; the bars of another,
    a number for each line."""
    table = text[block.start : block.end]
    if block.kind == "html_table":
        return _TAGS.findall(table)
    lines = table.splitlines()
    return [str(sum(bar[0] == "|" for bar in _BAR.finditer(line))) for line in lines]


def is_half(text: str, block: Block) -> bool:
    """Whether a row or a cell of an HTML table is opened and not closed, or the other way round."""
    if block.kind != "html_table":
        return False
    table = text[block.start : block.end]
    return len(_OPENED.findall(table)) != len(_CLOSED.findall(table))


def _html(text: str, block: Block) -> Iterator[Span]:
    at = block.start
    for tag in _TAGS.finditer(text, block.start, block.end):
        yield at, tag.start()
        at = tag.end()
    yield at, block.end


def _stanzas(text: str, cells: Iterator[Span]) -> Iterator[Span]:
    for at, end in cells:
        if "\n" in (cell := text[at:end]):
            start = at
            for gap in _STANZA.finditer(cell):
                yield start, at + gap.start()
                start = at + gap.end()
            yield start, end
        else:
            yield at, end


def _pipes(text: str, block: Block) -> Iterator[Span]:
    """Cells between bars that no backslash escapes, of every line but the second, the rule."""
    number, at = 0, block.start
    for line in text[block.start : block.end].splitlines(keepends=True):
        start, at = at, at + len(line)
        number += 1
        if number == 2:
            continue
        for bar in _BAR.finditer(text, start, at):
            if bar[0] == "|":
                yield start, bar.start()
                start = bar.end()
        yield start, at
