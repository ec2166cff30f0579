"""A body in Markdown, as extracted from a PDF or written by hand, cut into blocks by position.

Blocks and the white space between them are the text. CommonMark's indented code, setext headings and
reference definitions are prose in extracted text and are read so; the line of a setext heading is a block of
its own and so stays what it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from handlers.tasks.translation.passages.body_lines import BodyLines
from handlers.tasks.translation.passages.constructs import OPENING, Kind, construct_at
from handlers.tasks.translation.passages.reference_rule import heading_within, is_references_heading

_MARKS = re.compile(
    r"(?:[ \t]{0,9}+(?:>|[-*+•](?=[ \t])|\d{1,9}[.)](?=[ \t])|#{1,6}(?=[ \t])|\[\^[^\]\s]{1,40}+\]:"
    r"|\[[ xX]\](?=[ \t]))){0,9}+[ \t]*+"
)
"""What stands before a block's own text: of a quote, a list, a heading, a footnote, a task."""
_MARKED = frozenset(">-*+•#[")
"""Such a mark begins with one of these, or with a digit."""
_HEADING = re.compile(r"(#{1,6})(?:[ \t]|\Z)")
_CLOSING_MARKS = re.compile(r"[ \t]++#++[ \t]*+\Z")
_TAGS = re.compile(r"(?:</?[A-Za-z][^<>\n]{0,4000}+>[ \t]*+)++")
_BARE_HASHES = re.compile(r"#++")
_RULE = re.compile(r"(?:=[ \t]*+){3,}+|(?:-[ \t]*+){3,}+|(?:\*[ \t]*+){3,}+|(?:_[ \t]*+){3,}+")
_IMAGES = re.compile(
    r"(?:!\[[^\[\]\n]*+\]\((?:[^()\n]|\([^()\n]*+\))*+\)[ \t]*+)++",
)
_BULLET = re.compile(r"[-*+•][ \t]|1[.)][ \t]")
"""What begins a list within a paragraph (CommonMark 0.31, 5.3)."""
_LIST_ITEM = re.compile(r"(?:[-*+•]|\d{1,9}[.)])[ \t]")
_ITEM = re.compile(r"[\[［【]\s{0,3}\d{1,4}\s{0,3}[\]］】]|\[\^")
_CAPTION = re.compile(
    r"(?:[续附]?[图表][\s\u3000]{0,3}[A-Za-z]?[\-.\d]|(?:fig(?:ure)?|tab(?:le)?|scheme|chart|plate|algorithm)"
    r"[.．]?\s{0,3}[A-Z]?\d)",
    re.IGNORECASE,
)
_DOLLARS = re.compile(r"\\.|\$+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """``start`` to ``end``: its place in the body, with marks. ``inner`` to ``inner_end``: its own text."""

    kind: Kind
    start: int
    end: int
    inner: int
    inner_end: int
    level: int = 0
    """Of a heading: 1 to 6."""


def blocks(text: str) -> list[Block]:
    """All blocks in order. Linear in the text, whatever it is."""
    return _Scanner(text).blocks()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = BodyLines(text)
        self._found: list[Block] = []
        self._open: tuple[int, int] | None = None
        """First and last position of the paragraph that is being read."""
        self._formula = ""
        """``$`` or ``$$`` where a formula was opened in it and not closed."""

    def blocks(self) -> list[Block]:
        lines, text = self._lines, self._text
        number, last_headed = 0, -1
        while number < len(lines.starts):
            start, end = _stripped(text, lines.starts[number], lines.ends[number])
            if start == end:
                self._flush()
                number += 1
                continue
            inside = self._formula == "$$" and text.startswith("$$", start)
            found = None if inside else self._running(number, start) or self._single(start, end)
            headed = heading_within(text[start:end]) if found is None and number > last_headed else None
            if headed is not None:
                last_headed = number
                self._headed(number, start, *headed)
                continue
            if found is None:
                self._text_line(number, start, end)
                number += 1
                continue
            self._flush()
            self._found.append(found)
            number = self._after(number, found.end)
        self._flush()
        return self._found

    def _headed(self, number: int, start: int, left: int, right: int) -> None:
        """A bibliography's heading in the line of its first entry, which is a line of its own then."""
        if left:
            self._text_line(number, *_stripped(self._text, start, start + left))
        self._flush()
        self._found.append(self._paragraph(start + left, start + right, start + right))
        self._lines.starts[number] = start + right

    def _after(self, number: int, end: int) -> int:
        """The line to go on with; what is left of one behind a table is a line of its own."""
        lines = self._lines
        last = max(number, lines.line_of(end - 1))
        if self._text[end : lines.ends[last]].strip():
            lines.starts[last] = end
            return last
        return last + 1

    def _running(self, number: int, start: int) -> Block | None:
        text = self._text
        if text[start] not in OPENING and text.find("|", start, self._lines.ends[number]) < 0:  # mostly
            return None
        found = construct_at(self._lines, number, start)
        if found is None:
            return None
        kind, end = found
        _, end = _stripped(self._text, start, end)
        return Block(kind, start, end, start, end)

    def _single(self, start: int, end: int) -> Block | None:
        """A heading, a rule, or images or tags alone."""
        first = self._text[start]
        if first not in "#=-*_!<":
            return None
        line = self._text[start:end]
        if first == "!":
            return Block("image", start, end, start, end) if _IMAGES.fullmatch(line) else None
        if (heading := _HEADING.match(line)) is not None:
            return self._heading(line, start, len(heading[1]))
        alone = _RULE.fullmatch(line) or _TAGS.fullmatch(line)
        return Block("rule", start, end, start, end) if alone else None

    def _heading(self, line: str, start: int, level: int) -> Block:
        closing = _CLOSING_MARKS.search(line, max(level, len(line) - 200))
        inner, inner_end = _stripped(
            self._text, start + level, start + (closing.start() if closing else len(line))
        )
        return Block("heading", start, start + len(line), inner, inner_end, level)

    def _text_line(self, number: int, start: int, end: int) -> None:
        """A line of a paragraph: of the one that is open, or of a new one."""
        text = self._text
        if self._open is not None and self._begins(number, start):
            self._flush()
        first = self._open[0] if self._open is not None else start
        self._open = first, end
        if "$" in text[start:end]:
            self._formula = _left_open(self._formula, text, start, end)
        if text[start] == ">":
            self._flush()

    def _begins(self, number: int, start: int) -> bool:
        """Whether a line within a stanza begins a block: by its own mark, as one of a list, or since the line
        before was broken on purpose (two spaces or a backslash at its end) and left no formula open."""
        text, lines = self._text, self._lines
        if text[start] == ">" or _BULLET.match(text, start):
            return True
        opened = self._open[0] if self._open is not None else start
        if any(
            mark.match(text, start) and mark.match(text, opened) for mark in (_LIST_ITEM, _ITEM, _CAPTION)
        ):
            return True
        if _ITEM.match(text, start) and is_references_heading(text[opened : min(opened + 60, start)].strip()):
            return True
        if text[lines.ends[number] - 1] in ":：" and is_references_heading(text[start : lines.ends[number]]):
            return True
        if self._formula and "$" in text[start : lines.ends[number]]:
            return False
        before = text[lines.starts[number - 1] : lines.ends[number - 1]]
        return before.endswith("  ") or (before.endswith("\\") and not before.endswith("\\\\"))

    def _flush(self) -> None:
        """The paragraph that is being read has ended."""
        if self._open is None:
            return
        start, end = self._open
        self._open, self._formula = None, ""
        inner_end = end
        if self._text[end - 1] == "\\" and self._text[end - 2 : end - 1] != "\\":
            _, inner_end = _stripped(self._text, start, end - 1)
        self._found.append(self._paragraph(start, end, inner_end))

    def _paragraph(self, start: int, end: int, inner_end: int) -> Block:
        text, first = self._text, self._text[start]
        marked = first in _MARKED or first.isdecimal()
        marks = _MARKS.match(text, start, inner_end) if marked else None
        inner = marks.end() if marks else start
        if inner == start and first == "#" and (hashes := _BARE_HASHES.match(text, start, inner_end)):
            inner = hashes.end()
        kind: Kind = "paragraph"
        if first == ">":
            kind = "quote"
        elif _ITEM.match(text, start):
            kind = "item"
        elif inner > start and _LIST_ITEM.match(text, start):
            kind = "list_item"
        elif _CAPTION.match(text, start):
            kind = "caption"
        if inner > start or inner_end < end:
            inner, inner_end = _stripped(text, inner, max(inner, inner_end))
        return Block(kind, start, end, inner, inner_end)


def _left_open(formula: str, text: str, start: int, end: int) -> str:
    """``$`` or ``$$`` if a formula is open after this range, "" if none is; ``formula`` was before it."""
    line = text[start:end]
    if "$$" not in line and "\\$" not in line:  # mostly
        return formula if formula == "$$" or line.count("$") % 2 == 0 else "" if formula else "$"
    for match in _DOLLARS.finditer(text, start, end):
        run = match[0]
        if not formula and run in ("$", "$$"):
            formula = run
        elif run == formula:
            formula = ""
    return formula


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """The range without white space at both ends."""
    line = text[start:end]
    if line and not line[0].isspace() and not line[-1].isspace():  # mostly
        return start, end
    left = len(line) - len(line.lstrip())
    return (start + left, start + len(line.rstrip())) if left < len(line) else (end, end)
