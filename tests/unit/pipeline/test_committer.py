"""The group commit: what a kill may repeat is bounded however long a commit takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from handlers.domain.ledger import Commit
from handlers.domain.result import Part, PartPointer
from handlers.errors import UnavailableError
from handlers.pipeline.committer import Committer, FinishedPaper
from handlers.pipeline.pace import EMBEDDED
from handlers.ports import Backend
from tests.builders.command import until
from tests.builders.fakes import FakeClock
from tests.builders.values import part_line

GROUP = EMBEDDED.commit_papers


class SlowLedger:
    """And a store. The first commit takes as long as the test wants."""

    def __init__(self) -> None:
        self.begun, self.goes_on = threading.Event(), threading.Event()
        self.durable: list[str] = []
        self.booked: list[str] = []
        self.is_away = False

    def away_for(self) -> float:
        return 1.0 if self.is_away else 0.0

    def write_parts(self, job_id: str, parts: Sequence[Part]) -> list[list[PartPointer]]:
        self.durable += [part.name for part in parts for _ in part.lines]
        return [[PartPointer(key="k", offset=0, length=1) for _ in part.lines] for part in parts]

    def commit(self, commits: Sequence[Commit]) -> set[tuple[str, str]]:
        self.begun.set()
        assert self.goes_on.wait(60)
        self.booked += [entry.paper_id for each in commits for entry in each.entries]
        return set()


@pytest.fixture
def slow() -> Iterator[SlowLedger]:
    made = SlowLedger()
    yield made
    made.goes_on.set()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def committer(slow: SlowLedger, clock: FakeClock) -> Committer:
    unused: Any = None
    backend: Any = Backend(slow, unused, slow, clock)
    return Committer(backend, "job-a", on_failure=pytest.fail)


def finished(number: int, **changes: Any) -> FinishedPaper:
    return FinishedPaper(part_line(f"p{number}", **changes), 1, 1, lambda: None)


def test_no_more_paid_papers_wait_than_a_group_holds_and_all_are_booked(
    slow: SlowLedger, committer: Committer
) -> None:
    taken: list[int] = []

    def add(number: int) -> None:
        committer.add(finished(number))
        taken.append(number)

    with ThreadPoolExecutor(2 * GROUP) as workers:
        done = [workers.submit(add, number) for number in range(2 * GROUP)]
        assert slow.begun.wait(60)
        while len(taken) < GROUP:
            threading.Event().wait(0.001)
        threading.Event().wait(0.02)  # the others had their chance
        assert (len(taken), slow.booked) == (GROUP, [])
        slow.goes_on.set()
        for each in done:
            each.result(60)
    committer.close()
    assert sorted(slow.booked) == sorted(f"p{number}" for number in range(2 * GROUP))


def test_what_waits_for_a_ledger_that_is_away_is_durable_all_the_same(
    slow: SlowLedger, committer: Committer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what waited for room when it went away; the next holder of the batch can book all of it."""
    papers = 3 * GROUP
    monkeypatch.setattr("handlers.pipeline.committer._LOOK_UP", 0.01)
    with ThreadPoolExecutor(papers) as workers:
        done = [workers.submit(committer.add, finished(number)) for number in range(papers)]
        assert slow.begun.wait(60)
        slow.is_away = True
        for each in done:
            each.result(60)
        while len(slow.durable) < papers:
            threading.Event().wait(0.001)
            clock.advance(0.1)
        assert slow.booked == []
        slow.goes_on.set()
    committer.close()
    assert sorted(slow.booked) == sorted(f"p{number}" for number in range(papers))
    assert slow.durable == sorted(slow.durable, key=lambda name: int(name.rpartition("-")[2]))


def test_a_part_that_is_not_full_is_written_while_a_worker_waits_for_room(
    slow: SlowLedger, committer: Committer
) -> None:
    """The clock stands still: nothing else would end the wait for more."""
    for number in range(GROUP):
        committer.add(finished(number))
    assert slow.begun.wait(60)
    slow.goes_on.set()
    with ThreadPoolExecutor(1) as worker:
        first = worker.submit(
            lambda: [committer.add(finished(GROUP + number)) for number in range(GROUP + 1)]
        )
        first.result(60)
    committer.close()
    assert len(slow.booked) == 2 * GROUP + 1


