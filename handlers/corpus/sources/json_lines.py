"""JSON Lines as a source."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, NoReturn, Protocol, runtime_checkable

from handlers.corpus.sources.reader import MAX_LINE_BYTES, BadLine, excerpt_of, numbered_blocks

Record = dict[str, Any]
Opener = Callable[[], IO[bytes]]
BOM = b"\xef\xbb\xbf"


@runtime_checkable
class LineSource(Protocol):
    """A source whose records are JSON objects, a line each."""

    def blocks(self) -> Iterator[tuple[int, bytes | BadLine]]:
        """(number of the first line, whole lines or why the line cannot be read), not parsed yet."""


class JsonlSource:
    """JSON Lines: one object a line, UTF-8; blank lines do not count as records."""

    def __init__(self, name: str, opener: Opener, *, limit: int = MAX_LINE_BYTES) -> None:
        self.name = name
        self._opener = opener
        self._limit = limit

    def records(self) -> Iterator[tuple[int, Record | BadLine]]:
        yield from parsed_blocks(self.blocks())

    def blocks(self) -> Iterator[tuple[int, bytes | BadLine]]:
        with self._opener() as stream:
            yield from numbered_blocks(stream, limit=self._limit)


def parsed_blocks(
    blocks: Iterable[tuple[int, bytes | BadLine]],
) -> Iterator[tuple[int, Record | BadLine]]:
    """(line number, raw record or why there is none)."""
    for first, block in blocks:
        if isinstance(block, BadLine):
            yield first, block
        else:
            for number, line in lines_of(first, block):
                yield number, parse_object(line)


def lines_of(first: int, block: bytes) -> Iterator[tuple[int, bytes]]:
    """The lines of a block that are not blank, without their ends."""
    if first == 1:
        block = block.removeprefix(BOM)
    for number, line in enumerate(block.split(b"\n"), first):
        if line and not line.isspace():
            yield number, line.rstrip(b"\r")


def parse_object(line: bytes) -> Record | BadLine:
    """One JSON object. NaN and Infinity are not JSON; nesting is bounded by the parser."""
    try:
        value = _DECODER.decode(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return BadLine(f"invalid UTF-8 at byte {error.start + 1} of the line", excerpt_of(line))
    except json.JSONDecodeError as error:
        return BadLine(f"not JSON: {error.msg} at character {error.pos + 1}", excerpt_of(line))
    except ValueError as error:
        return BadLine(f"not JSON: {error}", excerpt_of(line))
    except RecursionError:
        return BadLine("the JSON is nested too deep", excerpt_of(line))
    if not isinstance(value, dict):
        return BadLine(f"a JSON {type(value).__name__}, not an object", excerpt_of(line))
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
