"""Sources of raw records, one class per format, behind one Protocol that later ones join."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import IO, Protocol, cast

from handlers.corpus.sources.json_lines import BOM, JsonlSource, Opener, Record
from handlers.corpus.sources.markdown_folder import MarkdownFolder
from handlers.corpus.sources.parquet_rows import ParquetRows
from handlers.corpus.sources.reader import (
    MAX_LINE_BYTES,
    BadLine,
    excerpt_of,
    numbered_lines,
    open_bytes,
    unpacked,
)
from handlers.errors import SourceError

_SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "csv"}
_PLACE_SUFFIXES = {".parquet": "parquet"}


class Source(Protocol):
    """Where papers come from."""

    @property
    def name(self) -> str:
        """For messages: the path, or ``standard input``."""

    def records(self) -> Iterator[tuple[int, Record | BadLine]]:
        """(line number, raw record or why there is none), streamed in the source's order. Never raises
        for a bad line; SourceError only if nothing at all can be read."""


class CsvSource:
    """CSV (RFC 4180) with a header row; the delimiter (comma, semicolon, tab) is read off the header."""

    def __init__(self, name: str, opener: Opener, *, limit: int = MAX_LINE_BYTES) -> None:
        self.name = name
        self._opener = opener
        self._limit = limit

    def records(self) -> Iterator[tuple[int, Record | BadLine]]:
        with self._opener() as stream:
            # The limit is csv's own and process-wide; it only ever grows, and the record's bound holds.
            csv.field_size_limit(max(csv.field_size_limit(), self._limit))
            lines = _CsvLines(stream, self._limit)
            header = lines.header(self.name)
            if header is not None:
                names, delimiter = header
                yield from _rows(lines, names, delimiter)


def open_source(
    location: str,
    *,
    format_name: str | None = None,
    stdin: BufferedReader | None = None,
    limit: int = MAX_LINE_BYTES,
) -> Source:
    """The source at a path, or standard input for ``-`` (JSON Lines unless ``format_name`` says otherwise).

    ``format_name`` is a key of ``FORMATS`` or ``PLACES``; without it the suffix decides. SourceError
    at once for a file that is missing or of an unknown format.
    """
    if location == "-":
        stream = stdin if stdin is not None else cast("BufferedReader", sys.stdin.buffer)
        return _format_named(format_name or "jsonl", location)(
            "standard input", lambda: unpacked(stream, name="standard input"), limit=limit
        )
    path = Path(location)
    chosen = format_name or _format_of(path)
    if chosen in PLACES:
        return PLACES[chosen](path, limit=limit)
    make = _format_named(chosen, location)
    if not path.is_fifo():  # whose bytes can be read only once
        open_bytes(path).close()
    return make(str(path), lambda: open_bytes(path), limit=limit)


class _Factory(Protocol):
    def __call__(self, name: str, opener: Opener, *, limit: int) -> Source: ...


class _PlaceFactory(Protocol):
    def __call__(self, path: Path, *, limit: int) -> Source: ...


FORMATS: dict[str, _Factory] = {"jsonl": JsonlSource, "csv": CsvSource}
"""Formats that are read as a stream."""
PLACES: dict[str, _PlaceFactory] = {"parquet": ParquetRows, "markdown": MarkdownFolder}
"""Formats that need a file or folder to go about in."""


def _format_of(path: Path) -> str:
    if path.is_dir():
        return "markdown"
    if path.suffix.lower() in _PLACE_SUFFIXES:
        return _PLACE_SUFFIXES[path.suffix.lower()]
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    format_name = _SUFFIXES.get(suffix.lower())
    if format_name is None:
        known = ", ".join([*(f"{known} and {known}.gz" for known in _SUFFIXES), *_PLACE_SUFFIXES])
        raise SourceError(
            f"{path}: no format goes by the suffix {suffix!r} (known: {known}). Say --format jsonl or csv"
        )
    return format_name


def _format_named(name: str, location: str) -> _Factory:
    if name in PLACES:
        raise SourceError(f"{location}: {name} cannot be read from a stream; give its path")
    if name not in FORMATS:
        raise SourceError(
            f"{location}: unknown format {name!r}; say --format {' or '.join([*FORMATS, *PLACES])}"
        )
    return FORMATS[name]


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
        self.number = 0
        self.start_record()

    def start_record(self) -> None:
        self.first = self.number + 1
        self.taken = 0
        self.valid = True
        self.excerpt = ""

    def __iter__(self) -> _CsvLines:
        return self

    def __next__(self) -> str:
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
        except UnicodeDecodeError:
            self.valid = False
            return line.decode("utf-8", "replace") + "\n"

    def header(self, name: str) -> tuple[list[str], str] | None:
        """Column names and delimiter; None if the source has no line at all."""
        try:
            text = next(self)
            delimiter = max(",;\t", key=text.count)
            names = [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter, strict=True))]
        except StopIteration:
            return None
        except (csv.Error, _UnreadableLineError) as error:
            raise SourceError(f"{name}, line 1: the header cannot be read ({error})") from error
        twice = sorted({column for column in names if names.count(column) > 1})
        if twice:
            raise SourceError(
                f"{name}, line 1: the header names {', '.join(map(repr, twice))} twice; rename one"
            )
        return names, delimiter


def _rows(lines: _CsvLines, names: list[str], delimiter: str) -> Iterator[tuple[int, Record | BadLine]]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.start_record()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except _UnreadableLineError as error:
            yield lines.first, error.bad
            continue
        except csv.Error as error:
            yield lines.first, BadLine(f"not CSV: {error}", lines.excerpt)
            continue
        if not lines.valid:
            yield lines.first, BadLine("invalid UTF-8 in the record", lines.excerpt)
        elif len(cells) == len(names):
            yield lines.first, {name: cell for name, cell in zip(names, cells, strict=True) if cell}
        elif cells:
            reason = f"{len(cells)} columns where the header has {len(names)}"
            yield lines.first, BadLine(reason, lines.excerpt)
