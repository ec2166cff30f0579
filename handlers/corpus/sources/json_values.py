"""JSON that is no JSON Lines: an array of objects, or objects laid out over several lines."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from io import BufferedReader
from typing import IO, cast

from handlers.corpus.sources.json_wrappers import BRACKET, list_within, row_of, rows_within
from handlers.corpus.sources.reader import (
    BREAKS,
    NO_CHARACTER_REASON,
    BadLine,
    Record,
    broken_off,
    excerpt_of,
)

Decoder = Callable[[str], Record | BadLine]
_READ = 64 * 1024
_GAP = re.compile(r"[\s,\x1e]*")
_NO_VALUE = re.compile(r"[^,\s{}\[\]]+|.", re.DOTALL)
_NO_UTF_8 = re.compile("[\udc80-\udcff]")
_EARLY = 1 << 20
"""Characters from which on an object that seems to wrap a list is not waited for to end."""


class JsonValues:
    """Objects of a stream of JSON text, at the memory of the largest. A record's number is its place, from 1.

    An object that only wraps a list of objects, as answers of APIs do, stands for that list, and a table of
    columns for its rows. What follows an object that never ends is not read: nothing tells where the next one
    begins.
    """

    def __init__(self, stream: IO[bytes], decode: Decoder, *, limit: int) -> None:
        self._stream = stream
        self._decode = decode
        self._limit = limit
        self._utf_8 = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = ""
        self._at = 0
        self._end: BadLine | None = None
        """Why there is no more, if it is not the end."""
        self._more = True

    def records(self) -> Iterator[tuple[int, Record | BadLine]]:
        number = 0
        for number, value in enumerate(self._values(), 1):
            yield number, value
        if self._end is not None:
            yield number + 1, self._end

    def _values(self) -> Iterator[Record | BadLine]:
        if self._next() == "[":
            self._at += 1
            yield from self._items()
            if self._next():
                yield BadLine("what follows the end of the array is not read")
            return
        while self._next():
            value = self._value(_EARLY)
            if isinstance(value, int):
                yield from self._items_within(value)
            elif isinstance(value, BadLine):
                yield value
            else:
                yield from rows_within(value) or (value,)

    def _items(self) -> Iterator[Record | BadLine]:
        """To the end of the array."""
        while sign := self._next():
            if sign == "]":
                self._at += 1
                return
            value = self._value(self._limit)
            if not isinstance(value, int):
                yield value if isinstance(value, BadLine) else row_of(value)
        if self._end is None:
            self._end = BadLine("the array does not end: the source is cut off here")

    def _items_within(self, depth: int) -> Iterator[Record | BadLine]:
        """Of a list that has begun and that so many objects wrap; what they have beside it is passed over."""
        yield from self._items()
        while depth and self._end is None and self._next():
            for match in BRACKET.finditer(self._text, self._at):
                if match[0] == '"':
                    break
                self._at = match.end()
                depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(match[0], 0)
                if not depth:
                    return
            left = len(self._text) - self._at
            if left > self._limit or not self._read_on(max(_READ, left)):
                self._end = self._given_up("what follows the list does not end")

    def _next(self) -> str:
        """The first character of the next value; "" at the end."""
        while True:
            self._at = end_of(_GAP, self._text, self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read_on(1):
                return ""

    def _read_on(self, wanted: int) -> bool:
        pieces = [self._text[self._at :]]
        size = 0
        while size < wanted and self._more:
            try:
                raw = cast("BufferedReader", self._stream).read1(_READ)
            except BREAKS as error:
                self._end, raw = broken_off(error), b""
            self._more = bool(raw)
            pieces.append(self._utf_8.decode(raw, final=not raw))
            size += len(pieces[-1])
        self._text, self._at = "".join(pieces).removeprefix("\ufeff") if size else pieces[0], 0
        return size > 0

    def _value(self, early: int) -> Record | BadLine | int:
        """How many objects wrap the list that has begun, where the value does not end before ``early`` or is
        no JSON, and seems to be an answer."""
        while True:
            begin = self._at
            end = self._end_of_value()
            if end:
                value = self._read(self._text[begin:end])
                if isinstance(value, BadLine) and (found := self._enter(early)):
                    return found
                self._at = end
                return value
            if len(self._text) - begin > min(early, self._limit) and (found := self._enter(early)):
                return found
            if len(self._text) - begin > self._limit:
                return self._given_up(f"the record is longer than {self._limit} characters, or does not end")
            if not self._read_on(max(_READ, len(self._text) - begin)):
                return self._enter(early) or self._given_up("the record does not end")

    def _enter(self, early: int) -> int:
        """Go to the first item of the list that an object wraps; how many do, 0 if it is none such."""
        if early != _EARLY:  # an item of a list
            return 0
        at, depth = list_within(self._text, self._at)
        self._at = at or self._at
        return depth

    def _end_of_value(self) -> int:
        """0 if it does not end in what was read."""
        if self._text[self._at] not in '{["':
            return end_of(_NO_VALUE, self._text, self._at)
        depth = 0
        for match in BRACKET.finditer(self._text, self._at):
            sign = match[0]
            if sign == '"':
                return 0
            depth += 1 if sign in "{[" else -1 if sign in "}]" else 0
            if depth <= 0:
                return match.end()
        return 0

    def _read(self, text: str) -> Record | BadLine:
        if len(text) > self._limit:
            return BadLine(f"the record is longer than {self._limit} characters", excerpt_of(text))
        if _NO_UTF_8.search(text):
            return BadLine(NO_CHARACTER_REASON, excerpt_of(text))
        return self._decode(text)

    def _given_up(self, reason: str) -> BadLine:
        excerpt = excerpt_of(self._text[self._at :])
        self._text, self._at, self._more = "", 0, False
        return BadLine(f"{reason}; what follows is not read", excerpt)


def end_of(pattern: re.Pattern[str], text: str, at: int = 0) -> int:
    """Where what the pattern matches at a place ends; the place itself if that is nothing."""
    found = pattern.match(text, at)
    return found.end() if found else at