def test_papers_that_cost_no_call_wait_for_nobody(slow: SlowLedger, committer: Committer) -> None:
    for number in range(3 * GROUP):
        committer.add(finished(number, calls=()))
    slow.goes_on.set()
    committer.close()
    assert len(slow.booked) == 3 * GROUP


def test_a_ledger_that_fails_holds_nobody_up(slow: SlowLedger) -> None:
    class Broken(SlowLedger):
        def commit(self, commits: Sequence[Commit]) -> set[tuple[str, str]]:
            raise OSError(28, "No space left on device")

    said: list[str] = []
    backend: Any = Backend(Broken(), slow, slow, FakeClock())
    committer = Committer(backend, "job-a", on_failure=said.append)
    for number in range(3 * GROUP):
        committer.add(finished(number))
    committer.close()
    assert len(said) == 1
    assert "No space left" in said[0]


def test_closing_waits_for_the_papers_at_the_door(slow: SlowLedger, committer: Committer) -> None:
    for number in range(GROUP):
        committer.add(finished(number))
    assert slow.begun.wait(60)
    late = [
        threading.Thread(target=committer.add, args=(finished(GROUP + n),), daemon=True) for n in range(3)
    ]
    for thread in late:
        thread.start()
    while committer._at_the_door < len(late):
        threading.Event().wait(0.001)
    closing = threading.Thread(target=committer.close, daemon=True)
    closing.start()
    slow.goes_on.set()
    for thread in (*late, closing):
        thread.join(60)
        assert not thread.is_alive()
    assert len(slow.booked) == GROUP + 3


class Away:
    """A store and a ledger that are away for so many tries, in the middle of their work."""

    def __init__(self, store: int, ledger: int) -> None:
        self._store, self._ledger = store, ledger
        self.away_for = lambda: 0.0
        self.parts: list[str] = []
        self.commits: list[Commit] = []

    def write_parts(self, job_id: str, parts: Sequence[Part]) -> list[list[PartPointer]]:
        self.parts += [part.name for part in parts]
        self._store -= 1
        if self._store >= 0:
            raise UnavailableError("store")
        return [[PartPointer(key="k", offset=0, length=1) for _ in part.lines] for part in parts]

    def commit(self, commits: Sequence[Commit]) -> set[tuple[str, str]]:
        self.commits += commits
        self._ledger -= 1
        if self._ledger >= 0:
            raise UnavailableError("ledger")
        return set()


@pytest.mark.parametrize(("store", "ledger"), [(0, 3), (3, 0), (2, 40)])
def test_what_is_paid_for_waits_in_memory_and_is_the_same_part_each_time(store: int, ledger: int) -> None:
    away, unused = Away(store, ledger), None
    backend: Any = Backend(away, unused, away, FakeClock())
    committer = Committer(backend, "job-a", on_failure=pytest.fail)
    committer.add(finished(1))
    committer.close()
    assert set(away.parts) == {"b1/1-job-a-1"}
    assert len(away.commits) == ledger + 1
    assert all(each == away.commits[0] for each in away.commits)


@pytest.mark.parametrize("left", [None, 0.0, 40.0])
def test_what_cannot_be_kept_in_time_is_given_up_as_ever(left: float | None) -> None:
    """On a machine after half an hour, on a platform before the function's end."""
    clock, away, unused = FakeClock(), Away(0, 10**6), None
    ends, failures = clock.monotonic() + (left or 0), list[str]()
    backend: Any = Backend(away, unused, away, clock)
    named = {} if left is None else {"time_left": lambda: ends - clock.monotonic()}
    committer = Committer(backend, "job-a", on_failure=failures.append, **named)
    began = clock.monotonic()
    committer.add(finished(1))
    committer.close()
    assert len(failures) == 1
    waited = clock.monotonic() - began
    assert (1800 if left is None else left) <= waited <= (1816 if left is None else left + 1)


@pytest.mark.parametrize("last", ["comes", "stays pending"])
def test_what_nobody_is_to_come_after_is_booked_without_waiting_for_company(
    slow: SlowLedger, committer: Committer, last: str
) -> None:
    """Its clock stands still, so that a group which waits for its time would wait for good."""
    slow.goes_on.set()
    committer.expect(2)
    committer.add(finished(1))
    assert slow.booked == []
    if last == "comes":
        committer.add(finished(2))
    else:
        committer.expect(-1)
    until(lambda: len(slow.booked) == (2 if last == "comes" else 1))
    committer.close()
