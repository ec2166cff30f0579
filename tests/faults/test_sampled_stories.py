"""Stories of records that are asked several times over: whatever ends a job, an answer is paid for once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.domain.call import ChatRequest
from handlers.domain.part_lines import decode
from handlers.domain.result import PartLine
from handlers.runs import control
from handlers.tasks.file_task.samples.sampled_task import SampledFileTask
from tests.builders.fakes import FakeClock
from tests.builders.task_files import bundle_in, sampled
from tests.faults.crashing import Point
from tests.faults.seven_promises import PROMISES, promise_5_the_mathematics_is_exact
from tests.faults.small_fleet import SmallFleet

Fleets = Callable[..., SmallFleet]


@pytest.fixture
def fleets(tmp_path: Path) -> Iterator[Fleets]:
    made: list[SmallFleet] = []

    def make(said: str, samples: int = 5) -> SmallFleet:
        """``said``: the value that each sample says, ``x`` one that is not allowed."""
        clock = FakeClock()
        bundle = bundle_in(tmp_path, sampled(samples))
        ledger, store = SqliteLedger(tmp_path / "ledger.sqlite3"), FileStore(tmp_path)

        def answer(request: ChatRequest, good: bool) -> str:
            del good  # each sample says what it is told
            values = {"p": "physics", "o": "other", "x": "astrology"}
            return json.dumps({"field": values[said[request.sample % len(said)]]})

        fleet = SmallFleet(
            tmp_path, ledger=ledger, store=store, clock=clock, papers=1,
            task_of=lambda spec: SampledFileTask(bundle, spec), answer=answer,
            queue_of=lambda name: SqliteQueue(tmp_path / "queue.sqlite3", name, clock, max_receives=3),
        )  # fmt: skip

        fleet.submit("first")
        made.append(fleet)
        return fleet

    yield make
    for fleet in made:
        fleet.bury()
        for standing in fleet.standings():
            for promise in {*PROMISES} - {promise_5_the_mathematics_is_exact}:  # no text comes back
                promise(standing)
        fleet.close()
        fleet.raw.close()
        fleet.store.close()


def line(fleet: SmallFleet) -> PartLine:
    where = fleet.raw.paper_rows("first", ["paper-00000"])["paper-00000"].pointer
    assert where is not None
    return decode(fleet.store.read(where.key, where.offset, where.length), where)


def finish(fleet: SmallFleet) -> None:
    for _ in range(4):
        fleet.bury()
        fleet.clock.advance(200)
        fleet.work("first")
    assert fleet.raw.totals("first").counts["pending"] == 0


@pytest.mark.parametrize(
    ("said", "calls", "field", "share"),
    [("ppppp", 3, "physics", 1.0), ("popp", 4, "physics", 0.75), ("opxpop", 6, "other", 0.4)],
)
def test_each_answer_but_the_last_has_a_line_of_its_own(
    fleets: Fleets, said: str, calls: int, field: str, share: float
) -> None:
    fleet = fleets(said)
    fleet.work("first")
    last = line(fleet)
    assert (last.status, last.fields) == ("done", {"field": field, "answer_agreement": share})
    assert (fleet.api.calls, len(last.carried + last.calls)) == (calls, calls)
    assert len({call.id for call in last.carried + last.calls}) == calls


EVERY = list(product(("write_parts", "commit"), (1, 2, 3), ("before", "after", "frozen")))
FEW = [("write_parts", 2, "before"), ("commit", 3, "frozen"), ("commit", 1, "after")]


@pytest.mark.parametrize(
    ("method", "nth", "when"),
    [*FEW, *(pytest.param(*each, marks=pytest.mark.slow) for each in EVERY if each not in FEW)],
)
def test_a_job_that_dies_repeats_what_was_not_durable_and_nothing_else(
    fleets: Fleets, method: str, nth: int, when: Any
) -> None:
    fleet = fleets("popp")
    fleet.work("first", point=Point(method, nth, when))
    finish(fleet)
    assert line(fleet).fields["answer_agreement"] == 0.75
    assert fleet.api.calls <= 5  # one was in flight


def test_a_deadline_in_the_middle_goes_on(fleets: Fleets) -> None:
    fleet = fleets("popp")
    fleet.work("first", seconds=7)
    assert fleet.api.calls == 2
    finish(fleet)
    assert fleet.api.calls == 4


def test_a_retry_asks_for_the_one_answer_that_failed(fleets: Fleets) -> None:
    fleet = fleets("popp")
    fleet.work("first", ["ok", "hidden"])
    assert (line(fleet).status, line(fleet).error) == ("failed", "bad_answer")
    before = fleet.api.calls
    control.retry(fleet.backend("first"), "first", statuses=["failed"], error=None)
    finish(fleet)
    assert (line(fleet).status, line(fleet).fields["field"]) == ("done", "physics")
    assert fleet.api.calls - before == 3  # of four


def test_a_retry_of_what_every_answer_failed_asks_anew(fleets: Fleets) -> None:
    fleet = fleets("x", 3)
    fleet.work("first")
    assert (line(fleet).status, line(fleet).error, fleet.api.calls) == ("flagged", "schema", 6)
    control.retry(fleet.backend("first"), "first", statuses=["flagged"], error=None)
    finish(fleet)
    assert fleet.api.calls == 12
