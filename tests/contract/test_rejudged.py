"""``Ledger.rejudge``: another verdict on a paper that has ended, on every adapter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from handlers.domain.ledger import PaperRow
from handlers.domain.result import PartPointer
from handlers.ports import Ledger
from tests.builders.values import RUN, call, commit, entry, run_record


def place(number: int) -> PartPointer:
    return PartPointer(key="runs/r/segments/job-a.jsonl", offset=100 * number, length=100)


def finished(ledger: Ledger) -> dict[str, PaperRow]:
    """Batch ``b1``: ``p1`` done, ``p2`` flagged."""
    done = entry("p1", "done", pointer=place(1), cost=300, fingerprint="f1")
    flagged = entry(
        "p2", "flagged", pointer=place(2), cost=200, error="length", flags=("length",), fingerprint="f2"
    )
    ledger.commit([commit(done, flagged, calls=[call("a"), call("b")])])
    assert ledger.finish_batch(RUN, "b1", now=1.0)
    return ledger.paper_rows(RUN, ["p1", "p2"])


def moved(paper_id: str, status: Any, number: int, **changes: Any) -> Any:
    name = {"p1": "f1", "p2": "f2"}[paper_id]
    return entry(paper_id, status, pointer=place(number), cost=0, generation=2, fingerprint=name, **changes)


def test_papers_move_both_ways_and_cost_what_they_did(ledger: Ledger) -> None:
    rows = finished(ledger)
    again = commit(moved("p1", "flagged", 11, error="numbers"), moved("p2", "done", 12), part="regate")
    for _ in range(2):  # a repeated request changes nothing more
        assert ledger.rejudge(again, rows) <= {"p1", "p2"}
        new = ledger.paper_rows(RUN, ["p1", "p2"])
        assert {
            key: (row.status, row.generation, row.error, row.pointer, row.cost) for key, row in new.items()
        } == {
            "p1": ("flagged", 2, "numbers", place(11), 300),
            "p2": ("done", 2, None, place(12), 200),
        }
        totals = ledger.totals(RUN)
        assert (totals.counts["done"], totals.counts["flagged"], totals.counts["pending"]) == (1, 1, 2)
        assert totals.calls.sent == 2
        assert {name: each.pointer for name, each in ledger.reusable(["f1", "f2"]).items()} == {
            "f2": place(12)
        }
    assert [each.batch_id for each in ledger.unfinished_batches(RUN)] == ["b2"]


def test_a_row_that_is_not_as_it_was_read_stays(ledger: Ledger) -> None:
    rows = finished(ledger)
    ledger.reopen(RUN, statuses=["flagged"], error=None)
    other = rows | {"p1": rows["p1"]._replace(pointer=place(9))}
    both = commit(moved("p1", "flagged", 11, error="numbers"), moved("p2", "done", 12), part="regate")
    assert ledger.rejudge(both, other) == set()
    new = ledger.paper_rows(RUN, ["p1", "p2"])
    assert (new["p1"].status, new["p2"].status) == ("done", "pending")
    assert set(ledger.reusable(["f1"])) == {"f1"} or new["p1"].status == "done"


def test_a_retry_after_it_opens_a_later_generation(ledger: Ledger) -> None:
    rows = finished(ledger)
    assert ledger.rejudge(commit(moved("p1", "flagged", 11, error="numbers"), part="regate"), rows) == {"p1"}
    assert ledger.reopen(RUN, statuses=["flagged"], error="numbers") == 1
    row = ledger.paper_rows(RUN, ["p1"])["p1"]
    assert (row.status, row.generation) == ("pending", 3)
    (message,) = [each for each in ledger.unfinished_batches(RUN) if each.batch_id == "b1"]
    assert message.generation == 3
    late = entry("p1", "done", pointer=place(20), generation=3, fingerprint="f1", cost=5)
    ledger.commit([commit(late, part="later", calls=[call("c")])])
    assert ledger.paper_rows(RUN, ["p1"])["p1"].cost == 305


def test_verdicts_of_passages_are_put_among_the_answers(ledger: Ledger) -> None:
    rows = finished(ledger)
    passage = entry("p1", "pending", pointer=place(10), cost=0, generation=2)
    ledger.rejudge(commit(passage, moved("p1", "flagged", 11, error="numbers"), part="regate"), rows)
    assert [each.pointer for each in ledger.answers(RUN, "b1")["p1"]] == [place(10)]
    assert ledger.paper_rows(RUN, ["p1"])["p1"].status == "flagged"


@pytest.mark.parametrize("status", ["done", "flagged"])
def test_two_at_once_move_a_paper_once(
    open_ledger: Callable[[], Ledger], ledger: Ledger, status: str
) -> None:
    rows, other = finished(ledger), open_ledger()
    paper, to = ("p1", "flagged") if status == "done" else ("p2", "done")
    assert ledger.rejudge(commit(moved(paper, to, 11), part="one"), rows) == {paper}
    assert other.rejudge(commit(moved(paper, to, 12), part="two"), rows) == set()
    assert ledger.paper_rows(RUN, [paper])[paper].pointer == place(11)
    assert sum(ledger.totals(RUN).counts.values()) == 4


def test_a_run_has_other_settings_where_it_still_has_those_that_were_read(ledger: Ledger) -> None:
    record = ledger.create_run(run_record("judged", glossary={"模型": "model"}, task_asks="a", task_gate="1"))
    known, stricter = record.spec, record.spec.model_copy(update={"task_gate": "2"})
    assert ledger.judge_by("judged", stricter, known=known)
    assert ledger.run("judged").spec == stricter
    assert not ledger.judge_by("judged", known.model_copy(update={"task_gate": "3"}), known=known)
    assert ledger.run("judged").spec == stricter
