"""Budgets at every width, clocks that step back, folders that cannot be written, polite ways to be ended."""

from __future__ import annotations

import os
import signal
from decimal import Decimal
from pathlib import Path

import pytest

from handlers.model_server import ServerSettings
from tests.builders.command import Running, corpus, job_processes, paperfleet, run_flags, shifted_clock, until
from tests.builders.warm import start
from tests.builders.wire import WireServer, always, error, response

pytestmark = pytest.mark.slow
PRICED = {"mode": "canned", "price_in": Decimal("0.15"), "price_out": Decimal("0.60")}
PAPERS = 300


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus(tmp_path_factory.mktemp("corpus") / "papers.jsonl", PAPERS, seed=11)


@pytest.mark.parametrize(("jobs", "workers"), [(1, 20), (4, 5), (20, 1)])
def test_a_budget_is_never_passed_and_used_while_work_remains(
    jobs: int, workers: int, papers: Path, tmp_path: Path
) -> None:
    with start(ServerSettings(**PRICED, latency=0.05)) as server:
        flags = [*run_flags(papers, tmp_path, server), "--jobs", jobs, "--workers", workers]
        budget = 12_000_000
        ran = paperfleet(*flags, "--budget", f"{budget / 1e9:.9f}", timeout=120)
        bill = server.stats()["bill_nano_usd"]
    assert ran.code == 4, ran.err
    assert ran.report["reason"].startswith("budget_spent: ")
    assert "--budget" in ran.report["reason"]
    assert bill <= ran.report["spend_nano_usd"] <= budget
    assert ran.report["spend_nano_usd"] >= 0.9 * budget
    assert ran.report["counts"]["pending"] > 0
    assert ran.report["counts"]["failed"] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a read-only folder, which needs root")
