"""A whole paper of which two jobs, apart, were each told a half: merged, repaired, audited."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.audit.audit import audit
from handlers.audit.part_index import part_index
from handlers.audit.scan_parts import scan_parts
from handlers.bootstrap.state import State, connect
from handlers.domain.call import CallTotals
from handlers.domain.coverage import Coverage
from handlers.domain.ledger import Commit
from handlers.domain.part_lines import decode, encode
from handlers.domain.result import Part, PartLine
from handlers.local.merge import merge_sentence, merge_state
from handlers.settings import Settings
from tests.builders.values import (
    RUN,
    batch,
    call,
    entry,
    job,
    part_line,
    passage_line,
    run_record,
)

FRAME = passage_line("frame", frame={"肺癌": "lung cancer"}, at=2.0)
HALVES = {
    "job-a": [
        passage_line("head", "a", passed=True, at=1.0),
        FRAME,
        passage_line("body/0", "b", passed=True, at=3.0),
    ],
    "job-b": [
        passage_line("body/1", "c", reason="numbers", at=4.0),
        passage_line("body/2", "d", passed=True, at=5.0),
    ],
}
END = part_line(
    "p1",
    calls=(call("e"),),
    at=9.0,
    behind=CallTotals.of(tuple(map(call, "abcd"))),
    coverage=Coverage(translated=12, kept={"reference": 3}),
)


def opened(folder: Path) -> State:
    return connect(Settings(state=folder, run_id=RUN), RUN)


def answer(state: State, job_id: str, lines: list[PartLine]) -> None:
    name = f"b1/1-{job_id}-1"
    (places,) = state.store.write_parts(job_id, [Part(RUN, name, tuple(map(encode, lines)))])
    entries = tuple(
        entry(
            line.id,
            line.status,
            pointer=where,
            cost=sum(each.cost for each in line.calls),
            segments=line.coverage.counts() if line.coverage else {},
        )
        for line, where in zip(lines, places, strict=True)
    )
    calls = [each for line in lines for each in line.calls]
    state.ledger.start_job(job(job_id))
    state.ledger.draw(RUN, job_id, 1, sum(each.cost for each in calls))
    state.ledger.commit([Commit(RUN, "b1", name, job_id, entries, CallTotals.of(calls), 9.0)])
    state.ledger.end_job(RUN, job_id, at=10.0, outcome="finished", stats=None)


@pytest.fixture
def halves(tmp_path: Path) -> list[Path]:
    """State folders, each with one half."""
    for job_id, lines in HALVES.items():
        state = opened(tmp_path / job_id)
        state.ledger.add_batches([batch("b1", ["p1"])])
        state.ledger.create_run(run_record(papers=1))
        answer(state, job_id, lines)
        state.close()
    return [tmp_path / job_id for job_id in HALVES]


def told(state: State) -> list[PartLine]:
    places = [each.pointer for each in state.ledger.answers(RUN, "b1").get("p1", [])]
    lines = [decode(state.store.read(where.key, where.offset, where.length), where) for where in places]
    return sorted(lines, key=lambda line: line.at)


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0)])
def test_a_merge_knows_both_halves_each_line_once(
    halves: list[Path], tmp_path: Path, order: tuple[int, ...]
) -> None:
    for number in order:
        merge_state(tmp_path / "all", halves[number], RUN)
    state = opened(tmp_path / "all")
    assert told(state) == [*HALVES["job-a"], *HALVES["job-b"]]
    totals = state.ledger.totals(RUN)
    assert (totals.calls.sent, totals.calls.cost, totals.counts["pending"]) == (4, 4000, 1)
    assert audit(state, RUN).differences == ()
    state.close()


def test_answers_whose_file_is_gone_are_left_out_and_that_is_said(halves: list[Path], tmp_path: Path) -> None:
    merge_state(tmp_path / "all", halves[0], RUN)
    shutil.rmtree(halves[1] / "runs" / RUN / "segments")
    merged = merge_state(tmp_path / "all", halves[1], RUN)
    assert "point at files that are not there and are left out" in merge_sentence(halves[1], merged)
    state = opened(tmp_path / "all")
    assert told(state) == HALVES["job-a"]
    assert state.ledger.totals(RUN).calls.sent == 4, "they were paid all the same"
    state.close()


def test_a_repair_makes_an_answer_of_every_line_and_the_end_repeats_no_money(
    halves: list[Path], tmp_path: Path
) -> None:
    for half in halves:
        merge_state(tmp_path / "all", half, RUN)
    state = opened(tmp_path / "all")
    answer(state, "job-c", [END])
    assert audit(state, RUN).differences == ()
    before = state.ledger.totals(RUN)
    fresh = SqliteLedger(tmp_path / "fresh.sqlite3")
    fresh.create_run(run_record(papers=1))
    fresh.add_batches([batch("b1", ["p1"])])
    with part_index() as index:
        scan = index.add(scan_parts(RUN, state.store))
        entries = tuple(index.entries(batch("b1", ["p1"])))
    fresh.commit([Commit(RUN, "b1", "b1/repair-papers", "repair", entries, scan.calls, 11.0)])
    assert fresh.answers(RUN, "b1") == state.ledger.answers(RUN, "b1")
    again, merged = (ledger.paper_rows(RUN, ["p1"])["p1"] for ledger in (fresh, state.ledger))
    assert again.cost == 5000, "that of the dearer half and of the end, until a repair adds up the lines"
    assert again == merged._replace(cost=5000)
    assert fresh.totals(RUN).calls == before.calls
    assert (before.calls.sent, before.calls.cost, before.counts["done"]) == (5, 5000, 1)
    assert again.segments == {"translated": 12, "kept": 3, "kept.reference": 3}
    fresh.close()
    state.close()
