"""A source's bytes as UTF-8 with line feeds, whatever encoding and line ends it has."""

from __future__ import annotations

import codecs
import re
from io import BufferedReader, RawIOBase
from typing import IO, TYPE_CHECKING, cast

from handlers.corpus.sources.reader import BLOCK_BYTES, BREAKS
from handlers.corpus.sources.source_notes import SourceNotes
from handlers.corpus.sources.text_encoding import SAMPLE_BYTES, encoding_of, marked, shown

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_HIGH_BYTE = re.compile(rb"[\x80-\xff]")

_SIGNS_OF_UTF_8 = re.compile(rb"[\xe0-\xef][\x80-\xbf]{2}|[\xc3-\xcb][\x80-\xbf](?=[A-Za-z])")
"""A character of three bytes, or a Latin letter inside a word: two of another encoding may be sound UTF-8 by
accident, these hardly."""
_LONGEST_LINE = 1 << 24


def _is_utf_8(line: bytes) -> bool:
    if line.isascii():
        return True
    try:
        return bool(_SIGNS_OF_UTF_8.search(line) and line.decode())
    except UnicodeDecodeError:
        return False


def _as_no_character(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcfe", error.end


codecs.register_error("paperfleet.no_character", _as_no_character)


def as_utf8(stream: IO[bytes], notes: SourceNotes, encoding: str | None = None) -> IO[bytes]:
    """The stream decoded from ``encoding`` (Python's name; None: find it out), which ``notes`` are told.
    Closing it closes ``stream``."""
    raw = _Utf8Stream(stream, notes, encoding)
    return cast("IO[bytes]", BufferedReader(raw, buffer_size=BLOCK_BYTES))


def _decoded(line: bytes, encoding: str) -> bytes:
    return line.decode(encoding, "paperfleet.no_character").encode("utf-8", "surrogateescape")


class _Utf8Stream(RawIOBase):
    def __init__(self, stream: IO[bytes], notes: SourceNotes, encoding: str | None) -> None:
        self._stream = stream
        self._notes = notes
        self._encoding = encoding
        self._decoder: codecs.IncrementalDecoder | None = None
        self._ready = b""
        self._begun = self._undecided = self._only_returns = False
        self._ended = False
        self._by_line: str | None = None
        """The encoding that was guessed, for the lines that are not UTF-8."""
        self._left = b""
        self._broken: Exception | None = None

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        target = memoryview(buffer).cast("B")
        while not self._ready:
            if self._ended:
                if self._broken:
                    raise self._broken
                return 0
            self._ready = self._next(len(target))
        size = min(len(target), len(self._ready))
        target[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _next(self, size: int) -> bytes:
        if not self._begun:
            self._begun = True
            return self._first()
        raw = self._read(size)
        if self._undecided and not raw.isascii():
            raw = self._decided(raw)
        return self._translated(raw)

    def _first(self) -> bytes:
        raw = self._read_up_to(b"", SAMPLE_BYTES)
        if self._encoding is None and (found := marked(raw)):
            self._read_as(found, guessed=True)
        elif self._encoding is not None:
            # Without a mark Windows' order is meant.
            family = self._encoding if self._encoding in ("utf_16", "utf_32") else None
            found = marked(raw) if family else None
            self._read_as(found or (f"{family}_le" if family else self._encoding))
        elif raw.isascii():
            self._undecided = True
        else:
            raw = self._decided(raw)
        text = self._translated(raw)
        if b"\r" in text and b"\n" not in text:
            self._only_returns = True
            text = text.replace(b"\r", b"\n")
        return text

    def _decided(self, raw: bytes) -> bytes:
        """``raw`` and what was read to decide on its encoding."""
        self._undecided = False
        high = _HIGH_BYTE.search(raw)
        first = high.start() if high else len(raw)
        begin = max(raw.rfind(b"\n", 0, first), raw.rfind(b"\r", 0, first)) + 1
        raw = self._read_up_to(raw, first + SAMPLE_BYTES)
        found = encoding_of(raw[begin : first + SAMPLE_BYTES])
        if found is None:
            self._notes.undecided = True
        elif found != "utf_8":
            self._read_as(found, guessed=True)
            self._by_line = found
        return raw

    def _read_as(self, encoding: str, *, guessed: bool = False) -> None:
        self._notes.encoding, self._notes.guessed = shown(encoding), guessed
        if encoding != "utf_8":
            self._decoder = codecs.getincrementaldecoder(encoding)("paperfleet.no_character")

    def _translated(self, raw: bytes) -> bytes:
        if self._by_line is not None:
            raw = self._lines_translated(raw, self._by_line)
        elif self._decoder is not None:
            raw = self._decoder.decode(raw, final=self._ended).encode("utf-8", "surrogateescape")
        return raw.replace(b"\r", b"\n") if self._only_returns else raw

    def _lines_translated(self, raw: bytes, encoding: str) -> bytes:
        """A line that is UTF-8 stays: what was guessed of others says nothing of it."""
        raw = self._left + raw
        whole = self._ended or len(raw) > _LONGEST_LINE
        end = len(raw) if whole else max(raw.rfind(b"\n"), raw.rfind(b"\r")) + 1
        self._left = raw[end:]
        lines = raw[:end].splitlines(keepends=True)
        return b"".join(line if _is_utf_8(line) else _decoded(line, encoding) for line in lines)

    def _read(self, size: int) -> bytes:
        """b"" at the end, or where the stream breaks off, which is raised once all before it was given."""
        try:
            raw = cast("BufferedReader", self._stream).read1(size)
        except BREAKS as error:
            self._broken, raw = error, b""
        self._ended = not raw
        return raw

    def _read_up_to(self, raw: bytes, size: int) -> bytes:
        pieces, total = [raw], len(raw)
        while total < size and (piece := self._read(size - total)):
            pieces.append(piece)
            total += len(piece)
        return b"".join(pieces)
