"""``kill -9`` of jobs and parents: nothing is lost, and little is paid twice."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from handlers.model_server import RunningServer, ServerSettings
from tests.builders.command import Running, corpus, job_processes, paperfleet, run_flags, until, whole_papers
from tests.builders.warm import start

PAPERS = 300
JOBS, WORKERS = 2, 10
FLEET = ("--jobs", JOBS, "--workers", WORKERS)
FLUSH_PAPERS = 25
"""A group commit holds at most this many papers of a job."""

pytestmark = pytest.mark.slow


@pytest.fixture
def server() -> Iterator[RunningServer]:
    settings = ServerSettings(
        mode="canned", latency=0.3, sigma=0.4, price_in=Decimal("0.15"), price_out=Decimal("0.60")
    )
    with start(settings) as running:
        yield running


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus(tmp_path_factory.mktemp("corpus") / "papers.jsonl", PAPERS)


def half_way(server: RunningServer) -> bool:
    requests: int = server.stats()["requests"]
    return requests >= PAPERS // 2


def assert_whole(report: dict[str, Any], stats: dict[str, Any], *, in_flight: int) -> None:
    assert report["counts"] == {"done": PAPERS, "flagged": 0, "failed": 0, "skipped": 0, "pending": 0}
    assert stats["duplicates"] <= in_flight + FLUSH_PAPERS
    unseen = stats["bill_nano_usd"] - report["spend_nano_usd"] + report["indeterminate_usd"] * 1e9
    assert unseen >= -1, "more was booked as certain than was billed"
    assert stats["bill_nano_usd"] <= report["spend_nano_usd"], "calls that died with a job were not booked"


def test_a_killed_job_is_replaced_and_repeats_only_what_it_had_in_flight(
    papers: Path, tmp_path: Path, server: RunningServer
) -> None:
    with Running(*run_flags(papers, tmp_path, server), *FLEET) as running:
        until(lambda: half_way(server))
        os.kill(job_processes(tmp_path)[0], signal.SIGKILL)
        ran = running.end()
    assert ran.code == 0, ran.err
    assert_whole(ran.report, server.stats(), in_flight=WORKERS)
    assert [job["outcome"] for job in ran.report["jobs"]].count("killed") == 1


def test_a_killed_parent_takes_its_jobs_along_and_the_same_command_finishes(
    papers: Path, tmp_path: Path, server: RunningServer
) -> None:
    flags = run_flags(papers, tmp_path, server)
    with Running(*flags, *FLEET) as running:
        until(lambda: half_way(server))
        jobs = job_processes(tmp_path)
        running.kill()
        running.end()
    until(lambda: not any(_lives(pid) for pid in jobs), seconds=10)
    ran = paperfleet(*flags, *FLEET)
    assert ran.code == 0, ran.err
    assert_whole(ran.report, server.stats(), in_flight=JOBS * WORKERS)


def test_parent_and_jobs_killed_at_one_blow_leave_a_state_that_resumes(
    papers: Path, tmp_path: Path, server: RunningServer
) -> None:
    flags = run_flags(papers, tmp_path, server)
    with Running(*flags, *FLEET) as running:
        until(lambda: half_way(server))
        os.killpg(running.pid, signal.SIGKILL)
        running.end()
    ran = paperfleet(*flags, *FLEET)
    assert ran.code == 0, ran.err
    stats = server.stats()
    assert_whole(ran.report, stats, in_flight=JOBS * WORKERS + JOBS * FLUSH_PAPERS)
    assert ran.report["indeterminate_usd"] > 0


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_whole_papers_go_on_where_their_passages_were(
    tmp_path: Path, server: RunningServer, end: signal.Signals
) -> None:
    """Of three papers of about a hundred passages, all are half done."""
    source = whole_papers(tmp_path / "papers.jsonl", 3, paragraphs=200)
    flags = (*run_flags(source, tmp_path, server), *FLEET, "--full-text")
    with Running(*flags) as running:
        until(lambda: half_way(server))
        if end == signal.SIGKILL:
            os.killpg(running.pid, end)
        else:
            os.kill(running.pid, end)
        running.end()
    ran = paperfleet(*flags)
    assert ran.code == 0, ran.err
    stats = server.stats()
    assert ran.report["counts"]["done"] == 3
    lost = JOBS * (WORKERS + FLUSH_PAPERS) if end == signal.SIGKILL else 0
    assert stats["duplicates"] <= lost
    assert stats["bill_nano_usd"] <= ran.report["spend_nano_usd"]
    audited = paperfleet("audit", "--run-id", "r", "--state", tmp_path, "--json")
    assert (audited.code, json.loads(audited.out)["differences"]) == (0, [])


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
