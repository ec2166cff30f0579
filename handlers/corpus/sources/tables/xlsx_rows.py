"""A workbook of Excel as a source: its first sheet with rows, read row by row at bounded memory.

A workbook is a zip of XML (ECMA-376), and may come from a stranger: what it unpacks to is bounded before it
is read, cells are the values that were saved with it (a formula's last one, never run), and the size that a
sheet says it has is not believed.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from handlers.corpus.sources.reader import MAX_LINE_BYTES, BadLine, Record
from handlers.corpus.sources.source_notes import SourceNotes, named
from handlers.errors import SourceError
from handlers.extras import load

_MOST_BYTES = 2 << 30
"""Of all parts, unpacked: a sheet is read as a stream."""
_MOST_IN_MEMORY = 256 << 20
"""Of a part that is held whole: the table of texts, the styles."""
_STREAMED = "xl/worksheets/"
_MOST_EMPTY = 100_000
"""Rows without a cell, one after the other, behind which nothing is looked for."""
_UNREADABLE = (
    *(OSError, zipfile.BadZipFile, zipfile.LargeZipFile, SyntaxError, EOFError, ArithmeticError),
    *(ValueError, KeyError, TypeError, IndexError, AttributeError, RuntimeError, AssertionError),
)
"""What the library says of bytes that are no workbook, or half of one; broken XML is a ``SyntaxError``."""


class XlsxRows:
    """One record a row under the first row that is not empty; its number is the row's in the sheet."""

    def __init__(self, path: Path, *, limit: int = MAX_LINE_BYTES, notes: SourceNotes | None = None) -> None:
        """UsageError without the extra ``xlsx``; SourceError if the file is no workbook or would unpack to
        more than is read."""
        if not path.is_file():
            raise SourceError(f"{path} is no file: give a .xlsx file")
        load("openpyxl", extra="xlsx")
        self.name = str(path)
        self._path = path
        self._limit = limit
        self.notes = notes or SourceNotes()
        self._check_size()

    def records(self) -> Iterator[tuple[int, Record | BadLine]]:
        openpyxl = load("openpyxl", extra="xlsx")
        with self._path.open("rb") as file:  # the library leaves its own open where it fails
            try:
                book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            except _UNREADABLE as error:
                raise self._unreadable(error) from error
            yield from self._of_first_sheet(book)

    def _check_size(self) -> None:
        """By the zip's own table: no more than it says is ever unpacked of a part."""
        try:
            with zipfile.ZipFile(self._path) as parts:
                sizes = [(part.filename, part.file_size) for part in parts.infolist()]
        except _UNREADABLE as error:
            raise self._unreadable(error) from error
        held = max((size for name, size in sizes if not name.startswith(_STREAMED)), default=0)
        if sum(size for _, size in sizes) > _MOST_BYTES or held > _MOST_IN_MEMORY:
            raise SourceError(
                f"{self.name}: the workbook unpacks to more than is read; save its sheet as CSV"
            )

    def _unreadable(self, error: BaseException) -> SourceError:
        if isinstance(error, zipfile.BadZipFile):
            return SourceError(
                f"{self.name} is no workbook of Excel (.xlsx), or has a password: save its sheet as CSV"
            )
        reason = str(error).partition("\n")[0][:200] or type(error).__name__
        return SourceError(f"{self.name} cannot be read as a workbook of Excel: {reason}")

    def _of_first_sheet(self, book: Any) -> Iterator[tuple[int, Record | BadLine]]:
        others = []
        found = False
        for sheet in book.worksheets:
            if found or sheet.sheet_state != "visible":
                others.append(str(sheet.title))
                continue
            for row in self._of_sheet(sheet):
                found = True
                yield row
        if others and found:
            self.notes.others.append(f"sheets that are not read: {named(others)}")

    def _of_sheet(self, sheet: Any) -> Iterator[tuple[int, Record | BadLine]]:
        rows = self._rows(sheet)
        number, header = next(rows, (0, ()))
        names = [" ".join(str(_value(cell) or "").replace("\ufeff", "").split()) for cell in header]
        if not any(names):
            return
        twice = sorted(column for column, count in Counter(names).items() if column and count > 1)
        if twice:
            names_twice = named(list(map(repr, twice)))
            raise SourceError(f"{self.name}, row {number}: the header names {names_twice} twice; rename one")
        self.notes.columns = [name for name in names if name]
        for at, cells in rows:
            yield at, self._record(names, cells)

    def _rows(self, sheet: Any) -> Iterator[tuple[int, Sequence[object]]]:
        """(row, cells) of rows that have any."""
        empty = 0
        try:
            sheet.reset_dimensions()  # else a sheet that says it is large is filled up to that
            for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
                if any(cell is not None for cell in cells):
                    empty = 0
                    yield number, cells
                elif (empty := empty + 1) > _MOST_EMPTY:
                    return
        except _UNREADABLE as error:
            raise self._unreadable(error) from error

    def _record(self, names: Sequence[str], cells: Sequence[object]) -> Record | BadLine:
        record = {
            name: value
            for name, cell in zip(names, cells, strict=False)
            if name and (value := _value(cell)) is not None
        }
        size = sum(map(len, _texts(record.values())))
        if size > self._limit:
            return BadLine(f"longer than {self._limit:,} bytes", next(_texts(record.values()), "")[:80])
        return record


def _texts(values: Iterable[object]) -> Iterator[str]:
    return (value for value in values if isinstance(value, str))


def _value(cell: object) -> object:
    """As text where JSON has no such value; a whole number without a fraction, as an id is typed; an error
    such as #N/A is nothing."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return int(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, str):
        return None if cell.startswith("#") and cell.rstrip("!?") in _ERRORS else cell
    return cell if cell is None or isinstance(cell, bool | int | float) else str(cell)


_ERRORS = {"#N/A", "#REF", "#DIV/0", "#VALUE", "#NAME", "#NUM", "#NULL"}
