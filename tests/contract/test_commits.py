"""``Ledger``: what became of papers, reuse across runs, and generations."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.domain.ledger import Commit, StoredAnswer
from handlers.domain.result import PartPointer
from handlers.ports import Ledger
from tests.builders import values
from tests.builders.examples import fewer
from tests.builders.values import RUN, call, commit, entry


def test_a_commit_is_taken_once_and_the_losers_calls_are_booked_all_the_same(ledger: Ledger) -> None:
    first = commit(entry("p1", cost=1000), calls=[call("a")])
    second = commit(entry("p1", "failed", cost=1000), job="job-b", calls=[call("b")])
    assert ledger.commit([first]) == {(RUN, "p1")}
    assert ledger.commit([second]) == set()
    totals = ledger.totals(RUN)
    assert (totals.counts["done"], totals.counts["failed"]) == (1, 0)
    assert (totals.calls.sent, totals.calls.cost) == (2, 2000)
    assert ledger.paper_rows(RUN, ["p1"])["p1"].cost == 1000


def test_a_repeated_part_doubles_nothing(ledger: Ledger) -> None:
    part = commit(entry("p1", cost=1000), entry("p2", "pending", cost=500), calls=[call("a"), call("b")])
    ledger.commit([part])
    assert ledger.commit([part]) == set()
    assert ledger.totals(RUN).calls.sent == 2
    assert ledger.budget_state(RUN).spend == 2000
    rows = ledger.paper_rows(RUN, ["p1", "p2"])
    assert (rows["p1"].cost, rows["p2"].cost) == (1000, 500)


def test_a_part_repeated_within_one_commit_doubles_nothing(ledger: Ledger) -> None:
    part = commit(entry("p2", "pending", cost=500), calls=[call("a")])
    ledger.commit([part, part])
    assert ledger.totals(RUN).calls.sent == 1
    assert ledger.paper_rows(RUN, ["p2"])["p2"].cost == 500


def test_counts_weigh_papers_and_add_up_to_the_corpus(ledger: Ledger) -> None:
    ledger.add_batches([values.batch("b3", ["p5", "p6"], weights=(3, 1), run_id="w")])
    ledger.create_run(values.run_record("w", papers=4, same_as=2))
    ledger.commit([commit(entry("p5", weight=3, reused=True), batch_id="b3", run_id="w")])
    totals = ledger.totals("w")
    assert totals.counts == {"done": 3, "flagged": 0, "failed": 0, "skipped": 0, "pending": 1}
    assert totals.reused == 3
    skipped = entry("p6", "skipped", error="already in en")
    ledger.commit([commit(skipped, batch_id="b3", run_id="w", part="2")])
    assert ledger.finish_batch("w", "b3", now=1)
    assert ledger.skip_reasons("w") == {"already in en": 1}


def test_a_pending_paper_keeps_its_answers_and_its_cost_grows(ledger: Ledger) -> None:
    where = PartPointer(key="runs/r/segments/job-a.jsonl", offset=50, length=20)
    ledger.commit([commit(entry("p1", "pending", cost=300, pointer=where))])
    row = ledger.paper_rows(RUN, ["p1"])["p1"]
    assert (row.status, row.cost, ledger.totals(RUN).counts["pending"]) == ("pending", 300, 4)
    assert row.pointer == where
    assert ledger.answers(RUN, "b1") == {"p1": [StoredAnswer(1, where)]}
    ledger.commit([commit(entry("p1", cost=200), part="2")])
    row = ledger.paper_rows(RUN, ["p1"])["p1"]
    assert (row.status, row.cost) == ("done", 500)


def test_a_finished_paper_does_not_become_pending_again(ledger: Ledger) -> None:
    ledger.commit([commit(entry("p1"))])
    assert ledger.commit([commit(entry("p1", "pending"), part="2")]) == set()
    assert ledger.paper_rows(RUN, ["p1"])["p1"].status == "done"


def test_rows_are_found_by_the_hundred_and_strange_ids_are_only_text(
    ledger: Ledger, request: pytest.FixtureRequest
) -> None:
    """More than one look takes, which is 500 in SQLite and 100 in DynamoDB."""
    many = 520 if request.node.callspec.params["open_ledger"] == "sqlite" else 105
    ids = [f"x{n}" for n in range(many)] + ["a'; DROP TABLE paper; --", "../../etc/passwd", "‮,\n\x00"]
    ledger.commit([commit(*(entry(paper_id) for paper_id in ids), batch_id="b9")])
    assert set(ledger.paper_rows(RUN, [*ids, "not there"])) == set(ids)
    assert [row.paper_id for row in ledger.entries(RUN)] == sorted(ids)


def test_entries_can_be_streamed_while_others_commit(ledger: Ledger) -> None:
    ledger.commit([commit(entry("p1"), entry("p2"))])
    stream = ledger.entries(RUN)
    first = next(stream)
    ledger.commit([commit(entry("p3"), batch_id="b2")])
    assert [first.paper_id, *(row.paper_id for row in stream)][:2] == ["p1", "p2"]


def test_totals_add_up_calls_latencies_and_errors_over_parts(ledger: Ledger) -> None:
    one = [call("a", latency=0.5), call("b", outcome="throttled", code="http_429", usage=None, cost=0)]
    two = [call("c", latency=0.5, kind="repair"), call("d", outcome="transient", code="read_timeout",
           usage=None, cost=70, indeterminate=True)]  # fmt: skip
    ledger.commit([commit(calls=one), commit(calls=two, part="2")])
    assert ledger.totals(RUN).calls == commit(calls=[*one, *two]).calls


def test_only_done_papers_can_be_reused_and_the_first_result_stands(ledger: Ledger) -> None:
    ledger.commit([commit(entry("p1", fingerprint="f1"), entry("p2", "flagged", fingerprint="f2"))])
    ledger.commit([commit(entry("p3", fingerprint="f1"), batch_id="b2")])
    found = ledger.reusable(["f1", "f2", "f3"])
    assert {key: each.paper_id for key, each in found.items()} == {"f1": "p1"}


def test_a_result_that_goes_on_from_another_takes_its_place(ledger: Ledger) -> None:
    ledger.commit([commit(entry("p1", fingerprint="f1"))])
    first = ledger.reusable(["f1"])["f1"].pointer
    later = PartPointer(key="later", offset=7, length=3)
    for batch_id, before in (("b2", later), ("b3", first), ("b4", first)):
        made = entry(f"of-{batch_id}", fingerprint="f1", supersedes=before, pointer=later)
        ledger.commit([commit(made, batch_id=batch_id)])
        stands = ledger.reusable(["f1"])["f1"]
        assert stands.paper_id == ("p1" if batch_id == "b2" else "of-b3"), batch_id
    assert stands.pointer == later


def test_answers_to_a_task_file_are_found_when_they_were_refused_too(ledger: Ledger) -> None:
    taken = entry("p4", "flagged", fingerprint="f1:d", reused=True)
    ledger.commit(
        [
            commit(
                entry("p1", "flagged", fingerprint="f1:a"),
                entry("p2", "flagged", fingerprint="made-up:f1:b"),
                entry("p3", "failed", fingerprint="f1:c"),
                entry("p5", fingerprint="f1:e"),
            )
        ]
    )
    ledger.commit([commit(entry("p6", "flagged", fingerprint="f1:a"), taken, batch_id="b2")])
    found = ledger.reusable([mark + f"f1:{each}" for each in "abcef" for mark in ("", "refused:")])
    assert {key: each.paper_id for key, each in found.items()} == {"refused:f1:a": "p1", "f1:e": "p5"}
    assert set(ledger.reusable(["refused:made-up:f1:b"])) == {"refused:made-up:f1:b"}


def test_a_result_that_is_gone_gives_way_to_the_next_one(ledger: Ledger) -> None:
    ledger.commit([commit(entry("p1", fingerprint="f1"))])
    gone = ledger.reusable(["f1"])["f1"].pointer
    ledger.forget_result("f1", PartPointer(key="elsewhere", offset=0, length=1))
    assert ledger.reusable(["f1"]), "it was not that one"
    ledger.forget_result("f1", gone)
    assert ledger.reusable(["f1"]) == {}
    there = PartPointer(key="made/anew", offset=7, length=3)
    ledger.commit([commit(entry("p3", fingerprint="f1", pointer=there), batch_id="b2")])
    ledger.forget_result("f1", gone)  # somebody who looked before
    assert ledger.reusable(["f1"])["f1"].pointer == there


def finished(ledger: Ledger) -> None:
    ledger.commit([commit(entry("p1"), entry("p2", "failed", error="http_500", cost=7))])
    ledger.commit([commit(entry("p3", "failed", error="empty"), entry("p4", "flagged", flags=("numbers",)),
                          batch_id="b2")])  # fmt: skip
    assert ledger.finish_batch(RUN, "b1", now=1)
    assert ledger.finish_batch(RUN, "b2", now=1)


@pytest.mark.parametrize(
    ("statuses", "error", "reopened"),
    [
        (["failed"], None, ["p2", "p3"]),
        (["failed", "flagged"], None, ["p2", "p3", "p4"]),
        (["failed"], "http_500", ["p2"]),
    ],
)
def test_chosen_papers_are_reopened_with_their_batches(
    ledger: Ledger, statuses: Sequence[str], error: str | None, reopened: list[str]
) -> None:
    finished(ledger)
    assert ledger.reopen(RUN, statuses=["failed"], error="no such class") == 0
    assert ledger.reopen(RUN, statuses=[], error=None) == 0
    assert ledger.reopen(RUN, statuses=statuses, error=error) == len(reopened)
    pending = [row for row in ledger.entries(RUN) if row.status == "pending"]
    assert [row.paper_id for row in pending] == reopened
    assert all((row.generation, row.error, row.pointer, row.flags) == (2, None, None, ()) for row in pending)
    batches = {"b1" if paper_id in ("p1", "p2") else "b2" for paper_id in reopened}
    assert {(each.batch_id, each.generation) for each in ledger.unfinished_batches(RUN)} == {
        (batch_id, 2) for batch_id in batches
    }
    totals = ledger.totals(RUN)
    assert totals.counts["pending"] == len(reopened)
    assert sum(totals.counts.values()) == 4


def test_a_late_commit_of_an_earlier_generation_is_refused(ledger: Ledger) -> None:
    finished(ledger)
    ledger.reopen(RUN, statuses=["failed"], error=None)
    assert ledger.commit([commit(entry("p2", "failed"), part="2")]) == set()
    assert ledger.commit([commit(entry("p2", generation=2, cost=5), part="3")]) == {(RUN, "p2")}
    row = ledger.paper_rows(RUN, ["p2"])["p2"]
    assert (row.status, row.generation, row.cost) == ("done", 2, 12)
    assert ledger.finish_batch(RUN, "b1", now=2)


def test_of_many_racing_to_commit_a_paper_one_is_taken_and_all_are_paid(
    ledger: Ledger, open_ledger: Callable[[], Ledger]
) -> None:
    ledgers = [open_ledger() for _ in range(6)]

    def book(number: int) -> int:
        part = commit(entry("p1", cost=1000), job=f"job-{number}", calls=[call(str(number))])
        return len(ledgers[number].commit([part]))

    with ThreadPoolExecutor(len(ledgers)) as pool:
        assert sum(pool.map(book, range(len(ledgers)))) == 1
    totals = ledger.totals(RUN)
    assert (totals.counts["done"], totals.calls.sent, totals.calls.cost) == (1, 6, 6000)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["p1", "p2", "p3"]),
        st.sampled_from(["done", "failed", "pending"]),
        st.integers(0, 3),
        st.integers(0, 4),
    ),
    max_size=12,
)


@pytest.mark.parametrize("open_ledger", ["sqlite"], indirect=True)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_whatever_is_committed_in_whatever_order_counts_add_up(
    open_ledger: Callable[[], Ledger], steps: list[tuple[str, str, int, int]]
) -> None:
    check_that_counts_add_up(open_ledger, steps)


@pytest.mark.parametrize("open_ledger", ["dynamodb"], indirect=True)
@settings(fewer(14), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_on_a_slow_emulator_a_few_orders_must_do(
    open_ledger: Callable[[], Ledger], steps: list[tuple[str, str, int, int]]
) -> None:
    check_that_counts_add_up(open_ledger, steps)


def check_that_counts_add_up(
    open_ledger: Callable[[], Ledger], steps: list[tuple[str, str, int, int]]
) -> None:
    ledger = open_ledger()
    run_id = f"run-{len(ledger.run_ids())}"
    ledger.add_batches([values.batch("b1", ["p1", "p2", "p3"], run_id=run_id)])
    ledger.create_run(values.run_record(run_id, papers=3))
    parts: dict[int, Commit] = {}
    for number, (paper_id, status, part, cost) in enumerate(steps):
        if cost == 4:
            ledger.reopen(run_id, statuses=["failed"], error=None)
        where = PartPointer(key="runs/r/segments/job-a.jsonl", offset=number, length=1)
        made = commit(entry(paper_id, status, cost=cost, pointer=where), part=str(part), run_id=run_id,
                      calls=[call("c", cost=cost)])  # fmt: skip
        ledger.commit([parts.setdefault(part, made)])  # one that is told again is the same
    totals = ledger.totals(run_id)
    rows = list(ledger.entries(run_id))
    assert sum(totals.counts.values()) == 3
    costs = sum(each.calls.cost for each in parts.values())
    assert totals.calls.cost == costs == ledger.budget_state(run_id).spend
    for status in ("done", "failed"):
        assert totals.counts[status] == sum(row.status == status for row in rows)
    told: dict[str, list[PartPointer]] = {}
    for each in sorted((each.entries[0] for each in parts.values()), key=lambda each: each.pointer.offset):
        if each.status == "pending":
            told.setdefault(each.paper_id, []).append(each.pointer)
    answers = ledger.answers(run_id, "b1")
    assert {name: [each.pointer for each in found] for name, found in answers.items()} == told


def test_what_became_of_a_body_stays_in_its_row_until_it_is_opened_again(ledger: Ledger) -> None:
    body = {"translated": 91, "kept": 11, "kept.reference": 11, "flagged": 1, "note.odd_dollars": 2}
    ledger.commit([commit(entry("p1", "pending"), entry("p2"), part="1")])
    ledger.commit([commit(entry("p1", "flagged", segments=body), part="2")])
    rows = {row.paper_id: row for row in ledger.entries(RUN)}
    assert (rows["p1"].segments, rows["p2"].segments) == (body, {})
    assert json.dumps(ledger.paper_rows(RUN, ["p1"])["p1"].segments, sort_keys=True) == json.dumps(
        body, sort_keys=True
    )
    ledger.reopen(RUN, statuses=["flagged"], error=None)
    assert ledger.paper_rows(RUN, ["p1"])["p1"].segments == {}
