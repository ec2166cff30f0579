"""No call starts that could outlast the job; an API that is not there is told from one that stumbles."""

from __future__ import annotations

import math

import pytest

from handlers.errors import StoppedError
from handlers.pipeline.circuit_breaker import CircuitBreaker
from handlers.pipeline.pace import AWS
from handlers.pipeline.stop import Deadline, StopSignal
from tests.builders.fakes import FakeClock


def test_without_a_deadline_a_call_has_its_whole_timeout() -> None:
    assert Deadline().timeout(180, usual_latency=9) == 180


def test_a_call_near_the_deadline_is_given_what_is_left() -> None:
    deadline = Deadline()
    deadline.use(lambda: 61.0)
    assert deadline.timeout(180, usual_latency=9) == 60


def test_a_call_that_would_probably_be_cut_off_is_not_started() -> None:
    deadline = Deadline()
    deadline.use(lambda: 40.0)
    with pytest.raises(StoppedError):
        deadline.timeout(180, usual_latency=30)


def test_the_first_reason_to_stop_stands() -> None:
    stop = StopSignal()
    stop.drain("limit")
    stop.abandon("interrupted")
    assert (stop.reason, stop.abandoned) == ("limit", True)


def test_failures_now_and_then_leave_the_breaker_closed() -> None:
    breaker = CircuitBreaker(FakeClock())
    for _ in range(10):
        for _ in range(19):
            breaker.failed()
        breaker.succeeded()
    assert not breaker.open


def test_an_api_that_never_answered_is_hopeless_after_a_tenth_of_the_patience() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(clock)
    for _ in range(20):
        breaker.failed()
    assert breaker.open
    assert not breaker.hopeless
    clock.advance(31)
    assert breaker.hopeless


def test_an_api_that_answered_before_is_given_the_whole_patience() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(clock)
    breaker.succeeded()
    for _ in range(20):
        breaker.failed()
    clock.advance(299)
    assert not breaker.hopeless
    clock.advance(2)
    assert breaker.hopeless
    breaker.succeeded()
    assert not breaker.open


def test_an_api_that_refuses_some_connections_and_answers_others_is_there() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(clock)
    for _ in range(3):
        breaker.failed(reached=False)
    breaker.throttled()
    clock.advance(31)
    breaker.failed(reached=False)
    assert not breaker.hopeless
    breaker.failed(reached=False)
    breaker.failed(reached=True)
    breaker.failed(reached=False)
    assert not breaker.hopeless
    for _ in range(2):
        breaker.failed(reached=False)
    assert breaker.hopeless


def test_the_timeout_is_finite_whenever_the_platform_has_a_deadline() -> None:
    deadline = Deadline()
    deadline.use(lambda: 900.0)
    assert deadline.timeout(math.inf, usual_latency=0) == 899


def test_a_slow_api_that_refuses_some_connections_is_there_while_calls_wait_for_its_answers() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(clock)
    with breaker.call():
        clock.advance(1)
        for _ in range(25):
            breaker.failed(reached=False)
        clock.advance(31)
        assert not breaker.hopeless, "a call has been connected for half a minute"
        with breaker.call():
            pass
    assert breaker.hopeless, "nobody waits any more"


def test_calls_that_only_seem_to_be_connected_do_not_hide_for_ever_that_nobody_is_there() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(clock)
    for _ in range(12):
        with breaker.call():  # a name that takes half a minute not to be found
            clock.advance(30)
            breaker.failed(reached=False)
            hopeless = breaker.hopeless
    assert hopeless


def test_an_api_that_takes_connections_and_lets_every_call_starve_is_hopeless() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(clock)
    with breaker.call():
        for _ in range(20):
            breaker.failed()
        clock.advance(31)
        assert breaker.hopeless


class Function:
    """Invocations of so many seconds, one after the other, of a batch whose calls take so long."""

    def __init__(self, timeout: float, latency: float, papers: int = 20) -> None:
        self._timeout, self._latency, self._left = timeout, latency, papers
        self._clock, self._usual = FakeClock(), 0.0
        self._deadline = Deadline(AWS.margin)
        self.invocations = 0
        self.attempts = 0

    def ends(self) -> bool:
        """Whether it comes to an end, good or bad."""
        while self._left and self.attempts < 5 and self.invocations < 100:
            self._invoke()
        return self._left == 0 or self.attempts == 5

    def _invoke(self) -> None:
        self.invocations += 1
        until, before = self._clock.monotonic() + self._timeout, self._left
        self._deadline.use(lambda: until - self._clock.monotonic(), fresh=True)
        self._clock.advance(1)  # its start
        try:
            while self._left:
                given = self._deadline.timeout(180, self._usual)
                self._clock.advance(min(self._latency, given))
                if self._latency <= given:
                    self._left, self._usual = self._left - 1, self._latency
        except StoppedError:
            pass
        self.attempts += self._left == before

    @property
    def left(self) -> int:
        return self._left


@pytest.mark.parametrize("timeout", [20, 30, 60, 120, 300, 900])
@pytest.mark.parametrize("latency", [0.5, 1, 2, 5, 10, 20, 40, 60, 90, 120, 170])
def test_no_pair_of_function_and_latency_returns_its_messages_for_ever(
    timeout: float, latency: float
) -> None:
    function = Function(timeout, latency)
    assert function.ends()
    fits = latency <= timeout - AWS.margin - 1
    assert (function.left == 0) == fits
    assert function.invocations <= (23 if fits else 12)


def test_a_sessions_end_is_no_fresh_invocations() -> None:
    """What is cut off there is paid for, and nothing goes on."""
    deadline = Deadline(margin=1)
    deadline.use(lambda: 20.0)
    assert deadline.is_near(60, 30)
    deadline.use(lambda: 20.0, fresh=True)
    assert not deadline.is_near(60, 30)
