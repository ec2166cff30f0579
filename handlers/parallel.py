"""Work on chunks that other processes share, its results in the chunks' order."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

_SWITCH_S = 0.0002
"""Threads of this process take turns so often: the pool's and the caller's would else leave the workers idle
for 5 ms at each system call."""


def may_fork() -> bool:
    """A fork beside running threads might find one of their locks held for good."""
    return threading.active_count() == 1


def ordered_map(
    work: Callable[[Chunk], Result],
    chunks: Iterator[Chunk],
    *,
    processes: int,
    alongside: Callable[[], None] | None = None,
) -> Generator[tuple[Chunk, Result], None, None]:
    """Each chunk with what ``work`` makes of it in one of so many processes beside this one, which must be
    free to fork. Chunks and results travel pickled. Where no process can be started, or one dies, the chunks
    that are left are worked on here. ``alongside`` is called in a thread once the processes are there."""
    window: deque[tuple[Chunk, Future[Result] | None]] = deque()
    with _executor(work, processes) as executor, _alongside(alongside) as begin:
        for chunk in chunks:
            window.append((chunk, _submit(executor, chunk)))
            if len(window) > processes:
                begin()
                yield _next(work, window)
        while window:
            yield _next(work, window)


@contextmanager
def _executor(work: Callable[..., Any], processes: int) -> Generator[ProcessPoolExecutor, None, None]:
    fork = multiprocessing.get_context("fork")  # nothing is imported twice
    others = multiprocessing.active_children()
    executor = ProcessPoolExecutor(processes, fork, initializer=_begin_worker, initargs=(work,))
    gc.freeze()  # the forks share these pages as long as no collection touches them
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)
        for worker in set(multiprocessing.active_children()).difference(others):
            worker.terminate()  # it was started before another could not be, and waits for work
        gc.unfreeze()


_work_here: Callable[..., Any]
"""In a worker alone: what it does. A fork inherits it, whatever it holds: only chunks are pickled."""


def _begin_worker(work: Callable[..., Any]) -> None:
    global _work_here
    _work_here = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work_on(chunk: Any) -> Any:
    return _work_here(chunk)


def _submit(executor: ProcessPoolExecutor, chunk: object) -> Future[Any] | None:
    """None where no process can be started, or one has died."""
    with suppress(OSError, BrokenProcessPool):
        return executor.submit(_work_on, chunk)
    return None


def _next(
    work: Callable[[Chunk], Result], window: deque[tuple[Chunk, Future[Result] | None]]
) -> tuple[Chunk, Result]:
    chunk, future = window.popleft()
    if future is not None:
        with suppress(BrokenProcessPool):
            return chunk, future.result()
    return chunk, work(chunk)


@contextmanager
def _alongside(call: Callable[[], None] | None) -> Generator[Callable[[], None], None, None]:
    """A function that starts the thread, once; it is waited for at the end."""
    thread = threading.Thread(target=call, name="alongside") if call is not None else None
    before = sys.getswitchinterval()

    def begin() -> None:
        if thread is not None and thread.ident is None:
            thread.start()

    sys.setswitchinterval(_SWITCH_S)
    try:
        yield begin
    finally:
        if thread is not None and thread.ident is not None:
            thread.join()
        sys.setswitchinterval(before)
