"""Bytes of a source as numbered lines, at constant memory whatever the bytes are."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, cast

from handlers.errors import SourceError

MAX_LINE_BYTES = 16 * 1024 * 1024
EXCERPT_CHARACTERS = 160
BLOCK_BYTES = 256 * 1024
_SKIP_BYTES = 1 << 20
NO_CHARACTER = b"\xfe"
"""Stands for bytes that are no character of the source's encoding: never part of UTF-8, so whoever decodes
the line refuses it."""
NO_CHARACTER_REASON = "bytes that are no character of the source's encoding"
_GZIP_MAGIC = b"\x1f\x8b"


Record = dict[str, Any]
"""As it stands in the source, by the source's names."""


@dataclass(frozen=True)
class BadLine:
    """A line that is no record: why, and how it begins."""

    reason: str
    excerpt: str = ""


class _Unpacked(gzip.GzipFile):
    """Closes what it reads from, which GzipFile leaves open."""

    def __init__(self, packed: BufferedReader) -> None:
        super().__init__(fileobj=packed, mode="rb")
        self._packed = packed

    def close(self) -> None:
        super().close()
        self._packed.close()


def excerpt_of(raw: bytes | str) -> str:
    """The first 160 characters, printable and on one line."""
    text = raw[: EXCERPT_CHARACTERS * 4].decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    return "".join(char if char.isprintable() else " " for char in text[:EXCERPT_CHARACTERS]).strip()


def undecodable(error: UnicodeDecodeError) -> str:
    """The reason for a line that is not UTF-8, or was none before it was decoded from its encoding."""
    if error.object[error.start] == NO_CHARACTER[0]:
        return NO_CHARACTER_REASON
    return f"invalid UTF-8 at byte {error.start + 1} of the line"


def open_bytes(path: Path) -> IO[bytes]:
    """The file's content, unpacked if it is gzip. SourceError names what is wrong and the fix."""
    if path.is_dir():
        raise SourceError(
            f"{path} is a folder: give a .jsonl, .jsonl.gz, .csv or .csv.gz file, or - for standard input"
        )
    try:
        stream = path.open("rb")
    except FileNotFoundError as error:
        raise SourceError(f"{path} does not exist: check the path, or give - for standard input") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be opened: {error.strerror}") from error
    try:
        return unpacked(stream, name=str(path), packed=path.suffix == ".gz")
    except SourceError:
        stream.close()
        raise


def unpacked(stream: BufferedReader, *, name: str, packed: bool = False) -> IO[bytes]:
    """Gzip is known by its first bytes; a name in ``.gz`` without them is an error (``packed``)."""
    head = stream.peek(2)[:2]
    if head == _GZIP_MAGIC:
        return cast("IO[bytes]", _Unpacked(stream))
    if packed and head:
        raise SourceError(f"{name} ends in .gz but is not gzip: rename it, or pack it again")
    return stream


def numbered_blocks(
    stream: IO[bytes], *, limit: int = MAX_LINE_BYTES
) -> Iterator[tuple[int, bytes | BadLine]]:
    """``numbered_lines`` for whoever splits the lines: (number of its first line, a block of whole lines with
    their ends), or a line's number and why it cannot be read. Only a line that is longer makes a block larger
    than ``BLOCK_BYTES``."""
    number, buffer = 1, bytearray()
    read = cast("BufferedReader", stream).read1
    size = min(BLOCK_BYTES, limit)
    try:
        while piece := read(size - len(buffer) if len(buffer) < size else size):
            buffer += piece
            if len(buffer) < size:
                continue
            whole = buffer.rfind(b"\n") + 1
            if whole:
                for item in _bounded(number, _taken(buffer, whole), limit):
                    yield item
                    number += _lines_of(item[1])
            elif len(buffer) > limit + 2:
                yield number, _too_long(buffer, limit)
                buffer.clear()
                _pass_over(stream)
                number += 1
        if buffer:
            yield from _bounded(number, bytes(buffer), limit)
    except BREAKS as error:
        if whole := buffer.rfind(b"\n") + 1:
            block = bytes(buffer[:whole])
            yield from _bounded(number, block, limit)
            number += _lines_of(block)
        yield number, broken_off(error)


def _taken(buffer: bytearray, size: int) -> bytes:
    """The first bytes, which are held no longer."""
    with memoryview(buffer) as view:
        block = bytes(view[:size])
    del buffer[:size]
    return block


def _bounded(number: int, block: bytes, limit: int) -> Iterator[tuple[int, bytes | BadLine]]:
    """The block without its first line, should that be too long: only the first can be."""
    if len(block) > limit:
        first, _, rest = block.partition(b"\n")
        if len(first.rstrip(b"\r")) > limit:
            yield number, _too_long(first, limit)
            number, block = number + 1, rest
    if block:
        yield number, block


def _lines_of(item: bytes | BadLine) -> int:
    return 1 if isinstance(item, BadLine) else item.count(b"\n")


def _too_long(line: bytes | bytearray, limit: int) -> BadLine:
    begin = bytes(line[: min(limit + 2, EXCERPT_CHARACTERS * 4)])
    return BadLine(f"the line is longer than {limit} bytes", excerpt_of(begin))


def _pass_over(stream: IO[bytes]) -> None:
    """To the end of a line, piecewise."""
    while (piece := stream.readline(_SKIP_BYTES)) and not piece.endswith(b"\n"):
        pass


BREAKS = (EOFError, zlib.error, OSError)
"""``gzip.BadGzipFile`` is an OSError."""


def broken_off(error: Exception) -> BadLine:
    if isinstance(error, EOFError):
        return BadLine("the gzip data is cut off here: what came before it was read")
    if isinstance(error, (zlib.error, gzip.BadGzipFile)):
        return BadLine(f"the gzip data is corrupt from about here on ({error}): what came before it was read")
    strerror = error.strerror if isinstance(error, OSError) else None
    return BadLine(f"the source cannot be read on from here ({strerror or error})")


def numbered_lines(
    stream: IO[bytes], *, limit: int = MAX_LINE_BYTES
) -> Iterator[tuple[int, bytes | BadLine]]:
    """(line number from 1, line without its end, or why it cannot be read).

    A line over ``limit`` bytes is passed over piecewise. Where the stream breaks off (a cut or corrupt
    gzip, a read error) the last item says so; all lines before it were given.
    """
    number = 1
    try:
        while line := stream.readline(limit + 2):
            bare = line.rstrip(b"\r\n")
            if len(bare) > limit:
                yield number, _too_long(line, limit)
                if not line.endswith(b"\n"):
                    _pass_over(stream)
            else:
                yield number, bare
            number += 1
    except BREAKS as error:
        yield number, broken_off(error)
