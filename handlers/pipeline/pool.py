"""The worker threads of a job."""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

logger = logging.getLogger(__name__)


def _no_forecast() -> float:
    return 0.0


class _Waiting(NamedTuple):
    """A task in the queue, which gives the least first."""

    key: float
    """Less the seconds that it will take, as they were forecast last."""
    number: int
    """Tells equal ones apart, so that nothing after it is ever compared."""
    task: Callable[[], None] | None
    seconds: Callable[[], float]


class WorkerPool:
    """``workers`` daemon threads, started as work comes in and kept for the life of the job. The task
    that will take longest is begun first."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._tasks: queue.PriorityQueue[_Waiting] = queue.PriorityQueue()
        self._numbers, self._names = itertools.count(), itertools.count()
        self._threads: list[threading.Thread] = []
        self._told = False
        self._lock = threading.Lock()

    @property
    def backlog(self) -> int:
        """Papers that wait for a worker."""
        return self._tasks.qsize()

    def submit(self, task: Callable[[], None], *, seconds: Callable[[], float] = _no_forecast) -> None:
        """``task`` answers for its paper whatever happens. ``seconds`` gives how long it will take, as far as
        anybody knows by now; equal ones are begun in turn. RuntimeError if there is no thread to be had at
        all."""
        with self._lock:
            if len(self._threads) < self.workers:
                self._start()
        self._tasks.put(_Waiting(-seconds(), next(self._numbers), task, seconds))

    def reorder(self) -> None:
        """Forecast those that wait anew: they are to be measured against newcomers by what is known now.
        Else whoever came while too little was expected of all would wait until nobody else does."""
        with self._tasks.mutex:
            waiting = self._tasks.queue
            waiting[:] = [
                each if each.task is None else each._replace(key=-each.seconds()) for each in waiting
            ]
            heapq.heapify(waiting)

    def resize(self, workers: int) -> None:
        """More or fewer workers; those too many end with the paper in their hands."""
        with self._lock:
            self.workers = max(1, workers)
            while len(self._threads) < min(self.workers, len(self._threads) + self.backlog):
                if not self._start():
                    return

    def _start(self) -> bool:
        """False if the machine gives no more threads: those that there are do the work."""
        thread = threading.Thread(target=self._work, name=f"worker-{next(self._names)}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            if not self._threads:
                raise
            if not self._told:
                logger.warning("%d workers in place of %d: %s", len(self._threads), self.workers, error)
            self._told = True
            return False
        self._threads.append(thread)
        return True

    def _work(self) -> None:
        while (task := self._tasks.get().task) is not None:
            try:
                task()
            except Exception:  # a worker that ended here would be missed by every paper after this one
                logger.exception("a task raised")
            if len(self._threads) > self.workers and self._may_end():
                return

    def _may_end(self) -> bool:
        with self._lock:
            if len(self._threads) <= self.workers:
                return False
            self._threads.remove(threading.current_thread())
            return True

    def close(self) -> None:
        """Let the threads end once the tasks before this are done."""
        for _ in range(len(self._threads)):
            self._tasks.put(_Waiting(math.inf, next(self._numbers), None, _no_forecast))
