"""Delimited text as a source: CSV as RFC 4180 has it, and as spreadsheets and people write it."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from handlers.corpus.sources.json_lines import Opener
from handlers.corpus.sources.reader import MAX_LINE_BYTES, BadLine, Record
from handlers.corpus.sources.source_notes import SourceNotes
from handlers.corpus.sources.tables.row_lines import RowLines, UnreadableLineError
from handlers.corpus.sources.tables.row_starts import RowStarts
from handlers.errors import SourceError
from handlers.rare_pattern import rare_pattern

DELIMITERS = ",;\t|"
_SEPARATOR_LINE = re.compile(r"\"?sep=([,;\t|])\"?\s*", re.IGNORECASE)
_PROSE = rare_pattern(r"\s|[，。；：、！？（）,;]|.{65}", re.DOTALL)
"""What a cell of ids does not hold, and the rest of a text that was broken over lines does."""

_BROKEN = "fewer columns than the header has, and no id first: a record broken over lines without quotes?"

_AS_TEXT = re.compile(r"=\"([^\"]*)\"")
"""How a spreadsheet is told that digits are no number."""
_PART = "part of the record in line {}, which is broken"
_OPEN = "not CSV: a quote is opened that is not closed before the next row"


class CsvSource:
    """CSV with a header row, which tells the delimiter unless a line ``sep=`` before it does.

    Blank lines before the header are passed over. Columns without a name, as spreadsheets put them at the
    end, are left out; a row may be short of its last cells, and may have empty ones too many.
    """

    def __init__(
        self, name: str, opener: Opener, *, limit: int = MAX_LINE_BYTES, notes: SourceNotes | None = None
    ) -> None:
        self.name = name
        self.notes = notes or SourceNotes()
        self._opener = opener
        self._limit = limit

    def records(self) -> Iterator[tuple[int, Record | BadLine]]:
        with self._opener() as stream:
            # The limit is csv's own and process-wide; it only ever grows, and the record's bound holds.
            csv.field_size_limit(max(csv.field_size_limit(), self._limit))
            lines = RowLines(stream, self._limit)
            table = _header(lines, self.name)
            if table is not None:
                self.notes.delimiter = table.delimiter
                self.notes.columns = [name for name in table.names if name]
                yield from table.records(lines)
                if table.repeated:
                    self.notes.others.append(f"{table.repeated:,} times the header again is left out")
                if table.unnamed:
                    self.notes.others.append(
                        "cells of columns without a name are left out (first in line "
                        f"{table.unnamed}): name them in the header"
                    )


def _header(lines: RowLines, name: str) -> _Table | None:
    """None if the source has no line but blank ones."""
    try:
        text = lines.next_that_is_not_blank()
        separator = _SEPARATOR_LINE.fullmatch(text)
        if separator:
            lines.start_record()
            text = lines.next_that_is_not_blank()
        delimiter = separator[1] if separator else max(DELIMITERS, key=lambda each: _columns(text, each))
        first = lines.number
        lines.give_again()
        names = [cell.strip() for cell in next(csv.reader(lines, delimiter=delimiter, strict=True))]
    except StopIteration:
        return None
    except (csv.Error, UnreadableLineError) as error:
        raise SourceError(f"{name}, line {lines.first}: the header cannot be read ({error})") from error
    names = [" ".join(column.replace("\ufeff", "").split()) for column in names]
    twice = sorted(column for column, count in Counter(names).items() if column and count > 1)
    if twice:
        raise SourceError(
            f"{name}, line {first}: the header names {', '.join(map(repr, twice))} twice; rename one"
        )
    while names and not names[-1]:
        names.pop()
    return _Table(names, delimiter)


def _columns(header: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([header], delimiter=delimiter)))
    except (csv.Error, StopIteration):
        return 0


class _Table:
    """Rows under a header. ``unnamed``: the first line with a cell that is under no name; 0: none."""

    def __init__(self, names: Sequence[str], delimiter: str) -> None:
        self.names = names
        self.delimiter = delimiter
        self.unnamed = 0
        self.repeated = 0
        """Rows that say the header again, as where files were put one after the other."""
        self._ids_first = True
        """No whole row so far begins with prose."""
        self._starts = RowStarts(names, delimiter)
        self._after_break = 0
        """The line of a broken record after which no whole row came."""

    def records(self, lines: RowLines) -> Iterator[tuple[int, Record | BadLine]]:
        """A short row is held back until the next one tells whether it was broken over two lines."""
        held: tuple[int, Record, str] | None = None
        for first, row, excerpt in self._rows(lines):
            broken = isinstance(row, BadLine) and row.reason == _BROKEN
            if held is not None:
                yield held[0], BadLine(_BROKEN, held[2]) if broken else held[1]
                held = None
            if isinstance(row, BadLine):
                yield first, row
            else:
                held = first, self._record(row, first), excerpt
        if held is not None:
            yield held[0], held[1]

    def _rows(self, lines: RowLines) -> Iterator[tuple[int, list[str] | BadLine, str]]:
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        while True:
            lines.start_record()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except UnreadableLineError as error:
                row: list[str] | BadLine = self._broken(lines, error.bad.reason, error.bad.excerpt)
            except csv.Error as error:
                row = self._broken(lines, f"not CSV: {error}")
            else:
                row = self._row(cells, lines)
            if row:
                yield lines.first, row, lines.excerpt

    def _row(self, cells: list[str], lines: RowLines) -> list[str] | BadLine:
        """[] if it is blank."""
        if not cells:
            return []
        taken = self._taken_row(lines) if lines.number > lines.first else 0
        fitted = "" if lines.invalid else self._fitted(cells)
        if taken and lines.give_again(taken):
            return BadLine(f"{_OPEN}{lines.span()}", lines.excerpt)
        if lines.invalid:
            return BadLine(lines.invalid, lines.excerpt)
        if isinstance(fitted, str):
            return BadLine(fitted, lines.excerpt) if fitted == _BROKEN else self._broken(lines, fitted)
        if len(fitted) == len(self.names):
            is_row = not self._after_break or self._is_whole(fitted)
            if is_row:
                self._after_break = 0
                self._starts.see(fitted)
                self._ids_first = self._ids_first and not _PROSE.search(fitted[0])
        else:
            is_row = not self._after_break or not fitted
        return fitted if is_row else BadLine(_PART.format(self._after_break), lines.excerpt)

    def _is_whole(self, cells: list[str]) -> bool:
        """And no rest of a text that happens to have as many commas."""
        return self._starts.is_like_the_last(cells) and not (
            self._ids_first and _PROSE.search(cells[0] or " ")
        )

    def _taken_row(self, lines: RowLines) -> int:
        """Where in a record of several lines one begins that is a row of its own: an open quote took it, and
        another quote closed it."""
        place = self._next_start(lines)
        return place if place and self._starts.counts_on(lines.first_line, lines.ahead()) else 0

    def _next_start(self, lines: RowLines) -> int:
        first = lines.first_line
        return next((at for at, line in lines.later_lines() if self._starts.is_one(line, first)), 0)

    def _broken(self, lines: RowLines, reason: str, excerpt: str = "") -> BadLine:
        """Costs the lines up to the first that begins a row, and those after it that cannot be one."""
        place = self._next_start(lines)
        if not place or not lines.give_again(place):
            self._after_break = lines.first
        elif lines.number == lines.first:
            reason = _OPEN
        return BadLine(reason + lines.span(), lines.excerpt or excerpt)

    def _fitted(self, cells: list[str]) -> list[str] | str:
        """The row without empty cells beyond the header; why it is none, or [] if it is blank."""
        width = len(self.names)
        if len(cells) == width:
            if [" ".join(cell.removeprefix("\ufeff").split()) for cell in cells] == list(self.names):
                self.repeated += 1
                return []
            return cells if any(cells) else []
        while len(cells) > width and not cells[-1].strip():
            cells.pop()
        if len(cells) > width:
            return f"{len(cells)} columns where the header has {width}"
        if not any(map(str.strip, cells)):
            return []
        broken = len(cells) < width and self._ids_first and _PROSE.search(cells[0].strip() or " ")
        return _BROKEN if broken else cells

    def _record(self, cells: Sequence[str], first: int) -> Record:
        record = {name: cell for name, cell in zip(self.names, cells, strict=False) if cell}
        for name, cell in record.items():
            if cell[0] == "=" and (as_text := _AS_TEXT.fullmatch(cell)):
                record[name] = as_text[1]
        if record.pop("", None):
            self.unnamed = self.unnamed or first
        return record
