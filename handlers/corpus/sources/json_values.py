"""JSON that is no JSON Lines: an array of objects, or objects laid out over several lines."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from io import BufferedReader
from typing import IO, Any, cast

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
_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]"]', re.DOTALL)
_NO_VALUE = re.compile(r"[^,\s{}\[\]]+|.", re.DOTALL)
_NO_UTF_8 = re.compile("[\udc80-\udcff]")
_WRAPPERS = (
    "items", "results", "data", "records", "papers", "docs", "works", "articles", "entries", "documents",
    "hits", "message", "response",
)  # fmt: skip


class JsonValues:
    """Objects of a stream of JSON text, at the memory of the largest. A record's number is its place, from 1.

    One object that only wraps a list of objects, as answers of APIs do, stands for that list. What follows an
    object that never ends is not read: nothing tells where the next one begins.
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
        if listed := self._next() == "[":
            self._at += 1
        while sign := self._next():
            if listed and sign == "]":
                self._at, listed = self._at + 1, False
                if self._next():
                    yield number + 1, BadLine("what follows the end of the array is not read")
                return
            number += 1
            value = self._value()
            if number == 1 and not listed and (wrapped := _wrapped(value)) and not self._next():
                yield from enumerate(wrapped, 1)
                return
            yield number, value
        if listed and self._end is None:
            self._end = BadLine("the array does not end: the source is cut off here")
        if self._end is not None:
            yield number + 1, self._end

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

    def _value(self) -> Record | BadLine:
        while True:
            begin = self._at
            end = self._end_of_value()
            if end:
                self._at = end
                return self._read(self._text[begin:end])
            if len(self._text) - begin > self._limit:
                return self._given_up(f"the record is longer than {self._limit} characters, or does not end")
            if not self._read_on(max(_READ, len(self._text) - begin)):
                return self._given_up("the record does not end")

    def _end_of_value(self) -> int:
        """0 if it does not end in what was read."""
        if self._text[self._at] not in '{["':
            return end_of(_NO_VALUE, self._text, self._at)
        depth = 0
        for match in _BRACKET.finditer(self._text, self._at):
            sign = match[0]
            if sign == '"':
                return 0
            depth += 1 if sign in "{[" else -1 if sign in "}]" else 0
            if depth <= 0:
                return match.end()
        return 0

    def _read(self, text: str) -> Record | BadLine:
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


def _wrapped(value: Any, depth: int = 3) -> list[Record] | None:
    """The list that an object wraps, if it is one of a usual name."""
    if not isinstance(value, dict) or not depth:
        return None
    if "title" in value or sum(isinstance(value.get(name), list) for name in _WRAPPERS) > 1:
        return None
    for name in _WRAPPERS:
        inner = value.get(name)
        if isinstance(inner, list) and inner and all(isinstance(each, dict) for each in inner):
            return inner
        if found := _wrapped(inner, depth - 1):
            return found
    return None
