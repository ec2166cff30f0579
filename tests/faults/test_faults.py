"""An API that fails in every way it can: each paper ends in one state, and each dollar is booked."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from handlers.model_server import ServerSettings
from tests.builders.command import Running, corpus, lines, paperfleet, run_flags, until
from tests.builders.warm import start

pytestmark = pytest.mark.slow
PAPERS = 200
PRICED = {"mode": "canned", "price_in": Decimal("0.15"), "price_out": Decimal("0.60")}


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus(tmp_path_factory.mktemp("corpus") / "papers.jsonl", PAPERS, seed=5)


def formulas(text: str) -> Counter[str]:
    """Spans between dollars by a pattern of its own: double ones first, then single ones."""
    return Counter(re.findall(r"\$\$[^$]+\$\$|\$[^$]+\$", text))


def test_under_every_fault_each_paper_ends_in_one_state_with_its_formulas_exact(
    papers: Path, tmp_path: Path
) -> None:
    with start(ServerSettings(**PRICED, latency=0.05, faults=0.03)) as server:
        flags = run_flags(papers, tmp_path, server)
        ran = paperfleet(*flags, "--jobs", 2, "--workers", 20, "--read-timeout", 2)
        stats = server.stats()
    report = ran.report
    assert ran.code in (0, 3), ran.err
    assert sum(report["counts"].values()) == PAPERS
    assert report["counts"]["pending"] == 0
    difference = abs(stats["bill_nano_usd"] - report["spend_nano_usd"])
    assert difference <= report["indeterminate_usd"] * 1e9
    sources = {paper["id"]: paper for paper in lines(papers)}
    done = [line for line in lines(tmp_path / "runs" / "r" / "results.jsonl") if line["status"] == "done"]
    assert len(done) >= PAPERS * 0.9
    for line in done:
        assert formulas(line["abstract"]) == formulas(sources[line["id"]]["abstract"])


def test_an_endpoint_that_is_not_there_parks_the_run_and_fails_no_paper(papers: Path, tmp_path: Path) -> None:
    with start(ServerSettings(**PRICED)) as server:
        flags = run_flags(papers, tmp_path, server)
    ran = paperfleet(*flags, "--workers", 20)
    assert ran.code == 4, ran.err
    assert "endpoint_unavailable" in ran.report["reason"]
    assert ran.report["counts"]["pending"] == PAPERS
    assert ran.report["spend_usd"] == 0


def test_a_wrong_key_parks_the_run_after_the_calls_in_flight(papers: Path, tmp_path: Path) -> None:
    with start(ServerSettings(**PRICED, api_key="right")) as server:
        ran = paperfleet(
            *run_flags(papers, tmp_path, server), "--workers", 10, PAPERFLEET_API_KEY="wrong-key"
        )
        requests = server.stats()["requests"]
    assert ran.code == 4
    assert ran.report["counts"] == {"done": 0, "flagged": 0, "failed": 0, "skipped": 0, "pending": PAPERS}
    assert requests <= 10
    left_behind = "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file())
    assert "wrong-key" not in left_behind + ran.out + ran.err


def test_a_corpus_that_changed_under_the_run_dead_letters_its_batch_until_it_is_put_back(
    papers: Path, tmp_path: Path
) -> None:
    with start(ServerSettings(**PRICED)) as server:
        flags = run_flags(papers, tmp_path, server)
        assert paperfleet(*flags, "--limit", 0).code == 0
        stored = next(path for path in (tmp_path / "corpora").glob("*.jsonl") if "rejects" not in path.name)
        whole = stored.read_bytes()
        stored.write_bytes(whole[: len(whole) // 2])
        cut = paperfleet("work", *flags[2:8], "--base-url", server.base_url, *flags[10:], timeout=120)
        assert cut.code == 3, cut.err
        assert cut.report["queue"]["dead"] > 0
        dead = paperfleet("redrive", "--list", *flags[2:6])
        assert "CorpusChangedError" in dead.out
        stored.write_bytes(whole)
        assert paperfleet("redrive", *flags[2:6]).code == 0
        ran = paperfleet(*flags)
    assert ran.code == 0, ran.err
    assert ran.report["counts"]["done"] == PAPERS
    assert ran.report["queue"]["dead"] == 0


def test_one_unreadable_line_of_the_corpus_fails_its_paper_alone_until_it_is_put_back(
    papers: Path, tmp_path: Path
) -> None:
    with start(ServerSettings(**PRICED)) as server:
        flags = run_flags(papers, tmp_path, server)
        assert paperfleet(*flags, "--limit", 0).code == 0
        stored = next(path for path in (tmp_path / "corpora").glob("*.jsonl") if "rejects" not in path.name)
        whole = stored.read_bytes()
        place = whole.index(b'"paper-00007"')
        stored.write_bytes(whole[:place] + b'"' + b"\xff" * 11 + b'"' + whole[place + 13 :])
        hurt = paperfleet("work", *flags[2:8], "--base-url", server.base_url, *flags[10:])
        assert hurt.code == 3, hurt.err
        assert hurt.report["counts"] == {
            "done": PAPERS - 1, "flagged": 0, "failed": 1, "skipped": 0, "pending": 0,
        }  # fmt: skip
        assert hurt.report["paper_errors"] == {"corpus_changed": 1}
        assert server.stats()["requests"] == PAPERS - 1
        stored.write_bytes(whole)
        assert paperfleet("retry", "--class", "corpus_changed", *flags[2:6]).code == 0
        ran = paperfleet(*flags)
    assert ran.code == 0, ran.err
    assert ran.report["counts"]["done"] == PAPERS


def test_a_pause_from_another_shell_stops_the_jobs_and_burns_no_receive(papers: Path, tmp_path: Path) -> None:
    with start(ServerSettings(**PRICED, latency=0.5)) as server:
        flags = run_flags(papers, tmp_path, server)
        with Running(*flags, "--workers", 10) as running:
            until(lambda: server.stats()["requests"] >= 20)
            assert paperfleet("pause", *flags[2:6]).code == 0
            paused = running.end()
        assert paused.code == 130, paused.err
        assert paused.report["state"] == "paused"
        assert paused.report["counts"]["pending"] > 0
        server.control(latency=0)
        assert paperfleet("resume", *flags[2:6]).code == 0
        ran = paperfleet(*flags)
        assert ran.report["counts"]["done"] == PAPERS
        assert ran.report["queue"]["dead"] == 0
        assert server.stats()["duplicates"] == 0


def test_flagged_papers_are_tried_again_only_when_asked(papers: Path, tmp_path: Path) -> None:
    with start(ServerSettings(**PRICED, refusal=1.0)) as server:
        flags = run_flags(papers, tmp_path, server)
        flagged = paperfleet(*flags, "--limit", 5)
        assert flagged.report["counts"]["flagged"] == 5
        server.control(refusal=0.0)
        calls = server.stats()["requests"]
        assert paperfleet(*flags, "--limit", 0).report["counts"]["flagged"] == 5
        assert server.stats()["requests"] == calls
        assert paperfleet("retry", "--flagged", *flags[2:6]).code == 0
        ran = paperfleet(*flags)
    assert ran.code == 0, ran.err
    assert ran.report["counts"]["done"] == PAPERS


def test_a_broken_prompt_parks_the_run_before_it_has_cost_every_paper(papers: Path, tmp_path: Path) -> None:
    with start(ServerSettings(**PRICED, latency=0.1, refusal=1.0)) as server:
        flags = run_flags(papers, tmp_path, server)
        parked = paperfleet(*flags, "--jobs", 2, "--workers", 5, "--max-failed", "5%")
        assert parked.code == 4, parked.err
        assert parked.report["reason"].startswith("failure_rate: ")
        assert parked.report["counts"]["pending"] > PAPERS / 2
        assert parked.report["counts"]["failed"] == 0
        server.control(refusal=0.0)
        ran = paperfleet(*flags, "--max-failed", "5%")
        assert ran.code == 3
        assert ran.report["counts"]["pending"] == 0
        assert paperfleet("retry", "--flagged", *flags[2:6]).code == 0
        assert paperfleet(*flags).report["counts"]["done"] == PAPERS


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small tmpfs, which needs root")
def test_a_full_disk_stops_the_run_and_a_roomier_one_goes_on(papers: Path, tmp_path: Path) -> None:
    state = tmp_path / "small"
    state.mkdir()
    os.system(f"mount -t tmpfs -o size=1200k tmpfs {state}")
    try:
        with start(ServerSettings(**PRICED)) as server:
            flags = run_flags(papers, state, server)
            full = paperfleet(*flags, "--workers", 10)
            assert full.code == 4, full.err
            assert full.report["state"] == "parked"
            assert "make room" in full.report["reason"] or "cannot be written" in full.report["reason"]
            assert full.report["counts"]["pending"] > 0
            os.system(f"mount -o remount,size=100m {state}")
            ran = paperfleet(*flags)
        assert ran.code == 0, ran.err
        assert ran.report["counts"]["done"] == PAPERS
        assert json.loads((state / "runs" / "r" / "report.json").read_text())["counts"]["done"] == PAPERS
    finally:
        os.system(f"umount {state}")
