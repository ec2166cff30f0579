"""The workflow itself, session after session, over the shipped corpus against the model server."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from handlers.model_server import RunningServer, ServerSettings, start
from tests.builders.command import lines, until
from tests.builders.github_server import TOKEN, github_server
from tests.builders.local_aws import moto_server
from tests.builders.task_files import SUBJECT, written
from tests.e2e.workflow import KEY, Repository, Session

PAPERS = 39
JOBS = 5
NANO = 10**9

pytestmark = pytest.mark.slow


class World:
    """A repository, what GitHub keeps of it, and an API."""

    def __init__(self, folder: Path, stack: ExitStack, package: Path | None = None, **server: Any) -> None:
        prices = {"price_in": Decimal("0.15"), "price_out": Decimal("0.60")}
        settings = ServerSettings(mode="canned", api_key=KEY, **prices, **server)
        self.server: RunningServer = stack.enter_context(start(settings))
        github = stack.enter_context(github_server(folder / "repository/artifacts"))
        variables = {"PAPERFLEET_CHECKPOINT_MINUTES": "0.2", "PAPERFLEET_JOB_MINUTES": "4.8"}
        self.repository = Repository(
            folder / "repository", github, self.server.base_url, variables, package=package
        )
        self._stack = stack

    def start(self, **inputs: Any) -> Session:
        session = self.repository.start(**inputs)
        self._stack.callback(session.end)
        return session

    def run(self, **inputs: Any) -> Session:
        session = self.start(**inputs)
        session.wait()
        return session

    def report(self, session: Session) -> dict[str, Any]:
        """What *collect* says of the run."""
        path = self.repository.artifact(session.run_id, "paperfleet-results-1") / "report.json"
        assert path.exists(), session.said()[-6000:]
        report: dict[str, Any] = json.loads(path.read_text())
        return report

    @property
    def bill(self) -> int:
        """nano-USD that the API charges."""
        bill: int = self.server.stats()["bill_nano_usd"]
        return bill


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def test_five_jobs_do_the_corpus_and_a_second_session_has_nothing_left(
    tmp_path: Path, stack: ExitStack
) -> None:
    world = World(tmp_path, stack, latency=0.3)
    first = world.run(budget_usd="1")
    assert first.process.returncode == 0, first.said()[-6000:]
    report = world.report(first)
    assert report["counts"] == {"done": 37, "flagged": 0, "failed": 0, "skipped": 2, "pending": 0}
    assert report["spend_nano_usd"] == world.bill
    assert report["indeterminate_usd"] == 0
    assert {f"paperfleet-job-1-{job}-a" for job in range(1, JOBS + 1)} <= world.repository.artifacts(
        first.run_id
    )
    results = world.repository.artifact(first.run_id, "paperfleet-results-1") / "results.jsonl"
    assert len(lines(results)) == PAPERS
    asked = world.server.stats()["requests"]

    second = world.run(budget_usd="1")
    assert second.process.returncode == 0, second.said()[-6000:]
    assert world.server.stats()["requests"] == asked
    assert world.report(second)["counts"] == report["counts"]
    assert "work" not in {
        name.partition("-")[2].partition("-")[0] for name in world.repository.artifacts(second.run_id)
    }
    assert_no_secret(world, first, second)


def assert_no_secret(world: World, *sessions: Session) -> None:
    """Neither the key nor the token is in a log or an artifact, and GitHub's token stays with GitHub."""
    for session in sessions:
        assert KEY not in session.said()
        for path in (world.repository.folder / "artifacts").rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                assert KEY.encode() not in content
                assert TOKEN.encode() not in content
    assert world.repository.github.tokens["blob"] == {""}


def test_a_job_that_is_lost_with_its_workspace_costs_one_checkpoint_interval_at_most(
    tmp_path: Path, stack: ExitStack
) -> None:
    world = World(tmp_path, stack, latency=0.8, sigma=0.05)
    session = world.start(budget_usd="1", tier="custom", parallel_jobs="5", workers_per_job="1")
    session.until_artifact("paperfleet-job-1-1-a")
    until(lambda: results_since_checkpoint(session, 1) >= 1, seconds=60)
    since = results_since_checkpoint(session, 1)
    session.lose(1)
    session.wait()
    report = world.report(session)
    assert report["counts"]["pending"] > 0, "job 1 had papers left"
    assert sum(report["counts"].values()) == PAPERS
    assert any("job-001" in job for job in report["lost_jobs"]), "what it may have spent is named"
    assert report["spend_nano_usd"] >= world.bill, "money that nobody saved is booked all the same"

    after = world.run(budget_usd="1", tier="custom", parallel_jobs="5", workers_per_job="1")
    assert after.process.returncode == 0, after.said()[-6000:]
    report, stats = world.report(after), world.server.stats()
    assert report["counts"] == {"done": 37, "flagged": 0, "failed": 0, "skipped": 2, "pending": 0}
    assert world.bill <= report["spend_nano_usd"] <= NANO
    assert stats["duplicates"] <= since + 2, "those since the checkpoint, and the one in flight"
    print(f"paid twice after the lost workspace: {stats['duplicates']} papers of {PAPERS}")


