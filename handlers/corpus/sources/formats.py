"""Sources of raw records, one class per format, behind one Protocol that later ones join."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from importlib import import_module
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import IO, Any, Protocol, cast

from handlers.corpus.sources.json_lines import JsonlSource, Opener
from handlers.corpus.sources.reader import MAX_LINE_BYTES, BadLine, Record, open_bytes, unpacked
from handlers.corpus.sources.source_notes import SourceNotes
from handlers.corpus.sources.text_encoding import encoding_named
from handlers.corpus.sources.utf8_stream import as_utf8
from handlers.errors import SourceError

_SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
}
_PLACE_SUFFIXES = {".parquet": "parquet", ".xlsx": "xlsx", ".xlsm": "xlsx"}
_READY = frozenset({*_SUFFIXES, *_PLACE_SUFFIXES} - {".json", ".txt"})
_MOST_LOOKED_AT = 10_000
_SAVE = "is not read; save its sheet as CSV (UTF-8) and give that file"
_EXPORT = "is not read; export the records as CSV from where it comes from, and give that file"
_INSTEAD = {
    **dict.fromkeys((".xlsb", ".xls"), f"an older workbook of Excel {_SAVE}"),
    **dict.fromkeys((".ods", ".numbers"), f"a workbook {_SAVE}"),
    **dict.fromkeys((".bib", ".ris", ".nbib", ".enw", ".xml", ".rdf"), f"a list of references {_EXPORT}"),
    **dict.fromkeys((".md", ".markdown"), "one Markdown file is no source; give the folder that it lies in"),
    **dict.fromkeys((".zip", ".7z", ".rar", ".tar", ".tgz"), "an archive is not read; unpack it first"),
}
"""What people have in place of a source → what to do."""


class Source(Protocol):
    """Where papers come from."""

    @property
    def name(self) -> str:
        """For messages: the path, or ``standard input``."""

    def records(self) -> Iterator[tuple[int, Record | BadLine]]:
        """(line number, raw record or why there is none), streamed in the source's order. Never raises
        for a bad line; SourceError only if nothing at all can be read."""


def open_source(
    location: str,
    *,
    format_name: str | None = None,
    encoding: str | None = None,
    stdin: BufferedReader | None = None,
    limit: int = MAX_LINE_BYTES,
) -> Source:
    """The source at a path, or standard input for ``-`` (JSON Lines unless ``format_name`` says otherwise).

    ``format_name`` is a key of ``FORMATS`` or ``PLACES``; without it the suffix decides. ``encoding``: as
    a user names it; without it it is found out. SourceError at once for a file that is missing or of an
    unknown format; UsageError for an unknown encoding.
    """
    notes, chosen_encoding = SourceNotes(), None if encoding is None else encoding_named(encoding)

    def decoded(stream: IO[bytes]) -> IO[bytes]:
        return as_utf8(stream, notes, chosen_encoding)

    if location == "-":
        stream = stdin if stdin is not None else cast("BufferedReader", sys.stdin.buffer)
        return _format_named(format_name or "jsonl", location)(
            "standard input",
            lambda: decoded(unpacked(stream, name="standard input")),
            limit=limit,
            notes=notes,
        )
    path = Path(location)
    chosen = format_name or _format_of(path)
    if chosen in PLACES:
        return PLACES[chosen](path, limit=limit, notes=notes)
    make = _format_named(chosen, location)
    if not path.is_fifo():  # whose bytes can be read only once
        open_bytes(path).close()
    return make(str(path), lambda: decoded(open_bytes(path)), limit=limit, notes=notes)


class _Factory(Protocol):
    def __call__(self, name: str, opener: Opener, *, limit: int, notes: SourceNotes) -> Source: ...


class _PlaceFactory(Protocol):
    def __call__(self, path: Path, *, limit: int, notes: SourceNotes) -> Source: ...


def _first_needed(module: str, name: str) -> Any:
    """A class of this room, whose module is imported when a source of it is opened: most runs read JSON."""

    def make(*arguments: Any, **named: Any) -> Source:
        made: Source = getattr(import_module(f"{__package__}.{module}"), name)(*arguments, **named)
        return made

    return make


FORMATS: dict[str, _Factory] = {"jsonl": JsonlSource, "csv": _first_needed("tables.csv_rows", "CsvSource")}
"""Formats that are read as a stream."""
PLACES: dict[str, _PlaceFactory] = {
    "parquet": _first_needed("parquet_rows", "ParquetRows"),
    "xlsx": _first_needed("tables.xlsx_rows", "XlsxRows"),
    "markdown": _first_needed("markdown_folder", "MarkdownFolder"),
}
"""Formats that need a file or folder to go about in."""


def _format_of(path: Path) -> str:
    if path.is_dir():
        return "markdown"
    if path.suffix.lower() in _PLACE_SUFFIXES:
        return _PLACE_SUFFIXES[path.suffix.lower()]
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    format_name = _SUFFIXES.get(suffix.lower())
    if (instead := _INSTEAD.get(suffix.lower())) is not None:
        raise SourceError(f"{path}: {instead}")
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


def source_at_hand(otherwise: str = "papers.jsonl") -> str:
    """What a next command may take for its source, as a shell takes it: the one file of this folder that goes
    by a source's name; ``otherwise`` where there is none, or it is for people to choose."""
    found: list[str] = []
    try:
        with os.scandir() as entries:
            for entry in islice(entries, _MOST_LOOKED_AT):
                plain = entry.name.removesuffix(".gz")
                if Path(plain).suffix.lower() in _READY and entry.is_file() and entry.name.isprintable():
                    found.append(entry.name)
    except OSError:
        return otherwise
    (name,) = found if len(found) == 1 else (otherwise,)
    return shlex.quote(f"./{name}" if name.startswith("-") else name)
