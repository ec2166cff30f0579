"""Results as an Excel workbook, at constant memory: every cell is a text or a number, never a formula."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from handlers.atomic_file import replacing
from handlers.domain.paper import TERMINAL
from handlers.errors import UsageError
from handlers.extras import load
from handlers.ports import Backend
from handlers.results.csv_lines import plain
from handlers.results.export import Counts, chunked
from handlers.results.export_shape import ExportShape, in_folder

_MOST_ROWS = 1_048_576
_LONGEST = 32_767
"""Excel's limits of a sheet's rows, the first of which has the names, and of a cell's UTF-16 units."""
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
_EXACT = 10**15
"""The largest number of which a cell keeps every digit."""
_DEEPEST = 3
"""Levels of objects that are read as words; what is below them is JSON."""
_TEXTS = ("title", "abstract", "body", "keywords")
_WIDE, _NARROW = 50, 18
"""Characters that a column shows: a sheet's own eight show of no title what it is about."""
_AS_EVER = ExportShape()


class SheetCounts(NamedTuple):
    """What did not fit as it is."""

    sheets: int
    cut: int
    """Texts longer than a cell can hold, of which it has the beginning."""


def export_xlsx(
    backend: Backend, run_id: str, output: Path, *, shape: ExportShape = _AS_EVER
) -> tuple[Counts, SheetCounts]:
    """Papers by status, and what did not fit. UsageError without the extra ``xlsx``, before anything is
    written, or when the file cannot be written."""
    load("xlsxwriter", extra="xlsx")
    counts: Counts = dict.fromkeys((*TERMINAL, "pending"), 0)

    def counted() -> Iterator[Mapping[str, Any]]:
        for status, record in chain.from_iterable(chunked(backend, run_id, shape)):
            counts[status] += 1
            yield record

    return counts, to_xlsx(counted(), output, shape.columns)


def to_xlsx(
    records: Iterable[Mapping[str, Any]],
    output: Path,
    columns: tuple[str, ...],
    *,
    most_rows: int = _MOST_ROWS,
) -> SheetCounts:
    """Write records, their keys in the order of ``columns``, whole or not at all; what is more than a sheet
    holds goes on in another."""
    xlsxwriter = load("xlsxwriter", extra="xlsx")
    target = in_folder(output)
    cut, row, sheet = 0, most_rows, None
    try:
        # Its parts are as large as the file: on the same disk, in a folder that goes whatever happens.
        with (
            replacing(target, durable=True) as scratch,
            TemporaryDirectory(dir=target.parent, prefix=".") as parts,
        ):
            book = xlsxwriter.Workbook(str(scratch), {**_OPTIONS, "tmpdir": parts})
            book.use_zip64()
            try:
                for record in records:
                    if row >= most_rows or sheet is None:
                        sheet, row = _sheet(book, columns), 1
                    cut += _write(sheet, row, record.values())
                    row += 1
            except BaseException:
                for each in book.worksheets():
                    each.row_data_fh.close()  # which the library closes with the book alone
                raise
            if sheet is None:
                _sheet(book, columns)
            sheets = len(book.worksheets())
            book.close()
    except (OSError, xlsxwriter.exceptions.XlsxWriterException) as error:
        raise UsageError(f"--output {output}: cannot be written: {error}") from error
    return SheetCounts(sheets, cut)


def _sheet(book: Any, columns: tuple[str, ...]) -> Any:
    sheet = book.add_worksheet()
    sheet.freeze_panes(1, 0)
    for place, name in enumerate(columns):
        sheet.set_column(place, place, _WIDE if name.removeprefix("source_") in _TEXTS else _NARROW)
    _write(sheet, 0, columns)
    return sheet


def _write(sheet: Any, row: int, values: Iterable[Any]) -> int:
    """How many of the texts are cut."""
    cut = 0
    for column, value in enumerate(values):
        cell = plain(value) if isinstance(value, int | float | str | None) else readable(value)
        if isinstance(cell, int) and abs(cell) > _EXACT:
            cell = str(cell)
        if isinstance(cell, bool):
            sheet.write_boolean(row, column, cell)
        elif isinstance(cell, int | float):
            sheet.write_number(row, column, cell)
        elif cell:
            text = _fitting(cell)
            cut += text != cell
            sheet.write_string(row, column, text)
    return cut


def readable(value: Any, depth: int = 0) -> str:
    """Lists and objects as people read them: an object's ``name: value`` between semicolons, a list's objects
    a line each, a check as ``numbers: fail (two missing)``."""
    if isinstance(value, Mapping):
        if {"name", "verdict"} <= value.keys():
            detail = f" ({readable(value['detail'])})" if value.get("detail") else ""
            return f"{value['name']}: {value['verdict']}{detail}"
        if depth >= _DEEPEST:
            return str(plain(value))
        pairs = (
            (name, readable(each, depth + 1))
            for name, each in value.items()
            if each not in (None, "", [], {})
        )
        return "; ".join(f"{name}: {text}" for name, text in pairs)
    if isinstance(value, list | tuple):
        if depth >= _DEEPEST:
            return str(plain(value))
        between = "\n" if any(isinstance(each, Mapping) for each in value) and not depth else "; "
        return between.join(readable(each, depth + 1) for each in value)
    return "" if value is None else str(value)


def _fitting(text: str) -> str:
    """Its beginning, if it is too long for a cell; half a surrogate pair has no place in XML."""
    if len(text) * 2 <= _LONGEST:
        return text if text.isascii() else text.encode("utf-8", "replace").decode()
    units = text.encode("utf-16-le", "replace")[: 2 * _LONGEST]
    return units.decode("utf-16-le", "ignore")
