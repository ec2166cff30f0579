"""``paperfleet run`` from end to end against the model server: money, resumption, settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from handlers.model_server import RunningServer, ServerSettings
from tests.builders.command import Running, corpus, job_processes, lines, paperfleet, run_flags, until
from tests.builders.warm import start

PAPERS = 60
MANY = 200
PRICED = {"mode": "canned", "price_in": Decimal("0.15"), "price_out": Decimal("0.60")}


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with start(ServerSettings(**PRICED, latency=0.05)) as running:
        yield running


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus(tmp_path_factory.mktemp("corpus") / "papers.jsonl", PAPERS)


def test_a_run_ends_with_counts_that_add_up_and_a_bill_equal_to_the_ledger(
    papers: Path, tmp_path: Path, server: RunningServer
) -> None:
    ran = paperfleet(*run_flags(papers, tmp_path, server), "--jobs", 2, "--workers", 8)
    assert ran.code == 0, ran.err
    report = ran.report
    assert report["state"] == "finished"
    assert report["counts"] == {"done": PAPERS, "flagged": 0, "failed": 0, "skipped": 0, "pending": 0}
    stats = server.stats()
    assert report["spend_nano_usd"] == stats["bill_nano_usd"] > 0
    assert report["calls"]["sent"] == stats["requests"] == PAPERS
    assert report["indeterminate_usd"] == 0
    assert stats["duplicates"] == 0


@pytest.mark.slow
def test_a_second_run_of_the_same_id_sends_nothing(
    papers: Path, tmp_path: Path, server: RunningServer
) -> None:
    flags = run_flags(papers, tmp_path, server)
    first = paperfleet(*flags)
    calls = server.stats()["requests"]
    second = paperfleet(*flags)
    assert (first.code, second.code) == (0, 0)
    assert server.stats()["requests"] == calls
    assert second.report["counts"] == first.report["counts"]
    assert second.report["spend_nano_usd"] == first.report["spend_nano_usd"]


@pytest.mark.slow
def test_another_run_takes_results_over_at_no_cost_unless_forced(
    papers: Path, tmp_path: Path, server: RunningServer
) -> None:
    paperfleet(*run_flags(papers, tmp_path, server))
    calls = server.stats()["requests"]
    again = paperfleet(*run_flags(papers, tmp_path, server, run_id="again")).report
    assert (again["reused"], again["spend_usd"], server.stats()["requests"]) == (PAPERS, 0, calls)
    forced = paperfleet(*run_flags(papers, tmp_path, server, run_id="forced"), "--force").report
    assert (forced["reused"], server.stats()["requests"]) == (0, 2 * calls)


@pytest.mark.slow
def test_a_limit_starts_so_many_papers_and_leaves_the_rest_pending(
    papers: Path, tmp_path: Path, server: RunningServer
) -> None:
    flags = run_flags(papers, tmp_path, server)
    limited = paperfleet(*flags, "--limit", 7, "--jobs", 2, "--workers", 4)
    assert limited.code == 0, limited.err
    assert limited.report["counts"]["done"] == 7
    assert limited.report["counts"]["pending"] == PAPERS - 7
    rest = paperfleet(*flags)
    assert rest.report["counts"]["done"] == PAPERS
    assert server.stats()["requests"] == PAPERS


@pytest.mark.slow
def test_a_budget_is_not_passed_and_a_larger_one_finishes_the_run(
    tmp_path: Path, server: RunningServer
) -> None:
    server.control(latency=0.02)
    many = corpus(tmp_path / "many.jsonl", MANY)
    need = paperfleet(*run_flags(many, tmp_path / "whole", server)).report["spend_usd"]
    before = server.stats()["bill_nano_usd"]
    flags = run_flags(many, tmp_path / "tight", server)
    tight = paperfleet(*flags, "--budget", f"{need / 3:.9f}", "--jobs", 4, "--workers", 4)
    assert tight.code == 4, tight.err
    spent = tight.report["spend_usd"]
    assert tight.report["state"] == "parked"
    assert "budget" in tight.report["reason"]
    assert "% of the papers: all of them take about" in tight.err
    assert need / 3 * 0.85 <= spent <= need / 3
    assert server.stats()["bill_nano_usd"] - before == tight.report["spend_nano_usd"]
    assert tight.report["counts"]["failed"] == 0
    forgetful = paperfleet(*flags)
    assert forgetful.code == 4, "a run keeps its budget until it is given another"
    assert forgetful.report["spend_usd"] <= need / 3
    assert paperfleet(*flags, "--budget", f"{spent / 2:.9f}").code == 2, "less than is spent"
    enough = tight.report["expected"]["enough_usd"]
    assert f"--budget {enough:.4f}" in tight.report["reason"]
    whole = paperfleet(*flags, "--budget", enough)
    assert whole.code == 0
    assert whole.report["counts"]["done"] == MANY
    assert server.stats()["duplicates"] == MANY  # the first run's texts, once more and no more


def test_an_account_without_credit_parks_the_run_and_fails_no_paper(papers: Path, tmp_path: Path) -> None:
    with start(ServerSettings(**PRICED, latency=0.02, credit_usd=Decimal("0.0015"))) as broke:
        ran = paperfleet(*run_flags(papers, tmp_path, broke), "--jobs", 2, "--workers", 4)
        refused = broke.stats()["statuses"]["402"]
    assert ran.code == 4
    assert ran.report["state"] == "parked"
    assert "402" in ran.report["reason"] or "credit" in ran.report["reason"]
    assert ran.report["counts"]["failed"] == 0
    assert ran.report["counts"]["pending"] > 0
    assert refused <= 8  # the calls in flight when the first was refused


def test_a_changed_setting_is_refused_with_its_diff(
    papers: Path, tmp_path: Path, server: RunningServer
) -> None:
    flags = run_flags(papers, tmp_path, server)
    paperfleet(*flags, "--limit", 0)
    changed = paperfleet(*flags, "--temperature", 0.7)
    assert changed.code == 2
    assert "temperature" in changed.err
    assert "0.7" in changed.err


def test_a_model_without_a_price_is_refused_before_the_first_call(
    papers: Path, tmp_path: Path, server: RunningServer
) -> None:
    flags = ("run", papers, "--state", tmp_path, "--base-url", server.base_url, "--model", "no-such-model")
    ran = paperfleet(*flags)
    assert ran.code == 2
    assert "--price-in" in ran.err
    assert server.stats()["requests"] == 0


@pytest.mark.slow
@pytest.mark.alone
def test_a_deadline_ends_the_session_in_time_and_the_next_goes_on(
    papers: Path, tmp_path: Path, server: RunningServer
) -> None:
    server.control(latency=1.0, sigma=0)
    flags = run_flags(papers, tmp_path, server)
    short = paperfleet(*flags, "--deadline", 9, "--jobs", 1, "--workers", 10)
    assert short.code == 0, short.err
    assert 0 < short.report["counts"]["done"] < PAPERS
    assert short.report["wall_s"] < 9.5
    server.control(latency=0.0)
    rest = paperfleet(*flags)
    assert rest.report["counts"]["done"] == PAPERS
    assert server.stats()["duplicates_of_delivered"] == 0


@pytest.mark.slow
def test_ctrl_c_drains_and_the_same_command_goes_on(
    papers: Path, tmp_path: Path, server: RunningServer
) -> None:
    server.control(latency=0.5, sigma=0)
    flags = run_flags(papers, tmp_path, server)
    with Running(*flags, "--jobs", 2, "--workers", 4) as running:
        until(lambda: server.stats()["requests"] >= 16)
        server.control(latency=2.0)  # however late the signal comes, there is work left
        running.interrupt()
        stopped = running.end()
    assert stopped.code == 130, stopped.err
    assert stopped.report["counts"]["done"] >= 8
    assert stopped.report["counts"]["pending"] > 0
    assert stopped.report["spend_nano_usd"] == server.stats()["bill_nano_usd"]
    server.control(latency=0.0)
    rest = paperfleet(*flags)
    assert rest.report["counts"]["done"] == PAPERS
    assert server.stats()["duplicates"] == 0


@pytest.mark.slow
def test_a_second_ctrl_c_cuts_calls_off_and_books_them_as_indeterminate(
    papers: Path, tmp_path: Path, server: RunningServer
) -> None:
    server.control(latency=30, sigma=0)
    with Running(*run_flags(papers, tmp_path, server), "--jobs", 1, "--workers", 5) as running:
        until(lambda: server.stats()["requests"] >= 5)
        running.interrupt()
        until(lambda: running.said("draining"))
        running.interrupt()
        stopped = running.end(timeout=15)
    assert stopped.code == 130
    assert stopped.report["calls"]["transient"] == 5
    assert stopped.report["indeterminate_usd"] > 0


@pytest.mark.slow
def test_a_second_parent_on_the_same_state_is_refused(
    papers: Path, tmp_path: Path, server: RunningServer
) -> None:
    server.control(latency=3, sigma=0)
    flags = run_flags(papers, tmp_path, server)
    with Running(*flags, "--limit", 4) as running:
        until(lambda: server.stats()["requests"] >= 1)
        second = paperfleet(*flags)
        assert second.code == 2
        assert "another" in second.err
        assert running.end().code == 0


@pytest.mark.slow
def test_the_built_in_server_glosses_the_shipped_corpus_and_says_so(tmp_path: Path) -> None:
    ran = paperfleet("run", "handlers/corpus/sample.jsonl", "--state", tmp_path, "--json")
    assert ran.code in (0, 3), ran.err
    assert "not a translation" in ran.err
    report = ran.report
    assert sum(report["counts"].values()) == report["papers"]
    assert report["counts"]["skipped"] >= 2
    assert report["same_as"] == 1
    results = lines(tmp_path / "runs" / "default" / "results.jsonl")
    assert len(results) == report["papers"]
    assert (
        json.loads((tmp_path / "runs" / "default" / "report.json").read_text())["counts"] == report["counts"]
    )


@pytest.mark.slow
def test_a_ctrl_c_while_jobs_are_started_reaches_every_one_of_them(
    papers: Path, tmp_path: Path, server: RunningServer
) -> None:
    server.control(latency=2)
    with Running(*run_flags(papers, tmp_path, server), "--jobs", 8, "--workers", 2) as running:
        until(lambda: len(job_processes(tmp_path)) >= 2)
        running.interrupt()
        stopped = running.end()
    assert stopped.code == 130, stopped.err
    assert stopped.report["counts"]["pending"] > PAPERS // 2


@pytest.mark.slow
def test_results_whose_file_is_gone_are_made_anew_once_and_reused_again(
    papers: Path, tmp_path: Path, server: RunningServer
) -> None:
    paperfleet(*run_flags(papers, tmp_path, server, run_id="first"))
    for segment in (tmp_path / "runs" / "first" / "segments").iterdir():
        segment.unlink()
    anew = paperfleet(*run_flags(papers, tmp_path, server, run_id="second")).report
    again = paperfleet(*run_flags(papers, tmp_path, server, run_id="third")).report
    assert (anew["reused"], again["reused"], again["spend_usd"]) == (0, PAPERS, 0)


@pytest.mark.slow
def test_a_licence_that_forbids_derivatives_is_not_circumvented_by_reuse(
    tmp_path: Path, server: RunningServer
) -> None:
    source = corpus(tmp_path / "one.jsonl", 1)
    paper = lines(source)[0]
    twins = [paper, paper | {"id": "twin", "license": "CC-BY-NC-ND-4.0"}]
    source.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in twins))
    for run_id in ("first", "second"):
        counts = paperfleet(*run_flags(source, tmp_path / "state", server, run_id=run_id)).report["counts"]
        assert (counts["done"], counts["skipped"]) == (1, 1)
    assert server.stats()["requests"] == 1
