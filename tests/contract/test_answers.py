"""``Ledger``: what papers were answered before they ended, on every adapter."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from handlers.domain.ledger import LedgerEntry, StoredAnswer
from handlers.domain.result import OF_HEAD, PartPointer
from handlers.ports import Ledger
from tests.builders import values
from tests.builders.values import RUN, call, commit, entry


def place(number: int, key: str = "runs/r/segments/job-a.jsonl") -> PartPointer:
    return PartPointer(key=key, offset=100 * number, length=100)


def answer(paper_id: str, number: int, **changes: object) -> LedgerEntry:
    return entry(paper_id, "pending", **{"pointer": place(number), "cost": 10, **changes})


def test_an_answer_that_is_put_twice_is_one(ledger: Ledger) -> None:
    part = commit(answer("p1", 1), calls=[call("a")])
    ledger.commit([part])
    ledger.commit([part])
    ledger.commit([commit(answer("p1", 1), part="copied")])
    assert {each.pointer for each in ledger.answers(RUN, "b1")["p1"]} == {place(1)}
    assert ledger.totals(RUN).calls.sent == 1


def test_answers_of_many_lines_and_jobs_are_united_in_their_order(ledger: Ledger) -> None:
    other = "runs/r/segments/job-b.jsonl"
    ledger.commit([commit(answer("p1", 2, pointer=place(0, other)), job="job-b")])
    ledger.commit([commit(*(answer("p1", number) for number in (12, 3, 1)), answer("p2", 4))])
    found = ledger.answers(RUN, "b1")
    assert [each.pointer for each in found["p1"]] == [place(1), place(3), place(12), place(0, other)]
    assert [each.pointer for each in found["p2"]] == [place(4)]
    assert ledger.paper_rows(RUN, ["p1"])["p1"].pointer == place(1), "the last that was said of it"


def test_a_heads_answer_is_found_by_its_name_whatever_became_of_its_paper(ledger: Ledger) -> None:
    head = answer("p1", 1, fingerprint=OF_HEAD + "fp")
    broken_off = answer("p2", 2, fingerprint="fp-2")
    done = entry("p1", pointer=place(3), fingerprint="fp-1")
    ledger.commit([commit(head, broken_off, done)])
    ledger.commit([commit(answer("p3", 4, fingerprint=OF_HEAD + "fp"), part="2")])
    late = answer("p1", 5, fingerprint=OF_HEAD + "late")
    ledger.commit([commit(late, part="3")])
    names = [OF_HEAD + "fp", OF_HEAD + "late", "fp", "fp-1", "fp-2", OF_HEAD + "fp-2"]
    found = ledger.reusable(names)
    assert {name: each.pointer for name, each in found.items()} == {
        OF_HEAD + "fp": place(1), "fp-1": place(3), OF_HEAD + "late": place(5),
    }  # fmt: skip
    ledger.forget_result(OF_HEAD + "fp", place(1))
    assert ledger.reusable([OF_HEAD + "fp"]) == {}


def test_answers_come_back_by_their_batch_alone(ledger: Ledger) -> None:
    ledger.add_batches([values.batch("b1/1", ["p8"]), values.batch("b10", ["p9"])])
    ledger.commit([commit(answer("p1", 1)), commit(answer("p3", 2), batch_id="b2")])
    ledger.commit([commit(answer("p8", 3), batch_id="b1/1"), commit(answer("p9", 4), batch_id="b10")])
    assert {batch: set(ledger.answers(RUN, batch)) for batch in ("b1", "b1/1", "b10", "b2", "b3")} == {
        "b1": {"p1"},
        "b1/1": {"p8"},
        "b10": {"p9"},
        "b2": {"p3"},
        "b3": set(),
    }
    assert ledger.answers("another", "b1") == {}


def test_a_pending_commit_books_its_calls_and_leaves_the_paper_pending(ledger: Ledger) -> None:
    assert ledger.commit([commit(answer("p1", 1, cost=300), calls=[call("a")])]) == {(RUN, "p1")}
    row = ledger.paper_rows(RUN, ["p1"])["p1"]
    assert (row.status, row.generation, row.cost, row.pointer) == ("pending", 1, 300, place(1))
    assert (ledger.totals(RUN).calls.sent, ledger.totals(RUN).counts["pending"]) == (1, 4)


def test_lines_of_a_paper_in_one_part_are_all_kept_with_its_end(ledger: Ledger) -> None:
    part = commit(answer("p1", 1), answer("p1", 2), entry("p1", pointer=place(3), cost=5), answer("p2", 4))
    assert ledger.commit([part]) == {(RUN, "p1"), (RUN, "p2")}
    row = ledger.paper_rows(RUN, ["p1"])["p1"]
    assert (row.status, row.cost, row.pointer) == ("done", 25, place(3))
    assert [each.pointer for each in ledger.answers(RUN, "b1")["p1"]] == [place(1), place(2)]
    assert ledger.totals(RUN).counts["done"] == 1


def test_an_answer_that_comes_late_changes_no_paper_that_has_ended(ledger: Ledger) -> None:
    ledger.commit([commit(entry("p1", cost=5))])
    late = commit(answer("p1", 1), part="2", calls=[call("late")])
    assert ledger.commit([late]) == set()
    row = ledger.paper_rows(RUN, ["p1"])["p1"]
    assert (row.status, row.cost) == ("done", 5)
    assert ledger.totals(RUN).calls.sent == 1, "it was paid for all the same"


def test_answers_outlive_a_reopening_and_tell_their_generation(ledger: Ledger) -> None:
    ledger.commit([commit(answer("p1", 1), answer("p2", 2))])
    ledger.commit([commit(entry("p1", "flagged"), part="2")])
    assert ledger.reopen(RUN, statuses=["flagged"], error=None) == 1
    ledger.commit([commit(answer("p1", 3, generation=2), answer("p2", 4, generation=2), part="3")])
    found = ledger.answers(RUN, "b1")
    assert found["p1"] == [StoredAnswer(1, place(1)), StoredAnswer(2, place(3))]
    assert found["p2"] == [StoredAnswer(1, place(2)), StoredAnswer(2, place(4))]
    rows = ledger.paper_rows(RUN, ["p1", "p2"])
    assert (rows["p1"].generation, rows["p2"].generation) == (2, 1), "when each was opened"


def test_jobs_that_answer_a_paper_at_once_lose_no_answer(
    ledger: Ledger, open_ledger: Callable[[], Ledger]
) -> None:
    ledgers = [open_ledger() for _ in range(4)]

    def book(number: int) -> None:
        ledgers[number].commit([commit(answer("p1", number), job=f"job-{number}", calls=[call(str(number))])])

    with ThreadPoolExecutor(len(ledgers)) as pool:
        list(pool.map(book, range(len(ledgers))))
    assert {each.pointer for each in ledger.answers(RUN, "b1")["p1"]} == {place(n) for n in range(4)}
    assert ledger.paper_rows(RUN, ["p1"])["p1"].cost == 40


def test_a_giant_s_answers_are_read_page_by_page(ledger: Ledger) -> None:
    """DynamoDB gives a million bytes in one answer: some four thousand of them, or a hundred this long."""
    key = "runs/r/results/" + "k" * 9_000
    parts = [
        commit(
            *(answer("p1", 10 * part + n, pointer=place(10 * part + n, key)) for n in range(10)),
            part=str(part),
        )
        for part in range(13)
    ]
    ledger.commit(parts)
    found = ledger.answers(RUN, "b1")["p1"]
    assert [each.pointer.offset for each in found] == [100 * n for n in range(130)]


def test_parts_that_are_booked_once_more_cost_nothing_more(ledger: Ledger) -> None:
    """A batch's next holder books all of the last one's, for it may have died in the middle of any."""
    parts = [
        commit(answer("p1", number), part=f"b1/1-job-a-{number}", calls=[call(str(number))])
        for number in (1, 2, 3)
    ]
    for each in (*parts, *parts, parts[0]):
        ledger.commit([each])
    row = ledger.paper_rows(RUN, ["p1"])["p1"]
    assert (row.cost, ledger.totals(RUN).calls.sent) == (30, 3)
