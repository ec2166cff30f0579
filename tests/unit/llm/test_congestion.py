"""Calls that wait in vain: fewer in flight where they are many, and nothing where they are chance."""

from __future__ import annotations

import heapq
import itertools
import math
import random

import pytest

from handlers.llm.limits.admission import Admission
from handlers.llm.limits.aimd import AimdLimit
from handlers.llm.limits.congestion import Congestion


class OneAtATime:
    """An API that serves one call after the other, and ``papers`` for so many workers. Virtual time."""

    def __init__(self, papers: int, workers: int, *, seconds: float, timeout: float, drops: bool) -> None:
        self.left, self.sent = papers, 0
        self._seconds, self._timeout, self._drops = seconds, timeout, drops
        self._free_at = 0.0
        self._count = itertools.count()
        self._events: list[tuple[float, int, str, float]] = []
        self._admission = Admission(AimdLimit(workers), random.Random(1).random, patience=timeout)
        self._tickets = [self._admission.join(1, lambda: None) for _ in range(min(workers, papers))]

    def run(self, until: float) -> float:
        """The time when all papers were answered."""
        now = 0.0
        while self.left and now < until:
            self._start(now)
            step = now + 0.05
            while self._events and self._events[0][0] <= step:
                now, _, end, began = heapq.heappop(self._events)
                self._end(end, began, now)
                self._start(now)
            now = step
        return now

    def _start(self, now: float) -> None:
        for ticket in list(self._tickets):
            self._admission.step(ticket, now)
            if ticket.granted:
                self._tickets.remove(ticket)
                self._send(now)

    def _send(self, now: float) -> None:
        self.sent += 1
        answered_at = max(self._free_at, now) + self._seconds
        in_time = answered_at - now <= self._timeout
        if in_time or not self._drops:
            self._free_at = answered_at
        at, end = (answered_at, "answer") if in_time else (now + self._timeout, "timeout")
        heapq.heappush(self._events, (at, next(self._count), end, now))

    def _end(self, end: str, began: float, now: float) -> None:
        if end == "answer":
            self.left -= 1
            self._admission.succeeded(began, now)
        else:
            self._admission.lost(began, now)
        self._admission.release(now)
        if self.left > len(self._tickets) + self._admission.in_flight:
            self._tickets.append(self._admission.join(1, lambda: None))


@pytest.mark.parametrize("drops", [True, False])
@pytest.mark.parametrize(("seconds", "timeout"), [(0.4, 3.0), (0.2, 2.0), (2.0, 20.0), (8.0, 60.0)])
def test_an_api_that_serves_one_at_a_time_is_not_asked_for_much_in_vain(
    seconds: float, timeout: float, drops: bool
) -> None:
    api = OneAtATime(40, 20, seconds=seconds, timeout=timeout, drops=drops)
    took = api.run(until=4_000.0)
    assert api.left == 0
    assert api.sent <= 60
    assert took <= 3 * 40 * seconds + 4 * timeout


def healthy(seed: int, calls: int = 3_000) -> Congestion:
    """Twenty calls in flight, each as long as its text."""
    chance, congestion = random.Random(seed), Congestion(120.0)
    for n in range(calls):
        congestion.answered(n * 0.25 - chance.lognormvariate(1.5, 0.5), n * 0.25)
    return congestion


@pytest.mark.parametrize("seed", range(3))
def test_a_lost_connection_among_thousands_is_chance(seed: int) -> None:
    congestion = healthy(seed)
    assert not congestion.lost(630.0, 750.0)
    assert (congestion.ghosts(750.0), congestion.most(750.0)) == (0, math.inf)


def test_connections_that_break_early_say_nothing_of_a_queue() -> None:
    congestion = healthy(1)
    assert not any(congestion.lost(749.9, 750.0) for _ in range(50))


def test_many_that_wait_in_vain_are_a_sign_and_keep_their_slots_for_a_while() -> None:
    congestion = healthy(1)
    signs = [congestion.lost(630.0, 750.0) for _ in range(20)]
    assert not signs[0]
    assert signs[-1]
    assert congestion.ghosts(751.0) == sum(signs)
    assert congestion.next_change(751.0) <= 120
    assert congestion.ghosts(751.0 + 120) == 0


def test_a_slow_model_without_a_queue_is_not_held_back() -> None:
    """Its answers take most of the patience, however many are in flight."""
    chance, congestion = random.Random(1), Congestion(120.0)
    ends = sorted(n * 5.0 + chance.uniform(30, 100) for n in range(400))
    for end in ends:
        congestion.answered(end - chance.uniform(30, 100), end)
    assert congestion.most(ends[-1]) >= 13  # the calls that such a pace has in flight


def test_an_answer_that_took_long_is_no_reason_for_more() -> None:
    congestion = Congestion(3.0)
    assert congestion.answered(0.0, 1.0)
    assert not congestion.answered(0.0, 2.0)
