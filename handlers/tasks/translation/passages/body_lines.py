"""A body as lines, and where on them the constructs that run over several lines begin and end.

Everything that could end a construct is found in one pass over the body, and looked up by position: a body
of nothing but openers costs no more than another.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from handlers.own_property import own_property

_LINE = re.compile(r"([^\r\n]*+)(?:\r\n|\r|\n|\Z)")
_FENCE = re.compile(r"^[ \t]*+(`{3,20}|~{3,20})[ \t]*+\r?$", re.MULTILINE)
_RAW_END = re.compile(r"</(pre|script|style|svg|math|textarea)[ \t]{0,20}>|(--)>", re.IGNORECASE)
_TABLE = re.compile(r"<(/?)table\b[^<>]{0,4000}>", re.IGNORECASE)
_ENVIRONMENT = re.compile(r"\\(begin|end)\s{0,3}+\{\s{0,3}+([A-Za-z]{1,30}+\*?)\s{0,3}+\}")
Pairs = dict[int, tuple[int, str]]
"""Start of an opening mark → (end of its closing mark, name)."""


@dataclass
class BodyLines:
    """Lines by number, ends without the line break. A line can be cut in two: ``starts`` moves on."""

    text: str
    starts: list[int] = field(init=False)
    ends: list[int] = field(init=False)

    def __post_init__(self) -> None:
        spans = [match.span(1) for match in _LINE.finditer(self.text)]
        self.starts = [start for start, _ in spans]
        self.ends = [end for _, end in spans]

    def line_of(self, position: int) -> int:
        """Number of the line that a position is on."""
        return bisect_right(self.starts, position) - 1

    def next_mark(self, mark: str, after: int) -> int:
        """Position of the next ``$$`` or ``\\]`` at or after a position; -1 if there is none."""
        places = self._marks(mark)
        found = bisect_right(places, after - 1)
        return places[found] if found < len(places) else -1

    def fence_end(self, opener: str, after: int) -> int:
        """Position of the next line that closes a fence: of its character, and as long at least."""
        best = -1
        for (character, length), places in self._fences.items():
            if character == opener[0] and length >= len(opener):
                found = bisect_right(places, after - 1)
                if found < len(places) and not 0 <= best <= places[found]:
                    best = places[found]
        return best

    def raw_end(self, name: str, after: int) -> int:
        """End of the next ``</name>``, or ``-->`` for the name ``--``; -1 if there is none."""
        places = self._raw_ends.get(name.lower(), [])
        found = bisect_right(places, after)
        return places[found] if found < len(places) else -1

    def _marks(self, mark: str) -> list[int]:
        if mark not in self._mark_places:
            self._mark_places[mark] = [match.start() for match in re.finditer(re.escape(mark), self.text)]
        return self._mark_places[mark]

    @own_property
    def _mark_places(self) -> dict[str, list[int]]:
        return {}

    @own_property
    def _fences(self) -> dict[tuple[str, int], list[int]]:
        fences: dict[tuple[str, int], list[int]] = {}
        for match in _FENCE.finditer(self.text):
            fences.setdefault((match[1][0], len(match[1])), []).append(match.start(1))
        return fences

    @own_property
    def _raw_ends(self) -> dict[str, list[int]]:
        ends: dict[str, list[int]] = {}
        for match in _RAW_END.finditer(self.text):
            ends.setdefault((match[1] or match[2]).lower(), []).append(match.end())
        return ends

    @own_property
    def tables(self) -> Pairs:
        """``<table ...>`` → the ``</table>`` of the same depth."""
        marks = ((match, match[1] == "", "table") for match in _TABLE.finditer(self.text))
        return _pairs(marks)

    @own_property
    def environments(self) -> Pairs:
        """``\\begin{x}`` → its ``\\end{x}``; those inside that are never closed have none."""
        marks = ((match, match[1] == "begin", match[2]) for match in _ENVIRONMENT.finditer(self.text))
        return _pairs(marks)


def _pairs(marks: Iterator[tuple[re.Match[str], bool, str]]) -> Pairs:
    pairs: Pairs = {}
    opened: list[tuple[str, int]] = []
    depth: dict[str, int] = {}
    for match, opens, name in marks:
        if opens:
            opened.append((name, match.start()))
            depth[name] = depth.get(name, 0) + 1
        elif depth.get(name):
            top = ""
            while top != name:
                top, start = opened.pop()
                depth[top] -= 1
            pairs[start] = (match.end(), name)
    return pairs
