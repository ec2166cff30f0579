"""The worker threads of a job."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable


class WorkerPool:
    """``workers`` daemon threads, started as work comes in and kept for the life of the job."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    @property
    def backlog(self) -> int:
        """Papers that wait for a worker."""
        return self._tasks.qsize()

    def submit(self, task: Callable[[], None]) -> None:
        """``task`` must not raise: it answers for its paper whatever happens."""
        self._tasks.put(task)
        with self._lock:
            if len(self._threads) < self.workers:
                thread = threading.Thread(target=self._work, name=f"worker-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()

    def close(self) -> None:
        """Let the threads end once the tasks before this are done."""
        for _ in self._threads:
            self._tasks.put(None)
