"""The package as people install it: a wheel in an environment of its own, far from this checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.command import corpus
from tests.builders.documents import ROOT

pytestmark = pytest.mark.slow

THEIRS = "raise SystemExit('the handlers of the project that Paperfleet is run in')\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a package of the name that Paperfleet's has, first on Python's path."""
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "__init__.py").write_text(THEIRS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def run(*line: object, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PAPERFLEET_")}
    return subprocess.run(
        list(map(str, line)), capture_output=True, text=True, timeout=120, env=kept | environment
    )


@pytest.mark.parametrize("start", [["paperfleet"], ["python", "-m", "paperfleet"]], ids=" ".join)
def test_the_sample_runs_in_a_project_with_handlers_of_its_own(
    start: list[str], installed: Path, project: Path
) -> None:
    ran = run(installed / start[0], *start[1:], "run", "--sample", "--jobs", 2)
    assert ran.returncode == 0, ran.stderr
    assert "39 of 39 papers" in ran.stdout
    assert ran.stderr.splitlines()[0].endswith("`pip install 'paperfleet[demo]'`.")
    assert (project / "paperfleet-state/runs/sample-canned/results.jsonl").is_file()


def test_the_command_does_not_start_a_folders_own_program_of_its_name(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``python -m`` alone would: Python looks into the working directory first, before anything of ours."""
    (tmp_path / "paperfleet.py").write_text(THEIRS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    for line in (["paperfleet", "run", "--sample"], ["python", "-P", "-m", "paperfleet", "--version"]):
        ran = run(installed / line[0], *line[1:])
        assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        ("demo", "run papers.jsonl"),
        ("demo", "try papers.jsonl paper-00001"),
        ("demo", "pilot papers.jsonl --budget 1"),
        ("parquet", "run papers.parquet --base-url http://127.0.0.1:9/v1 --model gpt-4o-mini"),
        ("oai", "ingest oai+http://127.0.0.1:9/oai"),
        ("parquet", "export --run-id sample-canned --output made.parquet"),
        ("xlsx", "export --run-id sample-canned --output made.xlsx"),
        ("report", "report --run-id sample-canned --html made.html"),
        ("report", "review --run-id sample-canned --output made"),
    ],
)
def test_a_command_that_needs_an_extra_says_so_before_it_begins(
    extra: str, line: str, installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    corpus(tmp_path / "papers.jsonl", 2)
    (tmp_path / "papers.parquet").write_bytes(b"PAR1")
    if "sample-canned" in line:
        assert run(installed / "paperfleet", "run", "--sample").returncode == 0
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    ran = run(installed / "paperfleet", *line.split())
    assert ran.returncode == 2, ran.stderr
    assert f"pip install 'paperfleet[{extra}]'" in ran.stderr
    made = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert {path.name for path in made} <= {"parent.lock", "ledger.sqlite3-wal", "ledger.sqlite3-shm"}


def test_the_workflows_own_action_comes_with_the_package(installed: Path, tmp_path: Path) -> None:
    """A repository that calls the workflow has none."""
    line = "from handlers.actions.environment import github_environment as github; github().provide_step()"
    assert run(installed / "python", "-P", "-c", line, GITHUB_WORKSPACE=str(tmp_path)).returncode == 0
    action = Path(".github/actions/step/action.yml")
    assert (tmp_path / action).read_bytes() == (ROOT / action).read_bytes()


def test_a_package_of_the_same_name_is_not_loaded(project: Path) -> None:
    for path in ("", str(project)):
        ran = run(sys.executable, ROOT / "paperfleet.py", "--version", PYTHONPATH=path)
        assert (ran.returncode, ran.stdout[:10]) == (0, "paperfleet"), ran.stderr
