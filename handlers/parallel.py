"""Work on chunks that other processes share, its results in the chunks' order."""

from __future__ import annotations

import gc
import multiprocessing
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

_TURN = 0.0002
"""Seconds."""


def may_fork() -> bool:
    """A fork beside running threads might find one of their locks held for good."""
    return threading.active_count() == 1


def in_order(
    work: Callable[[Chunk], Result],
    chunks: Iterator[Chunk],
    *,
    processes: int,
    meanwhile: Callable[[], None] | None = None,
) -> Generator[tuple[Chunk, Result], None, None]:
    """Each chunk with what ``work`` makes of it in one of so many processes beside this one, which must be
    free to fork. Chunks and results travel pickled; a chunk whose process dies is worked on here.
    ``meanwhile`` is called in a thread once they are started.

    Chunk n is worker n's, modulo their number. A worker gets a chunk only when it has answered the one
    before: a pipe holds less than a chunk, and both ends would wait for each other."""
    workers: list[Worker[Chunk, Result]] = []
    at_work: deque[tuple[Worker[Chunk, Result], Chunk]] = deque()
    beside = _Beside(meanwhile)
    gc.freeze()  # the forks share these pages as long as no collection touches them
    try:
        for chunk in chunks:
            if len(workers) < processes:
                worker, done = Worker(work, workers), None
                workers.append(worker)
            else:
                beside.begin()
                worker, sent = at_work.popleft()
                done = sent, worker.result(sent)
            worker.send(chunk)
            at_work.append((worker, chunk))
            if done is not None:
                yield done
        for worker, sent in at_work:
            yield sent, worker.result(sent)
    finally:
        for worker in workers:
            worker.close()
        beside.end()
        gc.unfreeze()


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


class Worker(Generic[Chunk, Result]):
    """A process that works. One that dies, or cannot be started, costs time only: its chunks are worked on
    here."""

    def __init__(self, work: Callable[[Chunk], Result], others: list[Worker[Chunk, Result]]) -> None:
        context = multiprocessing.get_context("fork")  # nothing is imported twice
        self._work = work
        self.connection, theirs = context.Pipe()
        inherited = [other.connection for other in others] + [self.connection]
        self._process: BaseProcess = context.Process(
            target=_serve, args=(theirs, inherited, work), daemon=True
        )
        try:
            self._process.start()
        except OSError:  # no more processes, or no memory for one
            self.connection.close()
        finally:
            theirs.close()

    def send(self, chunk: Chunk) -> None:
        with suppress(OSError):  # told by ``result``
            self.connection.send(chunk)

    def result(self, chunk: Chunk) -> Result:
        """Of the chunk that was sent."""
        try:
            found: Result = self.connection.recv()
        except (EOFError, OSError):
            return self._work(chunk)
        return found

    def close(self) -> None:
        self.connection.close()
        if self._process.pid is not None:
            self._process.join()


def _serve(connection: Connection, inherited: list[Connection], work: Callable[[Chunk], Result]) -> None:
    """Work on what comes until the other end is closed, by intent or by the death of its process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both; the parent decides
    for each in inherited:
        each.close()
    with suppress(EOFError, OSError):
        while True:
            connection.send(work(connection.recv()))
