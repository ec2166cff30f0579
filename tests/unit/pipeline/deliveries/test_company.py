"""Batches together, and one alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from handlers.pipeline.deliveries.company import Company


class Batches:
    """Threads that are in company until they are told to go; ``inside`` names those that are."""

    def __init__(self) -> None:
        self.company, self.inside = Company(), set[str]()
        self._goes = dict[str, threading.Event]()
        self._threads: list[threading.Thread] = []

    def come(self, name: str, *, alone: bool = False) -> None:
        goes = self._goes[name] = threading.Event()

        def work() -> None:
            with self.company.joined() as place:
                if alone:
                    place.be_alone()
                self.inside.add(name)
                assert goes.wait(60)
                self.inside.remove(name)

        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def go(self, *names: str) -> None:
        for name in names:
            self._goes[name].set()

    def end(self) -> None:
        self.go(*self._goes)
        for thread in self._threads:
            thread.join(60)


@pytest.fixture
def batches() -> Iterator[Batches]:
    made = Batches()
    yield made
    made.end()


def wait(true: Callable[[], bool]) -> None:
    for _ in range(60_000):
        if true():
            return
        threading.Event().wait(0.001)
    raise AssertionError


def test_a_suspect_waits_for_the_others_and_keeps_out_those_that_come_later(batches: Batches) -> None:
    for name in ("a", "b"):
        batches.come(name)
    wait(lambda: batches.inside == {"a", "b"})
    batches.come("suspect", alone=True)
    wait(lambda: batches.company._alone == 1)
    batches.come("late")
    batches.go("a")
    wait(lambda: batches.inside == {"b"})
    threading.Event().wait(0.01)
    assert batches.inside == {"b"}
    batches.go("b")
    wait(lambda: batches.inside == {"suspect"})
    threading.Event().wait(0.01)
    assert batches.inside == {"suspect"}
    batches.go("suspect")
    wait(lambda: batches.inside == {"late"})


def test_suspects_are_alone_one_after_the_other(batches: Batches) -> None:
    batches.come("a")
    wait(lambda: batches.inside == {"a"})
    with batches.company._changed:  # both are in before either parts
        for name in ("x", "y"):
            batches.come(name, alone=True)
    batches.go("a")
    seen = set()
    for _ in range(2):
        wait(lambda: len(batches.inside) == 1 and not batches.inside & {"a", *seen})
        (name,) = batches.inside
        seen.add(name)
        batches.go(name)
    assert seen == {"x", "y"}


def test_who_fails_leaves_its_place(batches: Batches) -> None:
    with pytest.raises(ValueError, match="x"), batches.company.joined() as place:
        place.be_alone()
        raise ValueError("x")
    with batches.company.joined():
        pass
