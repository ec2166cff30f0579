"""Whether a line begins a row of a table, told by its id: an open quote takes the rows after it."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

_FIRST_CELL = r"\s{{0,9}}\"?([^\s\"{0}][^\"{0}\n]{{0,79}})\"?{0}"
_ID_NAMES = frozenset(("id", "_id", "doi", "uid", "key", "identifier", "paper_id", "paperid", "编号", "序号"))
_DOI = re.compile(r"10\.\d{1,9}/\S")
_HASH = re.compile(r"[0-9a-fA-F-]{8,80}")
_DIGITS = re.compile(r"\d+")
_LETTER = re.compile("[A-Za-z]")
_LONGEST_ID = 80
_NEAR = 100
"""Numbers that count papers up leave gaps of less."""
_LONG = 5
"""Digits of a number that counts nothing in a text."""


def kind_of(cell: str) -> str:
    """What ids of one source have in common: ``10.`` of DOIs, ``#`` of numbers, else their letters and where
    digits are. "" for what may be a word."""
    cell = cell.strip()
    if cell.isdecimal():
        return "#"
    if _DOI.match(cell):
        return "10."
    if not _DIGITS.search(cell) or len(cell) > _LONGEST_ID or len(cell.split()) != 1:
        return ""
    if _HASH.fullmatch(cell):
        return f"{len(cell)}x"
    return _DIGITS.sub("0", cell) if _LETTER.search(cell) else re.sub(r"\d", "9", cell)


class RowStarts:
    """Of a table with columns of such names."""

    def __init__(self, names: Sequence[str], delimiter: str) -> None:
        self._delimiter = delimiter
        self._width = len(names)
        self._column = next((at for at, name in enumerate(names) if name.lower() in _ID_NAMES), 0)
        self._first = re.compile(_FIRST_CELL.format(re.escape(delimiter)))
        self.last = ""
        """The id of the last whole row."""

    def see(self, cells: Sequence[str]) -> None:
        """A whole row."""
        self.last = cells[self._column].strip()

    def is_like_the_last(self, cells: Sequence[str]) -> bool:
        """No word where the last whole row has an id."""
        return not kind_of(self.last) or bool(kind_of(cells[self._column]))

    def is_one(self, line: str, before: str) -> bool:
        """Whether the line begins a row, after one that begins with the line ``before``."""
        cell, own = self._id_in(line), self._id_in(before) if self._column == 0 else self.last
        kind = kind_of(cell)
        if self._column and not own:
            return bool(kind)
        if not kind or kind != kind_of(own) or cell == own or (kind == "#" and not _follows(cell, own)):
            return False
        return line.count(self._delimiter) >= self._width - 1 or line.count('"') % 2 == 1

    def counts_on(self, line: str, after: str) -> bool:
        """Whether ids that are short numbers leave out those of the lines between: the numbers of a list in a
        text leave no gap in the ids."""
        own, cell = self._id_in(line), self._id_in(after)
        return not (own.isdecimal() and cell.isdecimal() and len(own) < _LONG) or int(cell) - int(own) > 1

    def _id_in(self, line: str) -> str:
        """Where a blank follows the delimiter it is a text's comma."""
        if self._column:
            cells = next(csv.reader([line], delimiter=self._delimiter), [])
            return cells[self._column].strip() if len(cells) == self._width else ""
        found = self._first.match(line)
        is_prose = found is None or line[found.end() : found.end() + 1] == " "
        return "" if found is None or is_prose else found[1].strip()


def _follows(cell: str, before: str) -> bool:
    if len(cell) > 18 or len(before) > 18:
        return len(cell) == len(before)
    return min(len(cell), len(before)) >= _LONG or 0 < int(cell) - int(before) <= _NEAR
