"""Records of a source, prepared chunk by chunk, in their order; on a large source by other processes.

What a record is by itself (parsing, cleaning, digests, its canonical line) takes two thirds of an ingest and
needs nothing of the records before it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial
from itertools import chain
from typing import NamedTuple

from handlers.corpus.fields.field_text import RecordError
from handlers.corpus.normalise import Normaliser, Prepared
from handlers.corpus.sources.json_lines import lines_of, parsed_line
from handlers.corpus.sources.reader import BLOCK_BYTES, BadLine, Record, excerpt_of
from handlers.parallel import may_fork, ordered_map

Item = tuple[int, bytes | Record | BadLine]
"""(line number, a block of lines from there on, a parsed record, or why there is none)."""
Chunk = list[Item]

CHUNK_ITEMS = 500
CHUNK_BYTES = BLOCK_BYTES
"""A chunk is closed by the first that is reached. A few of them are in memory at a time."""
_ALONE = 4
"""Chunks that are prepared before other processes are started: small sources are not worth it."""


class Refused(NamedTuple):
    """A record that is no paper."""

    number: int
    reason: str
    excerpt: str


def prepared(
    items: Iterator[Item],
    normaliser: Normaliser,
    *,
    processes: int = 1,
    alongside: Callable[[], None] | None = None,
) -> Generator[tuple[Chunk, list[Prepared | Refused]], None, None]:
    """Each chunk with what came of its items, whoever prepared it. ``processes``: as many more than this
    one at most; 1 and fewer stands for none. ``alongside`` is called in a thread once they are started."""
    chunks = _chunks(items)
    for _, chunk in zip(range(_ALONE), chunks, strict=False):
        yield chunk, prepare(chunk, normaliser)
    if processes > 1 and may_fork() and (first := next(chunks, None)) is not None:
        work = partial(prepare, normaliser=normaliser)
        yield from ordered_map(work, chain((first,), chunks), processes=processes, alongside=alongside)
    else:
        for chunk in chunks:
            yield chunk, prepare(chunk, normaliser)


def prepare(chunk: Chunk, normaliser: Normaliser) -> list[Prepared | Refused]:
    return [_prepare(number, record, normaliser) for number, record in _records(chunk)]


def _records(chunk: Chunk) -> Iterator[tuple[int, Record | BadLine]]:
    for number, item in chunk:
        if isinstance(item, bytes):
            for each, line in lines_of(number, item):
                for value in parsed_line(line):
                    yield each, value
        else:
            yield number, item


def _prepare(number: int, record: Record | BadLine, normaliser: Normaliser) -> Prepared | Refused:
    if isinstance(record, BadLine):
        return Refused(number, record.reason, record.excerpt)
    try:
        return normaliser.prepare(number, record)
    except RecordError as error:
        return Refused(number, str(error), _excerpt(record))


def excerpts_of(chunk: Chunk) -> dict[int, str]:
    """The first fields of each record by its number, for the rejects."""
    return {number: _excerpt(record) for number, record in _records(chunk)}


def _excerpt(record: Record | BadLine) -> str:
    if isinstance(record, BadLine):
        return record.excerpt
    return excerpt_of(", ".join(f"{key}={str(value)[:60]}" for key, value in list(record.items())[:8]))


def _chunks(items: Iterator[Item]) -> Iterator[Chunk]:
    chunk: Chunk = []
    size = 0
    for item in items:
        chunk.append(item)
        size += _size(item[1])
        if size >= CHUNK_BYTES or len(chunk) >= CHUNK_ITEMS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _size(item: bytes | Record | BadLine) -> int:
    if isinstance(item, bytes):
        return len(item)
    if isinstance(item, BadLine):
        return 0
    return sum(len(value) for value in item.values() if isinstance(value, str | list | dict))
