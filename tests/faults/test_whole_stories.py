"""Stories of whole papers: whatever ends a job, a passage that is paid for is never asked again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.domain.part_lines import decode
from handlers.domain.result import PartLine
from handlers.runs import control
from handlers.tasks.translation.translate import TranslateTask
from tests.builders.fakes import FakeClock
from tests.builders.paragraph_task import ParagraphTask
from tests.faults.crashing import Point
from tests.faults.one_thread import PRICE, USAGE, Answer
from tests.faults.seven_promises import PROMISES
from tests.faults.small_fleet import SmallFleet

CALL = USAGE.cost(PRICE)
Fleets = Callable[..., SmallFleet]


@pytest.fixture
def fleets(tmp_path: Path) -> Iterator[Fleets]:
    made: list[SmallFleet] = []

    def make(
        papers: int = 1, paragraphs: int = 3, task_of: Any = ParagraphTask, **submitted: Any
    ) -> SmallFleet:
        """A paper is asked by its head, its terms, and each paragraph, in this order."""
        clock = FakeClock()
        ledger, store = SqliteLedger(tmp_path / "ledger.sqlite3"), FileStore(tmp_path)
        fleet = SmallFleet(
            tmp_path, ledger=ledger, store=store, clock=clock, papers=papers, paragraphs=paragraphs,
            task_of=task_of,
            queue_of=lambda name: SqliteQueue(tmp_path / "queue.sqlite3", name, clock, max_receives=3),
        )  # fmt: skip
        fleet.submit("first", **submitted)
        made.append(fleet)
        return fleet

    yield make
    for fleet in made:
        fleet.bury()
        for standing in fleet.standings():
            for promise in PROMISES:
                promise(standing)
        fleet.close()
        fleet.raw.close()
        fleet.store.close()


def line(fleet: SmallFleet, run: str = "first") -> PartLine:
    """The paper's last one."""
    where = fleet.raw.paper_rows(run, ["paper-00000"])["paper-00000"].pointer
    assert where is not None
    return decode(fleet.store.read(where.key, where.offset, where.length), where)


def interim(fleet: SmallFleet) -> list[PartLine]:
    lines = []
    for batch_id in {message.batch_id for message in _batches(fleet)}:
        for answer in fleet.raw.answers("first", batch_id).get("paper-00000", ()):
            where = answer.pointer
            lines.append(decode(fleet.store.read(where.key, where.offset, where.length), where))
    return lines


def _batches(fleet: SmallFleet) -> Iterator[Any]:
    from handlers.domain.batch import BatchMessage

    for _, delivery in fleet.seen:
        yield BatchMessage.model_validate_json(delivery.body)


def finish(fleet: SmallFleet) -> None:
    for _ in range(4):
        fleet.bury()
        if fleet.raw.control("first").state != "active":
            fleet.submit("first")
        fleet.clock.advance(200)
        fleet.work("first")
    assert fleet.raw.totals("first").counts["pending"] == 0


def retry(fleet: SmallFleet) -> None:
    control.retry(fleet.backend("first"), "first", statuses=["failed", "flagged"], error=None)
    finish(fleet)


def test_each_passage_has_a_line_and_the_last_one_joins_them(fleets: Fleets) -> None:
    fleet = fleets()
    fleet.work("first")
    last, lines = line(fleet), interim(fleet)
    assert [each.passage for each in lines] == ["head", "terms", "frame", "body/0", "body/1", "body/2"]
    assert all(each.status == "pending" and not each.fields for each in lines)
    assert [each.passed for each in lines] == [True, True, False, True, True, True]
    assert lines[2].frame
    assert (last.status, last.calls) == ("done", ())
    assert last.behind is not None
    assert (last.behind.sent, last.behind.cost) == (5, 5 * CALL)
    assert last.coverage is not None
    assert (last.coverage.translated, len(last.ends)) == (3, 3)
    assert len(last.fields["body"].split("\n\n")) == 3
    row = fleet.raw.paper_rows("first", ["paper-00000"])["paper-00000"]
    assert (row.cost, row.status) == (5 * CALL, "done")