def results_since_checkpoint(session: Session, job: int) -> int:
    """Results that the job has written in its second step."""
    folder = session.job_folders()[job]
    segments = sorted(folder.glob("runs/*/segments/job-*.jsonl"), key=lambda path: path.stat().st_mtime)
    saved = session.repository.artifact(session.run_id, f"paperfleet-job-1-{job}-a")
    known = {path.name for path in saved.rglob("job-*.jsonl")}
    return sum(path.read_bytes().count(b"\n") for path in segments if path.name not in known)


def test_shares_that_were_not_used_come_back_until_the_budget_is_spent(
    tmp_path: Path, stack: ExitStack
) -> None:
    world = World(tmp_path, stack, latency=0.1)
    budget = 4_000_000
    codes, spends = [], []
    for _ in range(6):
        session = world.run(budget_usd="0.004")
        codes.append(session.process.returncode)
        if codes[-1] != 0:
            break
        spends.append(world.report(session)["spend_nano_usd"])
    assert len(spends) >= 2, "what the jobs of the first session left went to the second"
    assert codes[-1] != 0
    assert "budget_spent" in session.said()
    assert world.bill <= budget
    assert spends == sorted(set(spends)), "each session got further"

    richer = world.run(budget_usd="1")
    assert richer.process.returncode == 0, richer.said()[-6000:]
    report = world.report(richer)
    assert report["counts"]["pending"] == 0
    assert report["spend_nano_usd"] == world.bill
    assert world.server.stats()["duplicates"] == 0


@pytest.mark.alone  # a cancelled job has some seconds to book its calls and save its state
def test_a_cancelled_session_loses_nothing(tmp_path: Path, stack: ExitStack) -> None:
    world = World(tmp_path, stack, latency=1.0, sigma=0.3)
    session = world.start(budget_usd="1", tier="custom", parallel_jobs="5", workers_per_job="1")
    begun = {f"paperfleet-job-1-{job}-0" for job in range(1, JOBS + 1)}
    until(lambda: world.server.stats()["delivered"] >= 8, seconds=60)
    until(lambda: begun <= world.repository.artifacts(session.run_id), seconds=60)
    session.cancel()
    session.wait()
    saved = world.repository.artifacts(session.run_id)
    assert {f"paperfleet-job-1-{job}-z" for job in range(1, JOBS + 1)} <= saved, session.said()[-6000:]

    after = world.run(budget_usd="1")
    assert after.process.returncode == 0, after.said()[-6000:]
    report, stats = world.report(after), world.server.stats()
    assert report["counts"] == {"done": 37, "flagged": 0, "failed": 0, "skipped": 2, "pending": 0}
    unknown = round(report["indeterminate_usd"] * NANO)
    assert abs(report["spend_nano_usd"] - world.bill) <= unknown, "calls that were cut off, at their estimate"
    assert stats["duplicates_of_delivered"] <= JOBS, "an answer on its way at the cancel, no more"


def test_a_session_takes_a_task_file_of_the_repository(tmp_path: Path, stack: ExitStack) -> None:
    world = World(tmp_path, stack, latency=0.05)
    checkout = world.repository.folder / "checkout"
    written(checkout, SUBJECT, "subject.toml")
    written(checkout, SUBJECT.replace("require", "requires"), "broken.toml")
    refused = world.run(budget_usd="1", tier="standard", task="broken.toml")
    assert refused.process.returncode != 0
    assert "broken.toml, line 5: input.requires: unknown; nearest: require" in refused.said()
    assert world.server.stats()["requests"] == 0
    session = world.run(budget_usd="1", tier="standard", task="subject.toml")
    assert session.process.returncode == 0, session.said()[-6000:]
    report = world.report(session)
    assert report["counts"]["pending"] == report["counts"]["failed"] == 0
    assert report["spend_nano_usd"] == world.bill > 0
    results = world.repository.artifact(session.run_id, "paperfleet-results-1") / "results.jsonl"
    assert {each["field"] for each in lines(results)} <= {"physics", "computer science", "other", None}


def test_another_repository_calls_the_workflow_and_has_nothing_else_of_it(
    tmp_path: Path, stack: ExitStack, installed: Path
) -> None:
    package = tmp_path / "package"
    shutil.copytree(installed.parent, package, symlinks=True)
    world = World(tmp_path, stack, package, latency=0.1)
    session = world.run(budget_usd="1")
    assert session.process.returncode == 0, session.said()[-6000:]
    report = world.report(session)
    assert report["counts"] == {"done": 37, "flagged": 0, "failed": 0, "skipped": 2, "pending": 0}
    assert report["spend_nano_usd"] == world.bill


def test_with_aws_settings_the_same_workflow_works_on_the_queue(tmp_path: Path, stack: ExitStack) -> None:
    world = World(tmp_path, stack, latency=0.2)
    aws = stack.enter_context(moto_server())
    world.repository.environment = aws.environment
    world.repository.variables |= aws.stack("backfill").settings() | {"AWS_REGION": "us-east-1"}
    session = world.run(budget_usd="1", backend="aws", tier="custom", parallel_jobs="2", workers_per_job="5")
    assert session.process.returncode == 0, session.said()[-6000:]
    results = world.repository.artifact(session.run_id, "paperfleet-results-1") / "results.jsonl"
    assert Counter(line["status"] for line in lines(results)) == {"done": 37, "skipped": 2}
    assert world.server.stats()["duplicates"] == 0
