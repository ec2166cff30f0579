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
    """A task in the queue, which returns the smallest first."""

    key: float
    """The last forecast of its seconds, negative: the longest task comes first."""
    number: int
    """Unique, so that no field after it is ever compared."""
    task: Callable[[], None] | None
    seconds: Callable[[], float]
    makes: int = 0


class WorkerPool:
    """``workers`` daemon threads, started as work comes in and kept for the life of the job. The task that
    will take longest starts first."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._tasks: queue.PriorityQueue[_Waiting] = queue.PriorityQueue()
        self._numbers, self._names = itertools.count(), itertools.count()
        self._threads: list[threading.Thread] = []
        self._warned = False
        self._to_make = 0
        """Tasks that those which wait submit at their start."""
        self._expected = 0
        self._in_stages = False
        self._busy = 0
        self._lock = threading.Lock()

    @property
    def backlog(self) -> int:
        """Tasks that wait for a worker, and those that are sure to follow."""
        return self._tasks.qsize() + self._expected

    @property
    def idle(self) -> int:
        """Workers that have nothing to do."""
        return max(0, self.workers - self._busy - self._tasks.qsize())

    @property
    def has_enough(self) -> bool:
        """Whether it needs no other paper yet. Of papers whose first stage opens a second one, enough is two
        rounds of all workers: the next papers' first stages run while these papers' second ones do. What only
        will follow keeps no worker busy now: as long as one is idle it is not enough."""
        if not self._in_stages:
            return self.backlog >= max(1, self.workers // 4)
        return self.idle <= self._to_make and self.backlog >= 2 * self.workers

    def expect(self, tasks: int) -> None:
        """So many more will follow from those at hand; fewer, if it is negative."""
        with self._lock:
            self._expected += tasks
            self._in_stages = self._in_stages or tasks > 0

    def submit(
        self, task: Callable[[], None], *, seconds: Callable[[], float] = _no_forecast, makes: int = 0
    ) -> None:
        """``task`` must not raise. ``seconds`` forecasts how long it will take; equal tasks start in the
        order of their submission. ``makes``: tasks that it submits at its start. RuntimeError if the machine
        gives no thread at all."""
        with self._lock:
            if len(self._threads) < self.workers:
                self._start()
            self._to_make += makes
        self._tasks.put(_Waiting(-seconds(), next(self._numbers), task, seconds, makes))

    def reorder(self) -> None:
        """Renew the forecasts of the tasks that wait, so that newcomers are compared with them by the same
        knowledge. Else a task that came while all forecasts were too short would wait until the end."""
        with self._tasks.mutex:
            waiting = self._tasks.queue
            waiting[:] = [
                each if each.task is None else each._replace(key=-each.seconds()) for each in waiting
            ]
            heapq.heapify(waiting)

    def resize(self, workers: int) -> None:
        """Set the number of workers; surplus ones end after their current paper."""
        with self._lock:
            self.workers = max(1, workers)
            while len(self._threads) < min(self.workers, len(self._threads) + self.backlog):
                if not self._start():
                    return

    def _start(self) -> bool:
        """False if the machine gives no more threads: the present ones do the work."""
        thread = threading.Thread(target=self._work, name=f"worker-{next(self._names)}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            if not self._threads:
                raise
            if not self._warned:
                logger.warning("%d workers in place of %d: %s", len(self._threads), self.workers, error)
            self._warned = True
            return False
        self._threads.append(thread)
        return True

    def _work(self) -> None:
        while (task := self._next()) is not None:
            try:
                task()
            except Exception:  # the worker goes on: every later paper needs it
                logger.exception("a task raised")
            del task  # what it holds is not needed while the worker waits
            with self._lock:
                self._busy -= 1
            if len(self._threads) > self.workers and self._may_end():
                return

    def _next(self) -> Callable[[], None] | None:
        waiting = self._tasks.get()
        with self._lock:
            self._busy += 1
            self._to_make -= waiting.makes
        return waiting.task

    def _may_end(self) -> bool:
        with self._lock:
            if len(self._threads) <= self.workers:
                return False
            self._threads.remove(threading.current_thread())
            return True

    def close(self) -> None:
        """Let the threads end once all tasks submitted before are done."""
        for _ in range(len(self._threads)):
            self._tasks.put(_Waiting(math.inf, next(self._numbers), None, _no_forecast))
