"""GitHub's REST API over the wire: pages, rate limits, failures, and whom the token is shown to."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from handlers.adapters.github_api import GitHubApi, WorkflowJob
from handlers.errors import UsageError
from tests.builders.fakes import FakeClock
from tests.builders.github_server import REPOSITORY, TOKEN, GitHub, github_server, stamp

NOW = 1_700_000_000.0


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    with github_server(tmp_path / "artifacts") as running:
        yield running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def api(github: GitHub, clock: FakeClock) -> Iterator[GitHubApi]:
    api = GitHubApi(github.url, REPOSITORY, SecretStr(TOKEN), clock)
    yield api
    api.close()


def saved(github: GitHub, run_id: int, name: str, content: str = "x") -> None:
    folder = github.root / str(run_id) / name
    folder.mkdir(parents=True)
    (folder / "file.txt").write_text(content)


def test_all_pages_are_read_and_no_more_than_is_asked_for(api: GitHubApi, github: GitHub) -> None:
    github.page_size = 10
    for number in range(1, 36):
        github.add_run(number)
    assert [run.id for run in api.runs("backfill.yml")] == list(range(35, 0, -1))
    assert len(github.requests) == 4
    assert next(api.runs("backfill.yml")).id == 35
    assert len(github.requests) == 5, "one page for the newest run"


def test_jobs_of_all_attempts_have_their_times(api: GitHubApi, github: GitHub) -> None:
    github.jobs[7] = [
        {
            "id": number, "run_attempt": 1 + number % 2, "name": f"work {number}", "status": "completed",
            "conclusion": "success", "created_at": stamp(NOW), "started_at": stamp(NOW + number),
            "completed_at": stamp(NOW + 60), "runner_name": "r", "labels": ["ubuntu-latest"],
        }
        for number in range(120)
    ]  # fmt: skip
    jobs = api.jobs(7)
    assert len(jobs) == 120
    assert isinstance(jobs[0], WorkflowJob)
    assert jobs[5].started_at is not None
    assert jobs[5].started_at.timestamp() == NOW + 5


def test_an_artifact_is_unpacked_and_the_token_stays_with_github(
    api: GitHubApi, github: GitHub, tmp_path: Path
) -> None:
    saved(github, 7, "paperfleet-state-1", "of the run")
    (artifact,) = api.artifacts(7)
    api.download(artifact, tmp_path / "out")
    assert (tmp_path / "out" / "file.txt").read_text() == "of the run"
    assert github.tokens == {"api": {f"Bearer {TOKEN}"}, "blob": {""}}


def test_a_rate_limit_is_waited_for(api: GitHubApi, github: GitHub, clock: FakeClock) -> None:
    github.add_run(1)
    github.failures = [
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 90)}),
        (429, {"retry-after": "30"}),
    ]
    assert api.run(1).id == 1
    assert clock.now() == NOW + 91 + 30


def test_a_rate_limit_that_lasts_too_long_is_an_error_that_says_how_long(
    api: GitHubApi, github: GitHub
) -> None:
    github.failures = [(403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 3000)})]
    with pytest.raises(UsageError, match="51 minutes"):
        api.run(1)


def test_server_errors_are_tried_again_and_refusals_are_not(api: GitHubApi, github: GitHub) -> None:
    github.add_run(1)
    github.failures = [(502, {}), (503, {})]
    assert api.run(1).id == 1
    github.failures = [(403, {})]
    with pytest.raises(UsageError, match="permissions"):
        api.run(1)
    with pytest.raises(UsageError, match="404"):
        api.run(2)


def test_a_wrong_token_is_said_and_never_shown(github: GitHub, clock: FakeClock) -> None:
    api = GitHubApi(github.url, REPOSITORY, SecretStr("wrong-token"), clock)
    with pytest.raises(UsageError, match="GITHUB_TOKEN") as caught:
        api.run(1)
    assert "wrong-token" not in str(caught.value)
    api.close()


def test_an_expired_artifact_is_refused(api: GitHubApi, github: GitHub, tmp_path: Path) -> None:
    saved(github, 7, "paperfleet-state-1")
    github.expired.add("paperfleet-state-1")
    with pytest.raises(UsageError, match="expired"):
        api.download(api.artifacts(7)[0], tmp_path / "out")


def test_an_archive_that_reaches_outside_is_refused(
    api: GitHubApi, github: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(github, 7, "paperfleet-state-1")
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("../outside.txt", "x")
    monkeypatch.setattr(GitHub, "archive", lambda _self, _id: evil.read_bytes())
    with pytest.raises(UsageError, match="outside"):
        api.download(api.artifacts(7)[0], tmp_path / "out")
    assert not (tmp_path / "outside.txt").exists()


def test_a_workflow_is_started_with_its_inputs(api: GitHubApi, github: GitHub) -> None:
    api.dispatch("backfill.yml", "main", {"tier": "ultra"})
    assert github.dispatched == [{"ref": "main", "inputs": {"tier": "ultra"}}]
