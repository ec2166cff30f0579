"""What the lines of a run's parts say of its papers: outcomes, and every answer that came before one."""

from __future__ import annotations

from pathlib import Path

import pytest

from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.audit.part_index import part_index
from handlers.audit.scan_parts import ScannedLine
from handlers.domain.call import CallTotals
from handlers.domain.coverage import Coverage
from handlers.domain.ledger import Commit, PaperRow
from handlers.domain.paper import PaperStatus
from handlers.domain.result import OF_HEAD, PartPointer
from tests.builders.values import RUN, batch, call, part_line, run_record

Line = tuple[int, PaperStatus]


def place(number: int) -> PartPointer:
    return PartPointer(key="runs/r/segments/job-a.jsonl", offset=100 * number, length=100)


def restored(folder: Path, lines: list[Line]) -> tuple[PaperRow, list[int]]:
    """Paper ``p1``'s row in a ledger that is made of these (generation, status) lines, and which of them it
    would be given again."""
    ledger = SqliteLedger(folder / "ledger.sqlite3")
    ledger.create_run(run_record(papers=2))
    with part_index() as index:
        index.add(
            ScannedLine(
                place(number),
                part_line(
                    "p1", status, generation=generation, at=float(number), calls=(call(f"call-{number}"),)
                ),
            )
            for number, (generation, status) in enumerate(lines)
        )
        message = batch(generation=index.generation("b1"))
        ledger.add_batches([message])
        entries = tuple(index.entries(message))
        ledger.commit([Commit(RUN, "b1", "b1/repair-papers", "repair", entries, CallTotals(), 1.0)])
    row = ledger.paper_rows(RUN, ["p1"])["p1"]
    found = ledger.answers(RUN, "b1").get("p1", [])
    assert len(found) == sum(status == "pending" for _, status in lines), "every one is known"
    given = [each.pointer.offset // 100 for each in found if each.generation >= row.generation]
    ledger.close()
    return row, given


@pytest.mark.parametrize(
    ("lines", "status", "given"),
    [
        ([(1, "pending")], "pending", [0]),
        ([(1, "pending"), (1, "pending"), (2, "pending")], "pending", [0, 1, 2]),
        ([(1, "pending"), (1, "flagged"), (2, "pending"), (2, "pending")], "pending", [2, 3]),
        ([(1, "flagged"), (3, "pending")], "pending", [1]),
    ],
)
def test_a_repaired_row_is_given_the_answers_since_it_was_opened(
    tmp_path: Path, lines: list[Line], status: str, given: list[int]
) -> None:
    row, found = restored(tmp_path, lines)
    assert (row.status, found) == (status, given)
    assert row.cost == 1000 * len(lines), "all of them were paid for"
    assert row.pointer == place(given[-1])


def test_an_outcome_stands_whatever_came_before_it(tmp_path: Path) -> None:
    row, _ = restored(tmp_path, [(1, "pending"), (1, "failed"), (2, "pending"), (2, "done")])
    assert (row.status, row.generation, row.pointer, row.cost) == ("done", 2, place(3), 4000)


def test_a_whole_paper_s_lines_are_answers_and_its_end_repeats_no_money(tmp_path: Path) -> None:
    """The last line says again what its passages cost (``behind``): that is booked where they lie."""
    interim = {"status": "pending", "fields": {}, "fingerprint": ""}
    lines = [
        part_line("p1", **interim, passage="head", passed=True, calls=(call("a"),), at=1.0),
        part_line("p1", **interim, passage="frame", frame={"肺癌": "lung cancer"}, calls=(), at=2.0),
        part_line("p1", **interim, passage="body/0", error="numbers", calls=(call("b"),), at=3.0),
        part_line(
            "p1",
            "flagged",
            error="numbers",
            calls=(),
            at=4.0,
            behind=CallTotals.of((call("a"), call("b"))),
            coverage=Coverage(
                translated=9, kept={"reference": 4}, flagged=("body/3",), notes={"odd_dollars": 2}
            ),
        ),
    ]
    with part_index() as index:
        scan = index.add(ScannedLine(place(number), line) for number, line in enumerate(lines))
        *answers, end = index.entries(batch())
    assert (scan.calls.sent, scan.calls.cost, end.cost, end.calls) == (2, 2000, 2000, 2)
    assert [(each.pointer, each.error) for each in answers] == [
        (place(0), None),
        (place(1), None),
        (place(2), "numbers"),
    ]
    assert end.segments == {
        "translated": 9,
        "kept": 4,
        "kept.reference": 4,
        "flagged": 1,
        "note.odd_dollars": 2,
    }


def test_a_row_that_is_made_again_says_what_the_line_says_that_it_points_at(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    ledger.add_batches([batch()])
    errors = ["numbers", None, "length"]
    with part_index() as index:
        index.add(
            ScannedLine(
                place(number), part_line("p1", "pending", passage=f"body/{number}", error=error, at=at)
            )
            for number, (error, at) in enumerate(zip(errors, (3.0, 1.0, 2.0), strict=True))
        )
        entries = tuple(index.entries(batch()))
        ledger.commit([Commit(RUN, "b1", "b1/repair-papers", "repair", entries, CallTotals(), 1.0)])
    row = ledger.paper_rows(RUN, ["p1"])["p1"]
    assert row.pointer is not None
    assert row.error == errors[row.pointer.offset // 100]
    ledger.close()


def test_a_repaired_ledger_knows_the_heads_that_were_paid_for(tmp_path: Path) -> None:
    ledger, name = SqliteLedger(tmp_path / "ledger.sqlite3"), OF_HEAD + "fp"
    ledger.create_run(run_record(papers=2))
    lines = [part_line("p1", "pending", fingerprint=name), part_line("p1", "flagged", generation=2)]
    with part_index() as index:
        index.add(ScannedLine(place(number), line) for number, line in enumerate(lines))
        entries = tuple(index.entries(batch(generation=2)))
    ledger.add_batches([batch(generation=2)])
    ledger.commit([Commit(RUN, "b1", "b1/repair-papers", "repair", entries, CallTotals(), 1.0)])
    assert ledger.reusable([name])[name].pointer == place(0)
    ledger.close()
