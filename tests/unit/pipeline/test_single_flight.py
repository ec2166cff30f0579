"""Equal requests of a job are sent once."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest

from handlers.domain.call import ChatAnswer
from handlers.errors import StoppedError
from handlers.pipeline.single_flight import _KEPT, SingleFlight


def never() -> bool:
    return False


def test_whoever_comes_second_gets_the_first_ones_answer() -> None:
    flights = SingleFlight()
    sent: list[int] = []

    def ask(number: int) -> None:
        with flights.join("digest", never) as flight:
            if flight.answer is None:
                sent.append(number)
                flight.answer = ChatAnswer(content="answer")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sent) == 1


def test_a_sender_that_fails_leaves_the_turn_to_the_next() -> None:
    flights = SingleFlight()
    with pytest.raises(RuntimeError), flights.join("digest", never):
        raise RuntimeError("cut off")
    with flights.join("digest", never) as flight:
        assert flight.answer is None


def test_waiting_for_an_equal_request_ends_when_the_job_gives_up() -> None:
    flights = SingleFlight()
    with flights.join("digest", never), pytest.raises(StoppedError), flights.join("digest", lambda: True):
        pass


def test_what_is_remembered_is_bounded() -> None:
    flights = SingleFlight()
    for number in range(3 * _KEPT):
        with flights.join(str(number), never) as flight:
            flight.answer = ChatAnswer(content="answer")
    assert len(flights._flights) <= _KEPT + 1


def test_requests_that_fail_are_not_remembered() -> None:
    flights = SingleFlight()
    for number in range(3 * _KEPT):
        with suppress(RuntimeError), flights.join(str(number), never):
            raise RuntimeError("refused")
    assert not flights._flights