@pytest.mark.parametrize("answered", range(5))
def test_a_paper_goes_on_after_any_of_its_calls(fleets: Fleets, answered: int) -> None:
    fleet = fleets()
    fleet.work("first", ["ok"] * answered + ["no_key"])
    finish(fleet)
    assert (line(fleet).status, fleet.api.calls) == ("done", 5 + 1)
    assert line(fleet).behind == line(fleet).behind.model_copy(update={"ok": 5, "cost": 5 * CALL})


@pytest.mark.parametrize(
    ("nth", "when"), [*((nth, "before") for nth in range(1, 8)), (2, "after"), (3, "after"), (6, "after")]
)
def test_a_job_that_dies_at_any_line_costs_the_call_of_that_line_alone(
    fleets: Fleets, nth: int, when: Any
) -> None:
    """Lines: head, terms, frame, three of the body, the paper's. The job has one worker."""
    fleet = fleets()
    fleet.work("first", point=Point("commit", nth, when))
    finish(fleet)
    has_call = nth in (1, 2, 4, 5, 6)
    assert (line(fleet).status, fleet.api.calls) == ("done", 5 + (has_call and when == "before"))


@pytest.mark.parametrize(
    ("answers", "ends", "calls"),
    [
        (["ok", "ok", "ok", "refused", "ok"], ("flagged", "content_filter"), 6),
        (["ok", "ok", "ok", "hidden", "ok"], ("failed", "bad_answer"), 6),
        (["ok", "ok", "ok", "blamed", "ok"], ("flagged", "structure"), 6),
        (["ok", "ok", "refused", "hidden", "ok"], ("failed", "bad_answer"), 7),
        (["refused", "ok", "ok", "ok", "ok"], ("flagged", "content_filter"), 6),
        (["refused", "refused", "ok", "ok", "ok"], ("flagged", "content_filter"), 6),
        (["ok", "refused", "ok", "ok", "refused"], ("flagged", "content_filter"), 6),
        (["ok", "hidden", "ok", "ok", "refused"], ("flagged", "content_filter"), 6),
        (["ok", "ok", "blamed", "blamed", "ok"], ("flagged", "structure"), 7),
    ],
    ids=str,
)
def test_siblings_go_on_and_a_retry_asks_for_what_did_not_pass(
    fleets: Fleets, answers: list[Answer], ends: tuple[str, str], calls: int
) -> None:
    """Terms are not asked again, as the frame stands."""
    fleet = fleets()
    fleet.work("first", answers)
    assert ((line(fleet).status, line(fleet).error), fleet.api.calls) == (ends, 5)
    frames = [each.frame for each in interim(fleet) if each.passage == "frame"]
    retry(fleet)
    assert (line(fleet).status, fleet.api.calls) == ("done", calls)
    assert [each.frame for each in interim(fleet) if each.passage == "frame"] == frames


def test_a_passage_that_was_refused_twice_is_asked_a_third_time_and_no_other(fleets: Fleets) -> None:
    fleet = fleets()
    fleet.work("first", ["ok", "ok", "refused", "ok", "refused"])
    control.retry(fleet.backend("first"), "first", statuses=["flagged"], error=None)
    fleet.work("first", ["refused", "ok"])
    assert (line(fleet).status, fleet.api.calls) == ("flagged", 7)
    assert line(fleet).behind.sent == 2
    retry(fleet)
    assert (line(fleet).status, fleet.api.calls) == ("done", 8)


@pytest.mark.parametrize("terms", ["refused", "hidden"])
def test_terms_never_flag_nor_fail_a_paper(fleets: Fleets, terms: Answer) -> None:
    fleet = fleets()
    fleet.work("first", ["ok", terms])
    assert (line(fleet).status, fleet.api.calls) == ("done", 5)


