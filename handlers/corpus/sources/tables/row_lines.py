"""The lines of a CSV source as ``csv.reader`` takes them, of which a broken record's can be read again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, NoReturn

from handlers.corpus.sources.json_lines import BOM
from handlers.corpus.sources.reader import (
    EXCERPT_CHARACTERS,
    BadLine,
    excerpt_of,
    numbered_lines,
    undecodable,
)

_TIMES = 3
"""How often all lines may be read again on average, so that no source takes the square of its size."""


class UnreadableLineError(Exception):
    """A line that no row can be read from."""

    def __init__(self, bad: BadLine) -> None:
        super().__init__(bad.reason)
        self.bad = bad


class RowLines:
    """Keeps what ``csv.reader`` does not tell: a record's lines, and whether they are UTF-8.

    An iterator class and not a generator: the reader goes on after an exception went through it.
    """

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._lines = numbered_lines(stream, limit=limit)
        self._limit = limit
        self._again = b""
        """Lines that are read once more, with their ends, from ``_at`` on."""
        self._at = 0
        self._is_again = False
        self._put_off: tuple[int, bytes | BadLine] | None = None
        """One line of the stream's that was looked at, and comes after those."""
        self._record = bytearray()
        self._allowed = 0
        self.number = 0
        self.first = 1
        self.invalid = ""

    def start_record(self) -> None:
        self.first = self.number + 1
        self._record.clear()
        self.invalid = ""

    def __iter__(self) -> RowLines:
        return self

    def __next__(self) -> str:
        number, line = self._next()
        if isinstance(line, BadLine):
            self._refuse(number, line, line)
        if len(self._record) + len(line) + 1 > self._limit:
            self._refuse(number, line, BadLine(f"the record is longer than {self._limit} bytes"))
        self.number = number
        self._record += line + b"\n"
        try:
            return line.decode("utf-8") + "\n"
        except UnicodeDecodeError as error:
            self.invalid = undecodable(error)
            return line.decode("utf-8", "replace") + "\n"

    def _next(self) -> tuple[int, bytes | BadLine]:
        self._is_again = self._at < len(self._again)
        if self._is_again:
            end = self._again.index(b"\n", self._at)
            line, self._at = self._again[self._at : end], end + 1
            return self.number + 1, line
        if self._put_off is not None:
            item, self._put_off = self._put_off, None
            return item
        number, read = next(self._lines)
        if isinstance(read, bytes):
            read = read.removeprefix(BOM) if number == 1 else read
            self._allowed += _TIMES * (len(read) + 1)
        return number, read

    def _put_back(self, number: int, line: bytes | BadLine) -> None:
        if self._is_again and isinstance(line, bytes):
            self._at -= len(line) + 1
        else:
            self._put_off = number, line

    def _refuse(self, number: int, line: bytes | BadLine, bad: BadLine) -> NoReturn:
        """A line after others of a record is read on its own then."""
        if self._record:
            self._put_back(number, line)
        else:
            self.number = number
            self._record += line[: 4 * EXCERPT_CHARACTERS] if isinstance(line, bytes) else b""
        raise UnreadableLineError(bad)

    @property
    def excerpt(self) -> str:
        """How the record begins."""
        return excerpt_of(bytes(self._record[: 4 * EXCERPT_CHARACTERS]).partition(b"\n")[0])

    @property
    def first_line(self) -> str:
        return self._record.partition(b"\n")[0].decode("utf-8", "replace")

    def later_lines(self) -> Iterator[tuple[int, str]]:
        """(place in the record's bytes, line) of all lines of the record but the first."""
        at = self._record.find(b"\n") + 1
        while 0 < at < len(self._record):
            end = self._record.index(b"\n", at)
            yield at, self._record[at:end].decode("utf-8", "replace")
            at = end + 1

    def ahead(self) -> str:
        """The line that comes next; "" at the end and for one that cannot be read."""
        try:
            item = self._next()
        except StopIteration:
            return ""
        self._put_back(*item)
        return item[1].decode("utf-8", "replace") if isinstance(item[1], bytes) else ""

    def next_that_is_not_blank(self) -> str:
        while not (text := next(self)).strip():
            self.start_record()
        return text

    def span(self) -> str:
        more = self.number - self.first
        return f"; with it lines {self.first + 1} to {self.number}" if more > 0 else ""

    def give_again(self, at: int = 0) -> bool:
        """The record's lines from a place in its bytes on, which are no part of it then. False if so much was
        read again that a source could take the square of its time."""
        size = len(self._record) - at
        if size > self._allowed:
            return False
        self._allowed -= size
        self.number -= self._record.count(b"\n", at)
        if self._at < len(self._again):  # all of the record came from there
            self._at -= size
        else:
            self._again, self._at = bytes(self._record[at:]), 0
        del self._record[at:]
        return True
