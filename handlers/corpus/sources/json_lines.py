"""JSON Lines as a source."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BufferedReader
from typing import IO, Any, Protocol, cast, runtime_checkable

from handlers.corpus.sources.json_values import JsonValues, end_of
from handlers.corpus.sources.json_wrappers import list_within, row_of, rows_within
from handlers.corpus.sources.reader import (
    MAX_LINE_BYTES,
    BadLine,
    Record,
    excerpt_of,
    numbered_blocks,
    undecodable,
)
from handlers.corpus.sources.source_notes import SourceNotes

Opener = Callable[[], IO[bytes]]
Block = bytes | Record | BadLine
BOM = b"\xef\xbb\xbf"


@runtime_checkable
class LineSource(Protocol):
    """A source whose records are JSON objects, a line each."""

    def blocks(self) -> Iterator[tuple[int, Block]]:
        """(number of the first line, whole lines not parsed yet, or why the line cannot be read); or
        (a record's place, the record) where records are no lines."""


class JsonlSource:
    """JSON Lines: one object a line; blank lines do not count as records. An array, or objects that are laid
    out over several lines, are taken as well."""

    def __init__(
        self, name: str, opener: Opener, *, limit: int = MAX_LINE_BYTES, notes: SourceNotes | None = None
    ) -> None:
        self.name = name
        self.notes = notes or SourceNotes()
        self._opener = opener
        self._limit = limit

    def records(self) -> Iterator[tuple[int, Record | BadLine]]:
        yield from parsed_blocks(self.blocks())

    def blocks(self) -> Iterator[tuple[int, Block]]:
        with self._opener() as stream:
            if _is_laid_out(cast("BufferedReader", stream).peek(1)):
                yield from JsonValues(stream, _decoded, limit=self._limit).records()
            else:
                yield from numbered_blocks(stream, limit=self._limit)


def _is_laid_out(head: bytes) -> bool:
    """Whether lines are no records: it begins as an array, as an object that wraps others, or as one that
    goes on in the next line."""
    first, _, rest = head.removeprefix(BOM).lstrip(b" \t\r\n\x1e").partition(b"\n")
    rest = rest.lstrip()
    if first.startswith(b"["):
        return not (rest and _is_json(first))
    if not first.startswith(b"{"):
        return False
    value = parse_object(first)
    if not isinstance(value, BadLine):
        return bool(rows_within(value))
    text = first.decode("utf-8", "replace")
    if list_within(text, 0)[1] or _FIRST_COLUMN.match(text):
        return True
    return bool(rest) and not rest.startswith(b"{") and not _is_json(first)


def _is_json(line: bytes) -> bool:
    value = parse_object(line)
    return not isinstance(value, BadLine) or value.reason.startswith((_NO_OBJECT[1], _SEVERAL))


def parsed_blocks(
    blocks: Iterable[tuple[int, Block]],
) -> Iterator[tuple[int, Record | BadLine]]:
    """(line number, raw record or why there is none)."""
    for first, block in blocks:
        if not isinstance(block, bytes):
            yield first, block
        else:
            for number, line in lines_of(first, block):
                for value in parsed_line(line):
                    yield number, value


def lines_of(first: int, block: bytes) -> Iterator[tuple[int, bytes]]:
    """The lines of a block that are not blank, without their ends."""
    if first == 1:
        block = block.removeprefix(BOM)
    for number, line in enumerate(block.split(b"\n"), first):
        if line and not line.isspace():
            yield number, line.rstrip(b"\r")


def parsed_line(line: bytes) -> Sequence[Record | BadLine]:
    """The object of a line, or why there is none; the objects where several were written without a break."""
    value = parse_object(line)
    if isinstance(value, BadLine):
        return (value.reason.startswith(_NO_OBJECT) and _objects(line.decode("utf-8"))) or (value,)
    return (row_of(value),) if "_source" in value else (value,)


def parse_object(line: bytes) -> Record | BadLine:
    """One JSON object. NaN and Infinity, which are not JSON but written by many, are null; a control
    character in a text is taken as it is; nesting is bounded by the parser."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        return BadLine(undecodable(error), excerpt_of(line))
    return _decoded(text)


def _decoded(line: str) -> Record | BadLine:
    try:
        value = _DECODER.decode(line)
    except json.JSONDecodeError as error:
        return BadLine(f"not JSON: {error.msg} at character {error.pos + 1}", excerpt_of(line))
    except ValueError as error:
        return BadLine(f"not JSON: {error}", excerpt_of(line))
    except RecursionError:
        return BadLine("the JSON is nested too deep", excerpt_of(line))
    if not isinstance(value, dict):
        return BadLine(f"a JSON {type(value).__name__}, not an object", excerpt_of(line))
    return value


def _objects(text: str) -> list[Record | BadLine]:
    """Objects one after the other, with nothing but blanks, commas, marks or record separators (RFC 7464)
    between them, a list of objects, or an object in a text. [] if they are none."""
    found: list[Record | BadLine] = []
    at = end_of(_BETWEEN, text)
    try:
        while at < len(text):
            value, at = _DECODER.raw_decode(text, at)
            if isinstance(value, str) and value.startswith("{"):
                value = _DECODER.decode(value)
            values = value if isinstance(value, list) else [value]
            if not all(isinstance(each, dict) for each in values):
                return []
            found += values
            at = end_of(_BETWEEN, text, at)
    except (ValueError, RecursionError):
        return []
    return found


def _unambiguous(pairs: list[tuple[str, Any]]) -> Record:
    """ValueError where a key stands twice with different values, which readers take differently."""
    fields = dict(pairs)
    if len(fields) == len(pairs):
        return fields
    fields = {}
    for key, value in pairs:
        known = fields.get(key)
        if known and value and known != value:
            raise ValueError(f"the key {key[:40]!r} stands twice with different values")
        fields[key] = known or value
    return fields


_NO_OBJECT = ("not JSON", "a JSON ")
_SEVERAL = "not JSON: Extra data"
_BETWEEN = re.compile(r"[\s,\x00\x1e\ufeff\u200b]*")
_FIRST_COLUMN = re.compile(r'\{\s*"[^"\\]{1,60}"\s*:\s*\{\s*"0"\s*:')
_DECODER = json.JSONDecoder(parse_constant=lambda _: None, object_pairs_hook=_unambiguous, strict=False)
