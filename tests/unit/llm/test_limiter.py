from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from handlers.errors import StoppedError
from handlers.llm.limits.aimd import AimdLimit
from handlers.llm.limits.limiter import Limiter
from handlers.llm.limits.rate_headers import RateHint
from handlers.llm.limits.token_bucket import TokenBucket
from tests.builders.fakes import FakeClock
from tests.builders.wire import RealClock


def never() -> bool:
    return False


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
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
        thread.join(timeout=60)
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

    with started([threading.Thread(target=work, daemon=True) for _ in range(50)]):
        pass
    assert done == 1_000
    assert most <= 7
    assert (limiter.in_flight, limiter._admission.waiting) == (0, 0)


def test_who_came_first_is_served_first() -> None:
    limiter, order = open_limiter(1), []

    def work(number: int) -> None:
        with limiter.slot(1, never):
            order.append(number)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(20)]
    with limiter.slot(1, never):
        for position, thread in enumerate(threads):
            thread.start()
            until_waiting(limiter, position + 1)
    for thread in threads:
        thread.join(timeout=60)
    assert order == list(range(20))


def test_those_who_wait_are_stopped_soon_and_leave_no_trace() -> None:
    limiter, stop, stopped = open_limiter(1), threading.Event(), []

    def work() -> None:
        try:
            with limiter.slot(1, stop.is_set):
                pass
        except StoppedError:
            stopped.append(True)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(30)]
    with limiter.slot(1, never):
        for thread in threads:
            thread.start()
        until_waiting(limiter, 30)
        stop.set()
        for thread in threads:
            thread.join(timeout=60)
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


@contextmanager
def calls(limiter: Limiter, count: int, *, tokens: int = 1, holds: bool = False) -> Iterator[list[int]]:
    """So many threads that each make a call; the list grows as they are let in. ``holds``: none ends
    before the block does."""
    begun: list[int] = []
    release = threading.Event()
    if not holds:
        release.set()

    def work(number: int) -> None:
        with limiter.slot(tokens, never):
            begun.append(number)
            release.wait(60)

    with started([threading.Thread(target=work, args=(number,), daemon=True) for number in range(count)]):
        yield begun
        release.set()


def assert_let_in(begun: list[int], count: int) -> None:
    """So many, and after a while no more."""
    until(lambda: len(begun) >= count)
    time.sleep(0.05)
    assert len(begun) == count


def assert_let_in_at(begun: list[int], clock: FakeClock, seconds: float) -> None:
    """One more at that time, and not before."""
    before = len(begun)
    clock.advance(seconds - 0.002 - clock.monotonic())
    assert_let_in(begun, before)
    clock.advance(0.003)
    until(lambda: len(begun) > before)


def test_slots_that_time_opens_are_used_at_once() -> None:
    clock = FakeClock(0.0)
    with calls(Limiter(AimdLimit(20), clock), 11, holds=True) as begun:
        assert_let_in(begun, 1)
        for number in range(1, 11):
            assert_let_in_at(begun, clock, number / 30)


def test_a_retry_after_holds_the_other_workers_back_and_lets_them_in_one_by_one() -> None:
    clock = FakeClock()
    limiter = open_limiter(10, clock)
    with limiter.slot(1, never) as slot:
        slot.throttled(0.3)
    with calls(limiter, 5) as begun:
        until_waiting(limiter, 5)
        clock.advance(0.29)
        assert_let_in(begun, 0)
        clock.advance(0.02)
        until(lambda: len(begun) >= 1)
        assert len(begun) < 5
        while len(begun) < 5:
            clock.advance(0.01)
            time.sleep(0.001)
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

    with started([threading.Thread(target=work, daemon=True)]):
        until_waiting(limiter, 1)
        clock.advance(1.9)
        assert not entered.wait(0.1)
        clock.advance(0.5)
        assert entered.wait(60), "the brake lasts two seconds at most"


def test_declared_rates_space_the_calls_and_are_shared_with_the_other_jobs() -> None:
    clock = FakeClock(0.0)
    limiter = open_limiter(50, clock, requests=TokenBucket(80, 1), tokens=TokenBucket(1_000, 1_000))
    limiter.set_share(2)
    with calls(limiter, 13, tokens=10) as begun:
        assert_let_in(begun, 1)
        for number in range(1, 13):
            assert_let_in_at(begun, clock, number / 40)


def test_the_tokens_of_a_call_count_against_their_own_rate() -> None:
    clock = FakeClock(0.0)
    with calls(open_limiter(50, clock, tokens=TokenBucket(1_000, 100)), 3, tokens=100) as begun:
        assert_let_in(begun, 1)
        for number in (1, 2):
            assert_let_in_at(begun, clock, number / 10)


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
    with ExitStack() as calls:
        slots = [calls.enter_context(limiter.slot(1, never)) for _ in range(10)]
        slots[0].throttled(None)
        assert limiter.slots < 10
    clock.advance(6)
    for _ in range(30):
        with ExitStack() as calls:
            for slot in [calls.enter_context(limiter.slot(1, never)) for _ in range(limiter.slots)]:
                slot.succeeded()
    assert limiter.slots > 8
