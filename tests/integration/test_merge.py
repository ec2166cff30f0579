"""``paperfleet merge``: what jobs did apart, in one state folder."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from handlers.model_server import RunningServer, ServerSettings
from tests.builders.command import PRICES, Ran, corpus, lines, paperfleet, whole_papers
from tests.builders.warm import start

PAPERS = 12


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    settings = ServerSettings(mode="canned", price_in=Decimal("0.15"), price_out=Decimal("0.60"))
    with start(settings) as running:
        yield running


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory, server: RunningServer) -> tuple[Path, Path]:
    """Two copies of one run, in each of which some papers were done; some of them in both."""
    folder = tmp_path_factory.mktemp("halves")
    source = corpus(folder / "papers.jsonl", PAPERS)
    one, two = folder / "one", folder / "two"
    made = paperfleet("shard", source, "--state", one, "--run-id", "r", "--model", "paperfleet-canned",
                      "--batch-papers", 3)  # fmt: skip
    assert made.code == 0, made.err
    shutil.copytree(one, two)
    for state, limit in ((one, 5), (two, 8)):
        done = paperfleet("work", "--state", state, "--run-id", "r", "--base-url", server.base_url, *PRICES,
                          "--workers", 2, "--limit", limit, "--json")  # fmt: skip
        assert done.code == 0, done.err
        assert done.report["counts"]["done"] == limit
    return one, two


def merged(into: Path, *states: Path) -> Ran:
    return paperfleet("merge", *states, "--into", into, "--run-id", "r", "--json")


@pytest.mark.slow
def test_two_states_become_one_that_adds_up_and_goes_on(
    halves: tuple[Path, Path], tmp_path: Path, server: RunningServer
) -> None:
    ran = merged(tmp_path / "all", *halves)
    assert ran.code == 0, ran.err
    report = ran.report
    assert sum(report["counts"].values()) == PAPERS
    assert report["spend_nano_usd"] == server.stats()["bill_nano_usd"], "paid twice is booked twice"
    assert report["calls"]["sent"] == server.stats()["requests"]
    again = merged(tmp_path / "all", *reversed(halves))
    assert again.report | {"queue": None} == report | {"queue": None}
    rest = paperfleet("work", "--state", tmp_path / "all", "--run-id", "r", "--base-url", server.base_url,
                      *PRICES, "--json")  # fmt: skip
    assert rest.code == 0, rest.err
    assert rest.report["counts"]["done"] == PAPERS
    output = tmp_path / "results.jsonl"
    assert paperfleet("export", "--state", tmp_path / "all", "--run-id", "r", "--output", output).code == 0
    assert {line["status"] for line in lines(output)} == {"done"}


@pytest.mark.slow
def test_halves_of_one_whole_paper_are_united_repaired_and_paid_no_more(tmp_path: Path) -> None:
    settings = ServerSettings(
        mode="canned", latency=0.4, sigma=0, price_in=Decimal("0.15"), price_out=Decimal("0.60")
    )
    one, two, both = (tmp_path / name for name in ("one", "two", "both"))
    source = whole_papers(tmp_path / "papers.jsonl", 1, paragraphs=50)
    made = paperfleet("shard", source, "--state", one, "--run-id", "r", "--model", "paperfleet-canned",
                      "--full-text")  # fmt: skip
    assert made.code == 0, made.err
    shutil.copytree(one, two)
    with start(settings) as server:
        work = ("work", "--run-id", "r", "--base-url", server.base_url, *PRICES, "--workers", 3, "--json")
        for state, seconds in ((one, 8), (two, 9)):
            ran = paperfleet(*work, "--state", state, "--deadline", seconds)
            assert ran.report["counts"]["pending"] == 1, ran.err
        assert merged(both, one, two).code == 0
        (both / "ledger.sqlite3").unlink()
        assert paperfleet("repair", "--state", both).code == 0
        assert paperfleet("resume", "--state", both, "--run-id", "r").code == 0, "a repair parks the run"
        before = server.stats()
        ended = paperfleet(*work, "--state", both)
        assert ended.report["counts"]["done"] == 1, ended.err
        after = server.stats()
    assert 0 < after["requests"] - before["requests"] < 25, "what neither half was told"
    assert after["duplicates"] == before["duplicates"]
    assert ended.report["spend_nano_usd"] == after["bill_nano_usd"]
    assert paperfleet("audit", "--state", both, "--run-id", "r").code == 0


def test_the_states_that_are_merged_stay_as_they_were(halves: tuple[Path, Path], tmp_path: Path) -> None:
    before = {path: path.read_bytes() for half in halves for path in half.rglob("*") if path.is_file()}
    assert merged(tmp_path / "all", *halves).code == 0
    after = {path: path.read_bytes() for half in halves for path in half.rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize("what", ["missing", "empty", "another run", "damaged"])
def test_a_state_that_cannot_be_merged_is_named_and_nothing_is_written(
    what: str, halves: tuple[Path, Path], tmp_path: Path
) -> None:
    bad = tmp_path / "bad"
    if what == "empty":
        bad.mkdir()
    elif what == "another run":
        made = paperfleet(
            "shard", corpus(tmp_path / "p.jsonl", 2), "--state", bad, "--run-id", "other", "--model", "m"
        )
        assert made.code == 0
    elif what == "damaged":
        bad.mkdir()
        (bad / "ledger.sqlite3").write_bytes(b"no ledger at all" * 100)
    ran = merged(tmp_path / "all", halves[0], bad)
    assert ran.code == 2
    assert str(bad) in ran.err.replace("\n", "")
    assert not (tmp_path / "all").exists()


def test_runs_with_other_settings_are_refused_with_the_difference(
    halves: tuple[Path, Path], tmp_path: Path
) -> None:
    source = corpus(tmp_path / "papers.jsonl", PAPERS)
    other = tmp_path / "other"
    made = paperfleet("shard", source, "--state", other, "--run-id", "r", "--model", "another-model")
    assert made.code == 0
    ran = merged(tmp_path / "all", halves[0], other)
    assert ran.code == 2
    assert "another-model" in ran.err


def test_json_says_how_the_merged_run_stands(halves: tuple[Path, Path], tmp_path: Path) -> None:
    report = json.loads(merged(tmp_path / "all", *halves).out)
    assert report["state"] == "paused"
    assert report["queue"]["visible"] > 0, "the unfinished batches wait for the next session"


def test_a_state_that_somebody_works_on_is_not_merged(halves: tuple[Path, Path], tmp_path: Path) -> None:
    with (halves[1] / "parent.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ran = merged(tmp_path / "all", *halves)
    assert ran.code == 2
    assert "works on this state" in ran.err
    assert not (tmp_path / "all").exists()