def test_a_folder_that_cannot_be_written_is_named_before_any_call(papers: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    os.system(f"mount -t tmpfs -o size=10m,ro tmpfs {state}")
    try:
        with start(ServerSettings(**PRICED)) as server:
            ran = paperfleet(*run_flags(papers, state, server))
            assert server.stats()["requests"] == 0
    finally:
        os.system(f"umount {state}")
    assert ran.code == 2
    assert str(state) in ran.err
    assert "Traceback" not in ran.err


def test_sigterm_drains_as_an_interrupt_does_and_the_same_command_goes_on(
    papers: Path, tmp_path: Path
) -> None:
    with start(ServerSettings(**PRICED, latency=0.3)) as server:
        flags = run_flags(papers, tmp_path, server)
        with Running(*flags, "--jobs", 2, "--workers", 5) as running:
            until(lambda: server.stats()["requests"] >= 30)
            os.kill(running.pid, signal.SIGTERM)
            ended = running.end()
        assert ended.code == 130, ended.err
        assert ended.report["indeterminate_usd"] == 0, "calls in flight ended well"
        ran = paperfleet(*flags, "--workers", 40)
        assert ran.report["counts"]["done"] == PAPERS
        assert server.stats()["duplicates"] == 0
        assert server.stats()["bill_nano_usd"] == ran.report["spend_nano_usd"]


def test_a_clock_that_steps_back_an_hour_in_the_middle_loses_nothing(papers: Path, tmp_path: Path) -> None:
    """The state of a run that was killed is read by a session whose clock is an hour behind."""
    behind = shifted_clock(tmp_path / "behind", -3600)
    with start(ServerSettings(**PRICED, latency=0.2)) as server:
        flags = run_flags(papers, tmp_path / "state", server)
        with Running(*flags, "--workers", 10) as running:
            until(lambda: server.stats()["requests"] >= 60)
            os.kill(job_processes(tmp_path / "state")[0], signal.SIGKILL)
            os.killpg(running.pid, signal.SIGKILL)
            running.end()
        with Running(*flags, "--workers", 30, **behind) as running:
            ran = running.end()
        stats = server.stats()
    assert ran.code == 0, ran.err
    assert ran.report["counts"]["done"] == PAPERS
    assert stats["duplicates"] <= 10 + 25
    assert stats["bill_nano_usd"] <= ran.report["spend_nano_usd"]


def test_two_parents_at_once_are_one_parent_and_one_refusal(papers: Path, tmp_path: Path) -> None:
    with start(ServerSettings(**PRICED, latency=0.1)) as server:
        flags = [*run_flags(papers, tmp_path, server), "--workers", 30]
        with Running(*flags) as one, Running(*flags) as other:
            codes = sorted([one.end(120).code, other.end(120).code])
        assert codes == [0, 2]
        assert server.stats()["duplicates"] == 0


def test_a_repair_does_not_start_while_somebody_works(papers: Path, tmp_path: Path) -> None:
    with (
        start(ServerSettings(**PRICED, latency=0.5)) as server,
        Running(*run_flags(papers, tmp_path, server), "--workers", 5),
    ):
        until(lambda: server.stats()["requests"] >= 5)
        refused = paperfleet("repair", "--state", tmp_path)
    assert refused.code == 2
    assert "another `paperfleet run`" in refused.err


def test_deadly_signals_of_a_terminal_end_in_a_resumable_run(papers: Path, tmp_path: Path) -> None:
    with start(ServerSettings(**PRICED, latency=0.3)) as server:
        flags = run_flags(papers, tmp_path, server)
        with Running(*flags, "--workers", 5) as running:
            until(lambda: server.stats()["requests"] >= 10)
            os.killpg(running.pid, signal.SIGHUP)
            ended = running.end()
    assert ended.code == 130, ended.err


def test_words_of_a_quota_that_may_be_a_minutes_park_once_nothing_gets_through(
    papers: Path, tmp_path: Path
) -> None:
    """OpenAI says so of credit, others of a limit that the next minute lifts: a few seconds tell."""
    body = error("You exceeded your current quota", code="insufficient_quota")
    with WireServer(always(response(429, body))) as server:
        ran = paperfleet(
            "run", papers, "--state", tmp_path, "--base-url", server.url, "--model", "gpt-4o-mini",
            "--jobs", 2, "--workers", 8, "--json",
        )  # fmt: skip
        sent = len(server.requests)
    assert ran.code == 4, ran.err
    assert ran.report["reason"].startswith("insufficient_quota: HTTP 429")
    assert ran.report["counts"]["pending"] == PAPERS
    assert ran.report["spend_nano_usd"] == 0
    assert 0 < sent <= 2 * 8 * 10, "a few tries a worker, each after a longer wait"


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, error("Incorrect API key"), "unauthorized"),
        (402, error("Payment required"), "insufficient_quota"),
        (429, error("Your credit balance is too low", code="insufficient_quota"), "insufficient_quota"),
        (400, error("Insufficient balance"), "insufficient_quota"),
        (404, error("The model `gone` does not exist", code="model_not_found"), "model_not_found"),
    ],
)
def test_a_fatal_answer_ends_the_calls_after_those_in_flight_and_fails_no_paper(
    status: int, body: dict[str, object], code: str, papers: Path, tmp_path: Path
) -> None:
    with WireServer(always(response(status, body))) as server:
        ran = paperfleet(
            "run", papers, "--state", tmp_path, "--base-url", server.url, "--model", "gpt-4o-mini",
            "--jobs", 2, "--workers", 8, "--json",
        )  # fmt: skip
        sent = len(server.requests)
    assert ran.code == 4, ran.err
    assert ran.report["reason"].startswith(f"{code}: HTTP {status}")
    assert ran.report["counts"]["pending"] == PAPERS
    assert ran.report["spend_nano_usd"] == 0
    assert 0 < sent <= 2 * 8
    assert ran.report["calls"]["fatal"] == ran.report["calls"]["sent"] == sent
    assert ran.err.count(f"{code}: HTTP") == 1, "one message says why"
