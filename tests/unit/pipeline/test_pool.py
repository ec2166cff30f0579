"""The worker threads of a job go on, whatever becomes of one of them."""

from __future__ import annotations

import threading

import pytest

from handlers.pipeline.pool import WorkerPool


def test_a_task_that_raises_costs_no_worker() -> None:
    pool, over = WorkerPool(1), threading.Event()

    def broken() -> None:
        raise ValueError("nobody foresaw this")

    pool.submit(broken)
    pool.submit(over.set)
    assert over.wait(60)
    pool.close()


def test_a_machine_that_gives_few_threads_has_fewer_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    start, left = threading.Thread.start, [2]

    def scarce(thread: threading.Thread) -> None:
        if not left[0]:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", scarce)
    pool, done = WorkerPool(8), threading.Semaphore(0)
    for _ in range(8):
        pool.submit(done.release)
    assert all(done.acquire(timeout=60) for _ in range(8))
    pool.resize(9)
    pool.close()


def test_without_any_thread_nothing_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none)
    pool = WorkerPool(8)
    with pytest.raises(RuntimeError, match="thread"):
        pool.submit(lambda: None)
    assert pool.backlog == 0


def test_enough_is_a_quarter_of_the_workers_or_two_rounds_of_them_where_more_will_follow() -> None:
    pool, go = WorkerPool(4), threading.Event()
    for _ in range(4):
        pool.submit(lambda: go.wait(60) and None)
    while pool.backlog:
        threading.Event().wait(0.001)
    assert not pool.has_enough
    pool.submit(lambda: None)
    assert pool.has_enough
    pool.expect(6)
    assert (pool.backlog, pool.has_enough) == (7, False)
    pool.expect(1)
    assert pool.has_enough
    pool.expect(-7)
    assert (pool.backlog, pool.has_enough) == (1, False)
    go.set()
    pool.close()


def test_while_a_worker_is_idle_what_only_will_follow_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", lambda _: None)  # what is submitted goes on waiting
    pool = WorkerPool(5)
    pool.expect(100)
    pool.submit(lambda: None, makes=1)
    pool.submit(lambda: None, makes=1)
    assert not pool.has_enough, "two tasks and two that they make, for five workers"
    pool.submit(lambda: None)
    assert pool.has_enough