@pytest.mark.parametrize("method", ["is_whole", "first", "frame", "rest", "result"])
def test_an_error_that_nobody_foresaw_fails_its_paper_alone(
    fleets: Fleets, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = fleets(papers=3)
    right = getattr(ParagraphTask, method)

    def stumbling(task: ParagraphTask, paper: Any, *more: Any) -> Any:
        if paper.id == "paper-00000":
            raise ZeroDivisionError("nobody foresaw this")
        return right(task, paper, *more)

    monkeypatch.setattr(ParagraphTask, method, stumbling)
    fleet.work("first")
    asked = {"is_whole": 0, "first": 0, "frame": 2, "rest": 2, "result": 5}[method]
    assert (line(fleet).status, line(fleet).error) == ("failed", "ZeroDivisionError")
    assert fleet.api.calls == 10 + asked
    monkeypatch.undo()
    retry(fleet)
    assert (line(fleet).status, fleet.api.calls) == ("done", 15)


def test_a_late_line_of_a_lost_lease_meets_a_paper_that_ended(fleets: Fleets) -> None:
    fleet = fleets()
    fleet.work("first", point=Point("commit", 5, "frozen"))
    finish(fleet)
    assert (line(fleet).status, fleet.api.calls) == ("done", 6)
    fleet.frozen.pop()()
    assert (line(fleet).status, fleet.raw.totals("first").calls.sent) == ("done", 6)
    assert [each.passage for each in interim(fleet)].count("body/1") == 2


def test_answers_of_two_jobs_are_united(fleets: Fleets) -> None:
    """The first froze over its terms; the second, told other terms, was stopped in the body."""
    fleet = fleets()
    fleet.work("first", point=Point("commit", 2, "frozen"))
    fleet.bury()
    fleet.clock.advance(200)
    fleet.work("first", ["refused", "ok", "no_key"])
    fleet.frozen.pop()()
    finish(fleet)
    assert (line(fleet).status, fleet.api.calls) == ("done", 2 + 3 + 2)
    assert [each.frame for each in interim(fleet) if each.passage == "frame"] == [None]


def during_call(fleet: SmallFleet, nth: int, act: Callable[[], None]) -> None:
    """``act`` while the ``nth`` call from now is under way, as others would."""
    look, wanted = fleet.api._look, fleet.api.calls + nth

    def looking(run_id: str, request: Any) -> None:
        look(run_id, request)
        if fleet.api.calls == wanted:
            script, fleet.api.script = fleet.api.script, type(fleet.api.script)()
            act()
            fleet.api.script = script

    fleet.api._look = looking


def test_no_passage_starts_once_the_lease_is_lost(fleets: Fleets) -> None:
    fleet = fleets()
    during_call(fleet, 3, lambda: [lease.lost.set() for lease in fleet.leases()])
    fleet.work("first")
    assert (fleet.api.calls, fleet.raw.totals("first").counts["done"]) == (3, 0)
    finish(fleet)
    assert (line(fleet).status, fleet.api.calls) == ("done", 5)


def test_of_two_frames_the_earlier_counts(fleets: Fleets) -> None:
    """A second job was let in while the first one waited for its terms, and was told none."""
    fleet = fleets()

    def another() -> None:
        fleet.clock.advance(200)
        fleet.work("first", ["refused", "ok", "no_key"])

    during_call(fleet, 2, another)
    fleet.work("first", ["ok", "ok", "ok", "no_key"])
    frames = [each.frame or {} for each in interim(fleet) if each.passage == "frame"]
    assert (len(frames), {} in frames, fleet.api.calls) == (2, True, 7)
    finish(fleet)
    assert (line(fleet).status, fleet.api.calls) == ("done", 7 + 2), "but for the two that neither had asked"


def test_a_paper_of_many_jobs_is_never_blamed_for_their_deadlines(fleets: Fleets) -> None:
    """Three deliveries make a dead letter; this one takes more."""
    fleet = fleets(paragraphs=12)
    jobs = 0
    while fleet.raw.totals("first").counts["done"] == 0:
        fleet.clock.advance(1)
        fleet.work("first", seconds=8)
        jobs += 1
        assert jobs < 20
    assert jobs > 4
    assert fleet.api.calls == 14
    assert not fleet.queue("first").dead_letters()


def test_a_budget_stops_a_paper_between_two_passages(fleets: Fleets) -> None:
    fleet = fleets(budget=1)
    for budget in (8 * CALL, 40 * CALL, 48 * CALL, 90 * CALL):
        fleet.submit("first", budget=budget)
        fleet.work("first")
        fleet.clock.advance(200)
    assert (line(fleet).status, fleet.api.calls) == ("done", 5)


def test_a_head_that_was_paid_without_its_body_is_taken_over(fleets: Fleets) -> None:
    fleet = fleets()
    fleet.submit("bare", full_text=False, body_version=None)
    fleet.work("bare")
    assert (line(fleet, "bare").status, fleet.api.calls) == ("done", 1)
    finish(fleet)
    assert (line(fleet).status, fleet.api.calls) == ("done", 1 + 4)
    assert line(fleet).fields["title"] == line(fleet, "bare").fields["title"]
    assert line(fleet).behind.sent == 4


BARE = {"full_text": False, "body_version": None}


@pytest.mark.parametrize("answered", [1, 3, 5])
@pytest.mark.parametrize("task_of", [ParagraphTask, TranslateTask])
def test_a_head_that_was_paid_with_its_body_is_taken_over(
    fleets: Fleets, answered: int, task_of: Any
) -> None:
    fleet = fleets(task_of=task_of)
    fleet.work("first", ["ok"] * answered + ["no_key"])  # its paper may never end
    before = fleet.api.calls
    fleet.submit("bare", **BARE)
    fleet.work("bare")
    bare = line(fleet, "bare")
    assert (bare.status, bare.calls, fleet.api.calls) == ("done", (), before)
    (head,) = (each for each in interim(fleet) if each.passage == "head")
    assert [call.id for call in bare.carried] == [call.id for call in head.calls]
    fleet.submit("third", **BARE)
    fleet.work("third")
    assert line(fleet, "third").reused_from == "bare/paper-00000"
    finish(fleet)
    assert (line(fleet).status, fleet.api.calls) == ("done", before + 5 - min(answered, 5))


def test_answers_to_a_head_that_was_refused_are_asked_for_again(fleets: Fleets) -> None:
    fleet = fleets()
    fleet.work("first", ["flawed"] * 2)  # its head, and the repair
    before = fleet.api.calls
    fleet.submit("bare", **BARE)
    fleet.work("bare")
    assert (line(fleet, "bare").status, fleet.api.calls) == ("done", before + 1)


def test_a_whole_paper_is_taken_over_by_a_later_run(fleets: Fleets) -> None:
    fleet = fleets()
    fleet.work("first")
    fleet.submit("again")
    fleet.work("again")
    again = line(fleet, "again")
    assert (again.reused_from, again.behind, fleet.api.calls) == ("first/paper-00000", None, 5)
    assert (again.fields, again.coverage, again.ends) == (
        line(fleet).fields,
        line(fleet).coverage,
        line(fleet).ends,
    )


@pytest.mark.parametrize("answered", [1, 3])
def test_a_translated_body_goes_on_after_any_of_its_calls(fleets: Fleets, answered: int) -> None:
    fleet = fleets(task_of=TranslateTask)
    fleet.work("first", ["ok"] * answered + ["no_key"])
    finish(fleet)
    assert (line(fleet).status, fleet.api.calls) == ("done", 5 + 1)
    assert line(fleet).behind.ok == 5
