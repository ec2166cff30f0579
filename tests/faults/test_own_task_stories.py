"""Tasks of files that repair, vote or ask by passages: whatever happens in whatever order, the promises hold
after every step, the ledger is the bill where no job died, and a death repeats the one call in flight."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import settings

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.domain.call import ChatRequest
from handlers.domain.part_lines import decode
from handlers.domain.result import PartLine
from handlers.domain.run import RunSpec
from handlers.tasks.file_task.by_passage.passage_task import PassageFileTask
from handlers.tasks.file_task.file_task import FileTask
from handlers.tasks.file_task.load_task import load_task
from handlers.tasks.file_task.samples.sampled_task import SampledFileTask
from tests.builders.fakes import FakeClock
from tests.builders.task_files import sampled, written
from tests.faults.crashing import Point
from tests.faults.promise_machine import Promises
from tests.faults.seven_promises import PROMISES, promise_5_the_mathematics_is_exact
from tests.faults.small_fleet import SmallFleet
from tests.faults.stories import EVERYWHERE

REPAIRED = sampled(1) + "[repair]\ntries = 2\n"
VOTED = sampled(3)
BY_PASSAGE = REPAIRED.replace('["zh"]', '["zh"], unit = "passage"').replace(
    "{{ title }} {{ abstract }}", "{{ passage }}"
)
KINDS: dict[str, type[FileTask]] = {
    REPAIRED: FileTask, VOTED: SampledFileTask, BY_PASSAGE: PassageFileTask,
}  # fmt: skip
SIZES = {REPAIRED: {"papers": 3}, VOTED: {"papers": 3}, BY_PASSAGE: {"papers": 2, "paragraphs": 3}}
NO_TEXT = tuple(each for each in PROMISES if each is not promise_5_the_mathematics_is_exact)
"""Of records whose answers are no texts of theirs."""


def answer(request: ChatRequest, good: bool) -> str:
    """Of three samples the second says something else."""
    return json.dumps({"field": ("physics", "other")[request.sample % 2] if good else "astrology"})


def own(folder: Path, text: str) -> dict[str, Any]:
    """What a fleet is told of a task."""
    bundle, kind = load_task(written(folder, text)), KINDS[text]

    def task_of(spec: RunSpec) -> FileTask:
        return kind(bundle, spec)

    return {"task_of": task_of, "answer": answer, **SIZES[text]}


class OwnTasks(Promises):
    promises = NO_TEXT
    text: ClassVar[str]

    def adapters(self, folder: Path, clock: FakeClock) -> dict[str, Any]:
        return super().adapters(folder, clock) | own(folder, self.text)


class Repairs(OwnTasks):
    text = REPAIRED


class Votes(OwnTasks):
    text = VOTED


class Passages(OwnTasks):
    text = BY_PASSAGE


@pytest.mark.slow
class TestRepairs(Repairs.TestCase):
    settings = settings(EVERYWHERE, max_examples=25, stateful_step_count=25)


@pytest.mark.slow
class TestVotes(Votes.TestCase):
    settings = settings(EVERYWHERE, max_examples=25, stateful_step_count=25)


@pytest.mark.slow
class TestPassages(Passages.TestCase):
    settings = settings(EVERYWHERE, max_examples=15, stateful_step_count=25)


def answered_at_the_second_try(request: ChatRequest, good: bool) -> str:
    return answer(request, good and request.kind == "repair")


@pytest.fixture
def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallFleet]:
    clock, told = FakeClock(), own(tmp_path, request.param)
    ledger, store = SqliteLedger(tmp_path / "ledger.sqlite3"), FileStore(tmp_path)
    made = SmallFleet(
        tmp_path, ledger=ledger, store=store, clock=clock,
        queue_of=lambda name: SqliteQueue(tmp_path / "queue.sqlite3", name, clock, max_receives=9),
        **told | {"papers": 1, "answer": answered_at_the_second_try},
    )  # fmt: skip
    made.submit("first")
    yield made
    made.close()
    ledger.close()
    store.close()


POINTS = [
    Point(*each)
    for each in product(("write_parts", "commit"), (1, 2, 3, 4), ("before", "after", "frozen"))
]  # fmt: skip
FEW = [Point("write_parts", 1, "before"), Point("commit", 2, "before")]
EVERY = [(text, each) for text in KINDS for each in POINTS if text != REPAIRED or each not in FEW]


@pytest.mark.parametrize(
    ("fleet", "point"),
    [*((REPAIRED, each) for each in FEW), *(pytest.param(*each, marks=pytest.mark.slow) for each in EVERY)],
    indirect=["fleet"],
    ids=lambda each: f"{each.method}-{each.nth}-{each.when}" if isinstance(each, Point) else "",
)
def test_a_death_repeats_one_call_and_no_answer_that_was_being_repaired(
    fleet: SmallFleet, point: Point
) -> None:
    fleet.work("first", point=point)
    for _ in range(4):
        fleet.bury()
        fleet.clock.advance(200)
        fleet.work("first")
    while fleet.frozen:
        fleet.frozen.pop()()
    (standing,) = fleet.standings()
    for promise in NO_TEXT:
        promise(standing)
    assert standing.ledger.totals("first").counts["done"] == 2  # it has a twin
    needed = len({call.request for line in lines_of(fleet) for call in line.calls})
    assert needed % 2 == 0
    assert fleet.api.calls <= needed + 1


def lines_of(fleet: SmallFleet) -> Iterator[PartLine]:
    """All that is durable."""
    for where in fleet.oracle.synced:
        yield decode(fleet.store.read(where.key, where.offset, where.length), where)
