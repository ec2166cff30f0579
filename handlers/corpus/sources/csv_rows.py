"""Delimited text as a source: CSV as RFC 4180 has it, and as spreadsheets and people write it."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import IO

from handlers.corpus.sources.json_lines import BOM, Opener
from handlers.corpus.sources.reader import (
    MAX_LINE_BYTES,
    BadLine,
    Record,
    excerpt_of,
    numbered_lines,
    undecodable,
)
from handlers.corpus.sources.source_notes import SourceNotes
from handlers.errors import SourceError

DELIMITERS = ",;\t|"
_SEPARATOR_LINE = re.compile(r"\"?sep=([,;\t|])\"?\s*", re.IGNORECASE)
_PROSE = re.compile(r"\s|[，。；：、！？（）,;]|.{65}", re.DOTALL)
"""What a cell of ids does not hold, and the rest of a text that was broken over lines does."""

_BROKEN = "fewer columns than the header has, and no id first: a record broken over lines without quotes?"


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
            lines = _CsvLines(stream, self._limit)
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


class _UnreadableLineError(Exception):
    def __init__(self, bad: BadLine) -> None:
        super().__init__(bad.reason)
        self.bad = bad


class _CsvLines:
    """Feeds ``csv.reader`` and keeps what it does not tell: bytes taken, broken UTF-8, the first line.

    An iterator class and not a generator: the reader goes on after an exception went through it.
    """

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._lines = numbered_lines(stream, limit=limit)
        self._limit = limit
        self._again = ""
        self.number = 0
        self.start_record()

    def start_record(self) -> None:
        self.first = self.number + 1
        self.taken = 0
        self.invalid = ""
        self.excerpt = ""

    def __iter__(self) -> _CsvLines:
        return self

    def __next__(self) -> str:
        if self._again:
            text, self._again = self._again, ""
            return text
        self.number, line = next(self._lines)
        if isinstance(line, BadLine):
            raise _UnreadableLineError(line)
        if self.number == 1:
            line = line.removeprefix(BOM)
        if not self.taken:
            self.excerpt = excerpt_of(line)
        self.taken += len(line) + 1
        if self.taken > self._limit:
            raise _UnreadableLineError(
                BadLine(f"the record is longer than {self._limit} bytes", self.excerpt)
            )
        try:
            return line.decode("utf-8") + "\n"
        except UnicodeDecodeError as error:
            self.invalid = undecodable(error)
            return line.decode("utf-8", "replace") + "\n"

    def next_that_is_not_blank(self) -> str:
        while not (text := next(self)).strip():
            self.start_record()
        return text

    def span(self) -> str:
        more = self.number - self.first
        return f"; with it lines {self.first + 1} to {self.number}" if more > 0 else ""

    def give_again(self, text: str) -> None:
        self._again = text


def _header(lines: _CsvLines, name: str) -> _Table | None:
    """None if the source has no line but blank ones."""
    try:
        text = lines.next_that_is_not_blank()
        separator = _SEPARATOR_LINE.fullmatch(text)
        if separator:
            lines.start_record()
            text = lines.next_that_is_not_blank()
        delimiter = separator[1] if separator else max(DELIMITERS, key=lambda each: _columns(text, each))
        first = lines.number
        lines.give_again(text)
        names = [cell.strip() for cell in next(csv.reader(lines, delimiter=delimiter, strict=True))]
    except StopIteration:
        return None
    except (csv.Error, _UnreadableLineError) as error:
        raise SourceError(f"{name}, line {lines.first}: the header cannot be read ({error})") from error
    names = [" ".join(column.split()) for column in names]
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

    def records(self, lines: _CsvLines) -> Iterator[tuple[int, Record | BadLine]]:
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

    def _rows(self, lines: _CsvLines) -> Iterator[tuple[int, list[str] | BadLine, str]]:
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        while True:
            lines.start_record()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except _UnreadableLineError as error:
                yield lines.first, error.bad, ""
                continue
            except csv.Error as error:
                yield lines.first, BadLine(f"not CSV: {error}{lines.span()}", lines.excerpt), ""
                continue
            if lines.invalid:
                yield lines.first, BadLine(lines.invalid, lines.excerpt), ""
            elif cells:
                row = self._fitted(cells)
                if row:
                    yield (
                        lines.first,
                        BadLine(row, lines.excerpt) if isinstance(row, str) else row,
                        lines.excerpt,
                    )

    def _fitted(self, cells: list[str]) -> list[str] | str:
        """The row without empty cells beyond the header; why it is none, or [] if it is blank."""
        width = len(self.names)
        if len(cells) == width:
            if [" ".join(cell.removeprefix("\ufeff").split()) for cell in cells] == list(self.names):
                self.repeated += 1
                return []
            if self._ids_first and _PROSE.search(cells[0]):
                self._ids_first = False
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
        if record.pop("", None):
            self.unnamed = self.unnamed or first
        return record
