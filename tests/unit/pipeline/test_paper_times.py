from __future__ import annotations

import random
import threading

from hypothesis import given
from hypothesis import strategies as st

from handlers.domain.paper import Paper
from handlers.pipeline.paper_times import LatencyForecast
from handlers.pipeline.pool import WorkerPool


def test_before_anything_is_learned_more_text_takes_longer() -> None:
    forecast = LatencyForecast()
    assert forecast.seconds(100, "zh") < forecast.seconds(400, "zh") < forecast.seconds(4_000, None)


def test_it_learns_what_a_token_costs() -> None:
    forecast, chance = LatencyForecast(), random.Random(1)
    for _ in range(2_000):
        size = chance.uniform(50, 800)
        forecast.learn(size, "zh", (1.0 + size / 50) * chance.lognormvariate(0, 0.2))
    for size in (100, 400, 800):
        assert 0.85 < forecast.seconds(size, "zh") / (1.0 + size / 50) < 1.2


def test_a_language_that_takes_longer_is_told_apart_once_it_is_known() -> None:
    forecast, chance = LatencyForecast(), random.Random(2)
    for _ in range(300):
        size = chance.uniform(50, 800)
        forecast.learn(size, "zh", size / 50)
        forecast.learn(size, "ja", size / 20)
    assert forecast.seconds(300, "ja") > 2 * forecast.seconds(300, "zh")
    assert forecast.seconds(300, "zh") < forecast.seconds(300, "ko") < forecast.seconds(300, "ja")


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e4)), max_size=50), st.floats(0, 1e6))
def test_a_forecast_is_never_negative_and_never_falls_with_the_size(
    seen: list[tuple[float, float]], size: float
) -> None:
    forecast = LatencyForecast()
    for each, seconds in seen:
        forecast.learn(each, "zh", seconds)
    assert 0 <= forecast.seconds(size, "zh") <= forecast.seconds(size * 2, "zh") + 1e-6


def test_chinese_counts_by_the_character_and_a_body_only_if_it_is_sent() -> None:
    paper = Paper(id="p", title="题目", abstract="摘要" * 50, body="word " * 1_000)
    assert 70 < paper.text_size(full_text=False) < 80
    assert paper.text_size(full_text=True) > 1_000


def test_the_pool_begins_with_what_takes_longest() -> None:
    pool, begun, go, over = WorkerPool(1), [], threading.Event(), threading.Event()
    pool.submit(lambda: go.wait(60) and None)
    for seconds in (3.0, 9.0, 1.0, 9.0, 5.0):
        pool.submit(lambda seconds=seconds: begun.append(seconds), seconds=lambda seconds=seconds: seconds)
    pool.submit(over.set, seconds=lambda: -1.0)
    go.set()
    assert over.wait(60)
    pool.close()
    assert begun == [9.0, 9.0, 5.0, 3.0, 1.0]


def test_a_paper_of_which_too_little_was_expected_is_not_left_behind_by_all_that_come_after_it() -> None:
    pool, begun, go, over = WorkerPool(1), [], threading.Event(), threading.Event()
    pool.submit(lambda: go.wait(60) and None)
    learned = 1.0  # seconds a size
    for size in (8.0, 5.0):
        pool.submit(lambda size=size: begun.append(size), seconds=lambda size=size: learned * size)
    learned = 10.0
    pool.reorder()
    for size in (7.0, 2.0):
        pool.submit(lambda size=size: begun.append(size), seconds=lambda size=size: learned * size)
    pool.submit(over.set, seconds=lambda: -1.0)
    go.set()
    assert over.wait(60)
    pool.close()
    assert begun == [8.0, 7.0, 5.0, 2.0]


def test_a_pool_that_shrinks_lets_workers_go_and_grows_again() -> None:
    pool, go, ended = WorkerPool(4), threading.Event(), threading.Semaphore(0)

    def task() -> None:
        go.wait(60)
        ended.release()

    for _ in range(8):
        pool.submit(task)
    pool.resize(2)
    go.set()
    for _ in range(8):
        assert ended.acquire(timeout=60)
    deadline = threading.Event()
    for _ in range(500):
        if len(pool._threads) <= 2:
            break
        deadline.wait(0.01)
    go.clear()
    pool.resize(5)
    for _ in range(5):
        pool.submit(task)
    assert len(pool._threads) == 5
    go.set()
    pool.close()
