"""Files cut short or altered: detected, named, and made again from what is left."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from handlers.model_server import RunningServer, ServerSettings
from tests.builders.command import Ran, corpus, lines, paperfleet, run_flags
from tests.builders.warm import start

pytestmark = pytest.mark.slow
PAPERS = 60
PRICED = {"mode": "canned", "price_in": Decimal("0.15"), "price_out": Decimal("0.60")}


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with start(ServerSettings(**PRICED)) as running:
        yield running


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus(tmp_path_factory.mktemp("corpus") / "papers.jsonl", PAPERS, seed=9)


@pytest.fixture
def flags(papers: Path, tmp_path: Path, server: RunningServer) -> list[object]:
    """Of a run that is finished."""
    made = run_flags(papers, tmp_path, server)
    ran = paperfleet(*made)
    assert ran.code == 0, ran.err
    return made


def repaired(state: Path) -> dict[str, Any]:
    ran = paperfleet("repair", "--state", state, "--json")
    assert ran.code == 0, ran.err
    (run,) = json.loads(ran.out)
    assert isinstance(run, dict)
    return run


def audited(state: Path, *more: object) -> tuple[Ran, dict[str, Any]]:
    ran = paperfleet("audit", "--state", state, "--run-id", "r", "--json", *more)
    return ran, ran.report


def segment(state: Path) -> Path:
    return next(path for path in (state / "runs" / "r" / "segments").iterdir() if path.stat().st_size)


def flip(path: Path, place: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)
        file.seek(place)
        file.write(bytes([byte[0] ^ 1]))


def results(state: Path) -> list[dict[str, Any]]:
    ran = paperfleet("export", "--state", state, "--run-id", "r")
    assert ran.code == 0, ran.err
    return [json.loads(line) for line in ran.out.splitlines()]


def checkpointed(state: Path) -> Path:
    """The ledger in one file: what a reader of the last session left in the log is written back."""
    path = state / "ledger.sqlite3"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.mark.parametrize("damage", ["cut", "zeroed", "gone", "no database"])
def test_a_damaged_ledger_is_named_and_made_again_without_a_call(
    damage: str, flags: list[object], tmp_path: Path, server: RunningServer
) -> None:
    before = results(tmp_path)
    spend = paperfleet("status", *flags[2:6], "--json").report["spend_nano_usd"]
    ledger, requests = checkpointed(tmp_path), server.stats()["requests"]
    whole = ledger.read_bytes()
    if damage == "cut":
        ledger.write_bytes(whole[: len(whole) // 2])
    elif damage == "zeroed":
        ledger.write_bytes(whole[:8192] + bytes(16384) + whole[24576:])
    elif damage == "gone":
        ledger.unlink()
    else:
        ledger.write_bytes(b"not a database at all, whatever its name says" * 100)
    refused = paperfleet(*flags)
    assert refused.code == 2, refused.err
    assert "ledger.sqlite3" in refused.err
    assert "paperfleet repair" in refused.err
    run = repaired(tmp_path)
    assert run["counts"] == {"done": PAPERS, "flagged": 0, "failed": 0, "skipped": 0, "pending": 0}
    assert (run["damaged"], run["torn"], run["lines"]) == ([], 0, PAPERS)
    assert results(tmp_path) == before
    again = paperfleet(*flags)
    assert again.code == 0, again.err
    assert again.report["spend_nano_usd"] == spend
    assert server.stats()["requests"] == requests, "a repaired run sends nothing again"


def test_a_flipped_byte_in_a_result_is_named_and_its_paper_alone_is_done_again(
    flags: list[object], tmp_path: Path, server: RunningServer
) -> None:
    before, spend = results(tmp_path), server.stats()["bill_nano_usd"]
    path = segment(tmp_path)
    whole = path.read_bytes()
    flip(path, whole.index(b'"abstract":"') + 20)
    refused = paperfleet("export", *flags[2:6])
    assert refused.code == 2
    assert path.name in refused.err
    assert "paperfleet repair" in refused.err
    ran, audit = audited(tmp_path)
    assert ran.code == 3
    assert {each["kind"] for each in audit["differences"]} >= {"damaged", "result"}
    run = repaired(tmp_path)
    assert run["counts"]["pending"] == 1
    assert [each["file"] for each in run["damaged"]] == [f"runs/r/segments/{path.name}"]
    assert run["unaccounted_usd"] > 0, "the damaged line's call stays booked"
    assert round(run["spend_usd"] * 1e9) == spend
    again = paperfleet(*flags)
    assert again.code == 0, again.err
    assert server.stats()["requests"] == PAPERS + 1
    assert [each["abstract"] for each in results(tmp_path)] == [each["abstract"] for each in before]


def test_a_segment_cut_short_is_named_and_what_is_left_is_kept(
    flags: list[object], tmp_path: Path, server: RunningServer
) -> None:
    path = segment(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused = paperfleet("export", *flags[2:6])
    assert refused.code == 2
    assert path.name in refused.err
    assert audited(tmp_path)[0].code == 3
    run = repaired(tmp_path)
    assert run["torn"] == 1
    assert 0 < run["counts"]["pending"] < PAPERS
    again = paperfleet(*flags)
    assert again.code == 0, again.err
    assert again.report["counts"]["done"] == PAPERS
    assert server.stats()["requests"] == PAPERS + run["counts"]["pending"]


def test_retried_papers_keep_their_latest_outcome_through_a_repair(
    papers: Path, tmp_path: Path, server: RunningServer
) -> None:
    flags = run_flags(papers, tmp_path, server)
    server.control(refusal=1.0)
    paperfleet(*flags, "--limit", 6, "--max-failed", "100%")
    server.control(refusal=0.0)
    assert paperfleet("retry", "--flagged", *flags[2:6]).code == 0
    ran = paperfleet(*flags, "--limit", 3)
    assert ran.report["counts"]["pending"] > 0
    before = ran.report["counts"]
    run = repaired(tmp_path)
    assert run["counts"]["done"] == before["done"]
    assert sum(run["counts"].values()) == PAPERS
    again = paperfleet(*flags)
    assert again.report["counts"]["pending"] == 0
    assert paperfleet("retry", "--flagged", *flags[2:6]).code == 0
    assert paperfleet(*flags).report["counts"]["done"] == PAPERS


def test_ledger_parts_and_bill_of_a_whole_run_have_no_differences(
    flags: list[object], tmp_path: Path, server: RunningServer
) -> None:
    stats = server.stats()
    bill = tmp_path / "bill.csv"
    bill.write_text(
        "Date,Model,Requests,Input Tokens,Output Tokens,Cost\n"
        f"2026-06-01,paperfleet-canned,{stats['requests']},{stats['usage']['prompt_tokens']},"
        f"{stats['usage']['completion_tokens']},{stats['bill_nano_usd'] / 1e9:.9f}\n"
        "2026-06-01,another-model,7,700,700,9.99\n"
    )
    ran, audit = audited(tmp_path, "--bill", bill, "--bill-model", "paperfleet-canned")
    assert ran.code == 0, ran.out
    assert audit["differences"] == []
    assert audit["ledger"] == audit["parts"] == audit["bill"]
    ran, audit = audited(tmp_path, "--bill", bill)
    assert ran.code == 3
    assert {(each["kind"], each["where"]) for each in audit["differences"]} == {
        ("bill", "cost"), ("bill", "calls"), ("bill", "prompt_tokens"), ("bill", "completion_tokens"),
    }  # fmt: skip
    shown = paperfleet("audit", *flags[2:6], "--bill", bill)
    assert "$9.99" in shown.out


def test_a_ledger_that_was_altered_by_hand_does_not_agree_with_its_parts(
    flags: list[object], tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as db, db:
        db.execute("UPDATE paper SET status = 'failed' WHERE paper_id = 'paper-00003'")
        db.execute("UPDATE tally SET n = n - 1000 WHERE name = 'cost'")
        db.execute("DELETE FROM paper WHERE paper_id = 'paper-00004'")
    ran, audit = audited(tmp_path)
    assert ran.code == 3
    found = {(each["kind"], each["where"]) for each in audit["differences"]}
    assert {("result", "paper-00003"), ("not_booked", "paper-00004"), ("counts", "done")} <= found
    assert ("cost", "cost") in found


def test_a_bill_that_cannot_be_read_is_named_with_its_line(flags: list[object], tmp_path: Path) -> None:
    bill = tmp_path / "bill.csv"
    for text, words in (("a,b\n1,2\n", "no column"), ("cost\n1\nten\n", "line 3"), ("cost\n", "no row")):
        bill.write_text(text)
        ran = paperfleet("audit", *flags[2:6], "--bill", bill)
        assert ran.code == 2
        assert words in ran.err


def test_a_repair_of_nothing_changes_nothing(tmp_path: Path) -> None:
    ran = paperfleet("repair", "--state", tmp_path / "none")
    assert ran.code == 2
    assert "no run" in ran.err
    assert not (tmp_path / "none" / "ledger.sqlite3").exists()


def test_results_of_a_finished_run_are_what_its_repaired_ledger_exports(
    flags: list[object], tmp_path: Path
) -> None:
    written = lines(tmp_path / "runs" / "r" / "results.jsonl")
    (tmp_path / "ledger.sqlite3").unlink()
    repaired(tmp_path)
    assert results(tmp_path) == written


def test_a_cancelled_run_stays_so_through_a_repair(
    papers: Path, tmp_path: Path, server: RunningServer
) -> None:
    flags = run_flags(papers, tmp_path, server)
    assert paperfleet(*flags, "--limit", 3).report["counts"]["pending"] > 0
    assert paperfleet("cancel", *flags[2:6]).code == 0
    repaired(tmp_path)
    status = paperfleet("status", *flags[2:6], "--json").report
    assert (status["state"], status["reason"].split(";")[0]) == ("cancelled", "cancelled by hand")
