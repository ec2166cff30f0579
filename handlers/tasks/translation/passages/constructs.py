"""Constructs that run over lines: where each ends, or that it has no end near enough and is text.

How far is looked ahead is bounded, so that one stray mark never swallows the rest of a paper.
"""

from __future__ import annotations

import re
from typing import Literal

from handlers.tasks.translation.masking.dollars import PROSE_RUN, is_formula
from handlers.tasks.translation.passages.body_lines import BodyLines

_MOST_LINES = {"mathematics": 60, "environment": 200, "code": 400, "html_table": 20_000}
_AFTER_FORMULA = re.compile(
    r"[\s,，。.;；、]{0,9}+(?:[(（\[]?[A-Za-z]{0,2}[\d.\-–—]{1,9}[a-z]?[)）\]]?|[(（][^()（）$]{1,12}[)）])?"
    r"[\s,，。.;；、]{0,9}+"
)
"""What may stand behind a display formula on its line: its number, and the sentence's punctuation."""
_MATHEMATICAL = re.compile(
    r"(?:equation|eqnarray|align|aligned|alignat|flalign|gather|gathered|multline|split|d?cases|array|"
    r"[pbvVB]?matrix|smallmatrix|subequations|math|displaymath|tikzpicture)\*?"
)
_CODE = re.compile(r"(?:verbatim|lstlisting|minted|algorithmic)\*?")
_FENCE = re.compile(r"(`{3,20}+(?=[^`]*\Z)|~{3,20}+)")
_RAW = re.compile(r"<(?:(pre|script|style|svg|math|textarea)\b|!(--))", re.IGNORECASE)
_TABLE = re.compile(
    r"(?:</?(?:html|body|div|center|figure|p)\b[^<>]{0,200}>\s{0,9}){0,9}<table\b", re.IGNORECASE
)
_CLOSING = re.compile(r"(?:[ \t]*+</(?:html|body|div|center|figure|p)\s{0,9}>)*+", re.IGNORECASE)
_CELL_RULE = r"[ \t]*+:?+-++:?+[ \t]*+"
_TABLE_RULE = re.compile(rf"[ \t]*+\|?{_CELL_RULE}(?:\|{_CELL_RULE})*+\|?[ \t]*+")

_BLANK_LINE = re.compile(r"\n[ \t\r]*+\n")
_HEADING = re.compile(r"[\r\n][ \t]*+#{1,6}[ \t]")
_SIGN = re.compile(r"[\\&=$^_]")

OPENING = frozenset("$\\`~<")
"""One of these begins each of them but a table of bars."""

Kind = Literal[
    "heading", "mathematics", "environment", "code", "image", "html_table", "pipe_table", "list_item",
    "quote", "caption", "item", "rule", "paragraph",
]  # fmt: skip
End = tuple[Kind, int]
"""Where the construct ends."""


def construct_at(lines: BodyLines, number: int, start: int) -> End | None:
    """The construct that begins at ``start``, the first letter of a line; None if it is text."""
    text, first = lines.text, lines.text[start]
    end: End | None = None
    if first == "$":
        end = _between(lines, number, start, "$$", "$$")
    elif first == "\\":
        end = _between(lines, number, start, "\\[", "\\]") or _environment(lines, start)
    elif first in "`~":
        end = _fence(lines, number, start)
    elif first == "<":
        end = _html_table(lines, start) or _raw(lines, start)
    if end is None and number + 1 < len(lines.starts) and "|" in text[start : lines.ends[number]]:
        end = _pipe_table(lines, number)
    if end is not None and lines.line_of(end[1] - 1) - number > _MOST_LINES.get(end[0], len(lines.ends)):
        return None
    if end is not None and end[0] in ("mathematics", "environment") and _swallows(text[start : end[1]]):
        return None
    return end


def _swallows(formula: str) -> bool:
    """Whether a heading, or a paragraph of prose between blank lines, stands in what would be a formula: its
    end is another one's."""
    return _HEADING.search(formula) is not None or any(
        PROSE_RUN.search(stanza) and not _SIGN.search(stanza) for stanza in _BLANK_LINE.split(formula)[1:]
    )


def _between(lines: BodyLines, number: int, start: int, opener: str, closer: str) -> End | None:
    """Display mathematics: nothing but its number may follow on the line, and it has to read as a formula."""
    text = lines.text
    if not text.startswith(opener, start):
        return None
    close = lines.next_mark(closer, start + 2)
    last = min(number + _MOST_LINES["mathematics"], len(lines.ends) - 1)
    if not start + 2 <= close <= lines.ends[last]:
        return None
    body, end = text[start + 2 : close], lines.ends[lines.line_of(close)]
    if opener in body or not _AFTER_FORMULA.fullmatch(text, close + 2, end):
        return None
    return ("mathematics", end) if is_formula(body) else None


def _environment(lines: BodyLines, start: int) -> End | None:
    close, name = lines.environments.get(start, (-1, ""))
    if _CODE.fullmatch(name):
        return _with_rest(lines, "code", close)
    return _with_rest(lines, "environment", close) if _MATHEMATICAL.fullmatch(name) else None


def _with_rest(lines: BodyLines, kind: Kind, close: int) -> End | None:
    end = lines.ends[lines.line_of(close)]
    return (kind, end) if _AFTER_FORMULA.fullmatch(lines.text, close, end) else None


def _fence(lines: BodyLines, number: int, start: int) -> End | None:
    opener = _FENCE.match(lines.text[start : lines.ends[number]])
    if opener is None:
        return None
    close = lines.fence_end(opener[1], lines.ends[number])
    return ("code", lines.ends[lines.line_of(close)]) if close > 0 else None


def _raw(lines: BodyLines, start: int) -> End | None:
    """HTML whose content is no prose."""
    opener = _RAW.match(lines.text, start)
    close = lines.raw_end(opener[1] or opener[2], opener.end()) if opener else -1
    if close < 0:
        return None
    end = lines.ends[lines.line_of(close)]
    return ("code", end) if not lines.text[close:end].strip() else None


def _html_table(lines: BodyLines, start: int) -> End | None:
    """Its end may lie within a line: another table, or text, can stand straight behind it."""
    opener = _TABLE.match(lines.text, start)
    if opener is None:
        return None
    close, _ = lines.tables.get(opener.end() - len("<table"), (-1, ""))
    closing = _CLOSING.match(lines.text, close) if close > 0 else None
    return ("html_table", closing.end()) if closing else None


def _pipe_table(lines: BodyLines, number: int) -> End | None:
    text = lines.text
    rule = text[lines.starts[number + 1] : lines.ends[number + 1]]
    if "|" not in rule or not _TABLE_RULE.fullmatch(rule):
        return None
    last = number + 1
    while last + 1 < len(lines.starts) and "|" in text[lines.starts[last + 1] : lines.ends[last + 1]]:
        last += 1
    return "pipe_table", lines.ends[last]
