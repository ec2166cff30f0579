"""Bytes of a source as numbered lines, at constant memory whatever the bytes are."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, cast

from handlers.errors import SourceError

MAX_LINE_BYTES = 16 * 1024 * 1024
EXCERPT_CHARACTERS = 160
_SKIP_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


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
    if head in _UTF16_MARKS:
        raise SourceError(f"{name} is UTF-16: convert it to UTF-8 first, as by `iconv -f UTF-16 -t UTF-8`")
    if packed and head:
        raise SourceError(f"{name} ends in .gz but is not gzip: rename it, or pack it again")
    return stream


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
                yield number, BadLine(f"the line is longer than {limit} bytes", excerpt_of(line))
                while not line.endswith(b"\n") and line:
                    line = stream.readline(_SKIP_BYTES)
            else:
                yield number, bare
            number += 1
    except EOFError:
        yield number, BadLine("the gzip data is cut off here: what came before it was read")
    except (zlib.error, gzip.BadGzipFile) as error:
        yield (
            number,
            BadLine(f"the gzip data is corrupt from about here on ({error}): what came before it was read"),
        )
    except OSError as error:
        yield number, BadLine(f"the source cannot be read on from here ({error.strerror or error})")
