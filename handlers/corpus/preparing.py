"""Records of a source, prepared chunk by chunk, in their order; on a large source by other processes.

What a record is by itself (parsing, cleaning, digests, its canonical line) takes two thirds of an ingest and
needs nothing of the records before it.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import NamedTuple

from handlers.corpus.json_lines import Record, lines_of, parse_object
from handlers.corpus.reader import BLOCK_BYTES, BadLine, excerpt_of
from handlers.corpus.records import Normaliser, Prepared, RecordError

Item = tuple[int, bytes | Record | BadLine]
"""(line number, a block of lines from there on, a parsed record, or why there is none)."""
Chunk = list[Item]

CHUNK_ITEMS = 500
CHUNK_BYTES = BLOCK_BYTES
"""A chunk is closed by the first that is reached. A few of them are in memory at a time."""
_ALONE = 4
"""Chunks that are prepared before other processes are started: small sources are not worth it."""


_TURN = 0.0002
"""Seconds."""


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
    meanwhile: Callable[[], None] | None = None,
) -> Iterator[tuple[Chunk, list[Prepared | Refused]]]:
    """Each chunk with what came of its items, whoever prepared it. ``processes``: as many more than this
    one at most; 1 and fewer stands for none. ``meanwhile`` is called in a thread once they are started."""
    chunks = _chunks(items)
    for _, chunk in zip(range(_ALONE), chunks, strict=False):
        yield chunk, prepare(chunk, normaliser)
    # A fork beside running threads might find one of their locks held for good.
    if processes > 1 and threading.active_count() == 1 and (first := next(chunks, None)) is not None:
        yield from _shared(_again(first, chunks), normaliser, processes, meanwhile)
    else:
        for chunk in chunks:
            yield chunk, prepare(chunk, normaliser)


def prepare(chunk: Chunk, normaliser: Normaliser) -> list[Prepared | Refused]:
    return [_prepare(number, record, normaliser) for number, record in _records(chunk)]


def _records(chunk: Chunk) -> Iterator[tuple[int, Record | BadLine]]:
    for number, item in chunk:
        if isinstance(item, bytes):
            for each, line in lines_of(number, item):
                yield each, parse_object(line)
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


def _again(first: Chunk, rest: Iterator[Chunk]) -> Iterator[Chunk]:
    yield first
    yield from rest


def _shared(
    chunks: Iterator[Chunk], normaliser: Normaliser, processes: int, meanwhile: Callable[[], None] | None
) -> Iterator[tuple[Chunk, list[Prepared | Refused]]]:
    """Chunk n is worker n's, modulo their number. A worker gets a chunk only when it has answered the one
    before: a pipe holds less than a chunk, and both ends would wait for each other."""
    workers: list[_Worker] = []
    at_work: deque[tuple[_Worker, Chunk]] = deque()
    beside = _Beside(meanwhile)
    try:
        for chunk in chunks:
            if len(workers) < processes:
                worker, done = _Worker(normaliser, workers), None
                workers.append(worker)
            else:
                beside.begin()
                worker, sent = at_work.popleft()
                done = sent, worker.results(sent)
            worker.send(chunk)
            at_work.append((worker, chunk))
            if done is not None:
                yield done
        for worker, sent in at_work:
            yield sent, worker.results(sent)
    finally:
        for worker in workers:
            worker.close()
        beside.end()


class _Beside:
    """A thread that takes turns with this one more often than threads do: whoever waits for a worker's answer
    would else leave the workers idle for 5 ms at each system call."""

    def __init__(self, call: Callable[[], None] | None) -> None:
        self._thread = None if call is None else threading.Thread(target=call, name="meanwhile")
        self._before = sys.getswitchinterval()

    def begin(self) -> None:
        """Once; no process may be forked from now on until the end."""
        if self._thread is not None and self._thread.ident is None:
            sys.setswitchinterval(_TURN)
            self._thread.start()

    def end(self) -> None:
        if self._thread is not None and self._thread.ident is not None:
            self._thread.join()
            sys.setswitchinterval(self._before)


class _Worker:
    """A process that prepares. One that dies costs time only: its chunks are prepared here."""

    def __init__(self, normaliser: Normaliser, others: list[_Worker]) -> None:
        context = multiprocessing.get_context("fork")  # nothing is imported twice
        self._normaliser = normaliser
        self.connection, theirs = context.Pipe()
        inherited = [other.connection for other in others] + [self.connection]
        self._process: BaseProcess = context.Process(
            target=_serve, args=(theirs, inherited, normaliser), daemon=True
        )
        self._process.start()
        theirs.close()

    def send(self, chunk: Chunk) -> None:
        with suppress(OSError):  # told by ``results``
            self.connection.send(chunk)

    def results(self, chunk: Chunk) -> list[Prepared | Refused]:
        """Of the chunk that was sent."""
        try:
            found: list[Prepared | Refused] = self.connection.recv()
        except (EOFError, OSError):
            return prepare(chunk, self._normaliser)
        return found

    def close(self) -> None:
        self.connection.close()
        self._process.join()


def _serve(connection: Connection, inherited: list[Connection], normaliser: Normaliser) -> None:
    """Prepare what comes until the other end is closed, by intent or by the death of its process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both; the parent decides
    for each in inherited:
        each.close()
    with suppress(EOFError, OSError):
        while True:
            connection.send(prepare(connection.recv(), normaliser))
