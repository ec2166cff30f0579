"""``make sam-local`` as it is typed, and what it says of answers and of machines that lack something."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.task_event import task_event
from tests.e2e.artifact import ARCHITECTURE
from tests.e2e.environments import ROOT
from tests.e2e.sam_local import engine, invoked
from tests.e2e.sam_local.events import CASES, trouble


@pytest.mark.slow
@pytest.mark.alone
def test_every_function_answers_every_event_in_sams_containers_and_the_ledger_equals_the_bill(
    built: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.sam_local"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1500,
        env=os.environ | {"PAPERFLEET_TEST_BUILT": str(built)},
    )
    if done.returncode == 4:
        pytest.skip(done.stderr.strip().splitlines()[-1])  # what this machine lacks, by name
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("=== sam local invoke ") == len(CASES)
    assert "equal" in done.stdout
    assert "NOT" not in done.stdout


def test_each_event_of_the_folder_is_invoked_once() -> None:
    assert sorted(case.event for case in CASES) == sorted(path.stem for path in ROOT.glob("events/*.json"))
    page = (ROOT / "docs" / "how-to" / "events.md").read_text()
    for case in CASES:
        assert f"| `{case.event}.json` | `{case.function}` |" in page


def test_the_run_request_with_a_task_is_the_one_that_this_version_makes(tmp_path: Path) -> None:
    """`python -m tests.builders.task_event > events/shard-task.json` writes it anew."""
    assert json.loads((ROOT / "events" / "shard-task.json").read_text()) == task_event(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "no JSON",
        '"text"',
        '{"errorMessage": "no run", "errorType": "UnknownRunError"}',
        '{"errorType": "Runtime.ExitError"}',
        '{"errorMessage": "2026-06-01T12:00:00Z Task timed out after 3.00 seconds"}',
        '{"statusCode": 200}',
        '{"batchItemFailures": null}',
    ],
)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.event)
def test_an_error_that_sam_ends_well_with_is_trouble(case: invoked.Case, text: str) -> None:
    assert trouble(case, text)


def test_the_architecture_is_given_to_sam_at_the_invocation_too(tmp_path: Path) -> None:
    """The build has it from ``make build`` (tests.e2e.artifact)."""
    work = invoked.Prepared(str(tmp_path), "built", "sam", None, None, 0.0)
    variables = {"AWS_ENDPOINT_URL": "http://a:1", "AWS_SECRET_ACCESS_KEY": "s", "PAPERFLEET_TABLE": "t"}
    options = invoked.sam_options(work, variables, "http://a:2/v1", None)
    overrides = options[options.index("--parameter-overrides") + 1]
    assert f"Architecture={ARCHITECTURE}" in overrides.split()
    assert "--invoke-image" not in options
    given = json.loads((tmp_path / "variables.json").read_text())["Parameters"]
    assert given.keys() == {"AWS_ENDPOINT_URL", "PAPERFLEET_TABLE", "PAPERFLEET_API_KEY"}


@pytest.mark.parametrize(
    ("system", "user", "tools", "named"),
    [
        ("Darwin", 0, True, "Linux alone"),
        ("Linux", 1000, True, "takes root"),
        ("Linux", 0, False, "apt-get, dpkg-deb, unshare, ldd"),
    ],
)
def test_what_an_engine_of_its_own_lacks_is_named(
    system: str, user: int, tools: bool, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}" if tools else None)
    with pytest.raises(engine.CannotError, match=named) as refused:
        engine.refuse_without_engine()
    assert "start Docker" in str(refused.value)
