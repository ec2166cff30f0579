from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from handlers.errors import StoppedError
from handlers.llm.limits.aimd import AimdLimit
from handlers.llm.limits.limiter import Limiter
from handlers.llm.limits.rate_headers import RateHint
from handlers.llm.limits.token_bucket import TokenBucket
from tests.fakes import FakeClock
from tests.wire import RealClock


def never() -> bool:
    return False


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.001)


def until_waiting(limiter: Limiter, count: int) -> None:
    until(lambda: limiter._admission.waiting == count)


def open_limiter(slots: int, clock: FakeClock | RealClock | None = None, **buckets: TokenBucket) -> Limiter:
    return Limiter(AimdLimit(slots, start=slots), clock or RealClock(), **buckets)


@contextmanager
def started(threads: list[threading.Thread]) -> Iterator[None]:
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_never_more_calls_are_in_flight_than_there_are_slots() -> None:
    limiter, lock = open_limiter(7), threading.Lock()
    now = most = done = 0

    def work() -> None:
        nonlocal now, most, done
        for _ in range(20):
            with limiter.slot(1, never):
                with lock:
                    now += 1
                    most = max(most, now)
                time.sleep(0)
                with lock:
                    now -= 1
                    done += 1

    with started([threading.Thread(target=work) for _ in range(50)]):
        pass
    assert done == 1_000
    assert most <= 7
    assert (limiter.in_flight, limiter._admission.waiting) == (0, 0)


def test_who_came_first_is_served_first() -> None:
    limiter, order = open_limiter(1), []

    def work(number: int) -> None:
        with limiter.slot(1, never):
            order.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    with limiter.slot(1, never):
        for position, thread in enumerate(threads):
            thread.start()
            until_waiting(limiter, position + 1)
    for thread in threads:
        thread.join(timeout=5)
    assert order == list(range(20))


def test_those_who_wait_are_stopped_soon_and_leave_no_trace() -> None:
    limiter, stop, stopped = open_limiter(1), threading.Event(), []

    def work() -> None:
        try:
            with limiter.slot(1, stop.is_set):
                pass
        except StoppedError:
            stopped.append(True)

    threads = [threading.Thread(target=work) for _ in range(30)]
    with limiter.slot(1, never):
        for thread in threads:
            thread.start()
        until_waiting(limiter, 30)
        stop.set()
        for thread in threads:
            thread.join(timeout=5)
    assert len(stopped) == 30
    assert (limiter.in_flight, limiter._admission.waiting) == (0, 0)


def test_a_job_that_has_given_up_gets_no_slot_even_if_one_is_free() -> None:
    limiter = open_limiter(5)
    with pytest.raises(StoppedError), limiter.slot(1, lambda: True):
        pass
    assert limiter.in_flight == 0


def test_a_slot_comes_back_whatever_happens_in_it() -> None:
    limiter = open_limiter(1)
    with pytest.raises(ZeroDivisionError), limiter.slot(1, never):
        raise ZeroDivisionError
    with limiter.slot(1, never):
        assert limiter.in_flight == 1


def test_slots_that_time_opens_are_used_at_once() -> None:
    limiter = Limiter(AimdLimit(20), RealClock())
    begun: list[float] = []
    release = threading.Event()

    def work() -> None:
        with limiter.slot(1, never):
            begun.append(time.monotonic())
            release.wait(10)

    threads = [threading.Thread(target=work) for _ in range(11)]
    with started(threads):
        until(lambda: len(begun) == 11)
        release.set()
    # Ten more slots at 20 a second.
    assert 0.45 < begun[-1] - begun[0] < 5


def test_a_retry_after_holds_the_other_workers_back_and_lets_them_in_one_by_one() -> None:
    limiter, begun = open_limiter(10), []
    with limiter.slot(1, never) as slot:
        slot.throttled(0.3)
    paused = time.monotonic()

    def work() -> None:
        with limiter.slot(1, never):
            begun.append(time.monotonic())

    with started([threading.Thread(target=work) for _ in range(5)]):
        pass
    assert min(begun) - paused > 0.29
    assert max(begun) - min(begun) > 0.1
    assert limiter._admission.throttles == 1


def test_a_spent_window_brakes_and_a_rest_of_one_does_not() -> None:
    clock = FakeClock()
    limiter = open_limiter(5, clock)
    limiter.hint(RateHint(remaining=3, reset=60.0))
    with limiter.slot(1, never):
        pass
    limiter.hint(RateHint(remaining=0, reset=60.0))
    stop, entered = threading.Event(), threading.Event()

    def work() -> None:
        with limiter.slot(1, stop.is_set):
            entered.set()

    with started([threading.Thread(target=work)]):
        until_waiting(limiter, 1)
        clock.advance(1.9)
        assert not entered.wait(0.1)
        clock.advance(0.5)
        assert entered.wait(2), "the brake lasts two seconds at most"


def test_declared_rates_space_the_calls_and_are_shared_with_the_other_jobs() -> None:
    limiter = open_limiter(50, requests=TokenBucket(80, 1), tokens=TokenBucket(1_000, 1_000))
    limiter.set_share(2)
    entered: list[float] = []

    def work() -> None:
        with limiter.slot(10, never):
            entered.append(time.monotonic())

    with started([threading.Thread(target=work) for _ in range(13)]):
        pass
    assert 11.9 / 40 < max(entered) - min(entered) < 5


def test_the_tokens_of_a_call_count_against_their_own_rate() -> None:
    limiter = open_limiter(50, tokens=TokenBucket(1_000, 100))
    before = time.monotonic()
    for _ in range(3):
        with limiter.slot(100, never):
            pass
    assert time.monotonic() - before > 0.199


def test_what_a_stopped_worker_reserved_is_given_back() -> None:
    clock = FakeClock()
    limiter = open_limiter(5, clock, tokens=TokenBucket(1, 100))
    with limiter.slot(100, never):
        pass
    with pytest.raises(StoppedError):
        answers = iter([False, True])
        with limiter.slot(50, lambda: next(answers)):
            pass
    clock.advance(10)
    with limiter.slot(10, never):
        assert limiter.in_flight == 1


def test_refusals_cut_the_slots_and_successes_bring_them_back() -> None:
    clock = FakeClock()
    limiter = Limiter(AimdLimit(20, start=10), clock)
    held = [limiter.slot(1, never).__enter__() for _ in range(10)]
    held[0].throttled(None)
    assert limiter.slots < 10
    for slot in held:
        slot.__exit__(None, None, None)
    clock.advance(6)
    for _ in range(30):
        batch = [limiter.slot(1, never).__enter__() for _ in range(limiter.slots)]
        for slot in batch:
            slot.succeeded()
        for slot in batch:
            slot.__exit__(None, None, None)
    assert limiter.slots > 8
