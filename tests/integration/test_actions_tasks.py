"""Sessions on GitHub Actions with a task file of the repository."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from handlers.actions.environment import GitHubEnvironment
from handlers.errors import UsageError
from handlers.model_server import RunningServer, ServerSettings
from handlers.tasks.file_task.load_task import load_task
from tests.builders.actions_session import PAPERS, Actions
from tests.builders.command import Ran, Running, lines, paperfleet
from tests.builders.github_server import github_server
from tests.builders.own_tasks import JUDGED, OTHERS, OwnTask
from tests.builders.plugin_folder import installed
from tests.builders.task_files import SUBJECT, SUMMARY, written
from tests.builders.warm import start

TASKS = {each.name: each for each in OTHERS}


@pytest.fixture
def server() -> Iterator[RunningServer]:
    prices = {"price_in": Decimal("0.15"), "price_out": Decimal("0.60")}
    with start(ServerSettings(mode="canned", latency=0.02, **prices)) as running:
        yield running


@pytest.fixture
def actions(tmp_path: Path, server: RunningServer) -> Iterator[Actions]:
    with github_server(tmp_path / "artifacts") as github:
        yield Actions(tmp_path, github, server)


def session(actions: Actions, task: Path, *flags: object) -> Ran:
    """A whole one. Its jobs have no task file: they run where the repository is checked out anew."""
    ran = actions.plan("--budget", "1", *flags, PAPERFLEET_TASK=str(task))
    assert ran.code == 0, ran.err
    for share in actions.planned["jobs"]:
        assert actions.begin(share["job"]).code == 0
        worked = actions.work_on(share["job"], PAPERFLEET_MAX_FAILED="100%")
        assert worked.code == 0, worked.err
    return actions.collect()


def results(actions: Actions) -> list[dict[str, object]]:
    return lines(actions.folder / f"results-{actions.run_id}-{actions.attempt}" / "results.jsonl")


class WithPlugins(Actions):
    """On runners that a distribution with checks is installed on, which the repository's variable allows."""

    def call(self, command: str, *flags: object, **changes: str) -> Ran:
        here = {"PYTHONPATH": str(self.folder / "site"), "PAPERFLEET_ALLOW_PLUGINS": "own-checks"}
        with Running("actions", command, *flags, **self.environment(**changes), **here) as running:
            ran = running.end(90)
        self.outputs = dict(line.split("=", 1) for line in (self.folder / "output").read_text().splitlines())
        return ran


@pytest.mark.slow
@pytest.mark.parametrize(
    ("own", "counts", "calls"),
    [
        (TASKS["vectors"], {"done": PAPERS}, PAPERS),
        (TASKS["german"], {"flagged": PAPERS}, 2 * PAPERS),  # the server translates nothing
        (TASKS["votes"], {"done": PAPERS}, 29),
        (TASKS["passages"], {"done": PAPERS}, 3 * PAPERS),
        (JUDGED, {"flagged": PAPERS}, 2 * PAPERS),
    ],
    ids=lambda own: getattr(own, "name", ""),
)
def test_tasks_of_every_kind_go_through_a_session(
    actions: Actions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    own: OwnTask, counts: dict[str, int], calls: int,
) -> None:  # fmt: skip
    installed(tmp_path / "site", monkeypatch)
    if own is JUDGED:
        actions = WithPlugins(actions.folder, actions.github, actions.server)
    actions.source = own.source(tmp_path, PAPERS)
    ran = session(actions, own.file(tmp_path))
    assert {name: n for name, n in ran.report["counts"].items() if n} == counts
    stats = actions.server.stats()
    assert (ran.report["spend_nano_usd"], ran.report["indeterminate_usd"]) == (stats["bill_nano_usd"], 0)
    assert (stats["duplicates"], stats["charged"], ran.report["calls"]["sent"]) == (0, calls, calls)
    assert len(results(actions)) == PAPERS
    assert actions.audit().code == 0


@pytest.mark.slow
def test_a_session_does_what_its_task_file_says_and_the_next_has_nothing_left(actions: Actions) -> None:
    ran = session(actions, written(actions.folder, SUBJECT))
    assert ran.code == 0, ran.err
    assert ran.report["counts"]["done"] == PAPERS
    assert ran.report["spend_nano_usd"] == actions.server.stats()["bill_nano_usd"] > 0
    assert {each["field"] for each in results(actions)} <= {"physics", "computer science", "other"}
    assert actions.audit().code == 0
    first = actions.planned["run_id"]

    actions.next_run()
    renamed = SUBJECT.replace('name = "subject"', 'name = "field"\ndescription = "as before"')
    assert actions.plan("--budget", "1", PAPERFLEET_TASK=str(written(actions.folder, renamed))).code == 0
    assert (actions.planned["run_id"], actions.outputs["jobs"]) == (first, "0")
    assert actions.collect().code == 0
    assert {each["task"] for each in results(actions)} == {"field"}, "a merge takes the later file"


@pytest.mark.slow
def test_a_changed_file_is_another_run_which_pays_for_what_is_new_alone(actions: Actions) -> None:
    assert session(actions, written(actions.folder, SUMMARY)).report["counts"]["done"] == PAPERS
    first, paid = actions.planned["run_id"], actions.server.stats()["requests"]

    actions.next_run()
    stricter = SUMMARY.replace("maximum = 60", "maximum = 6")
    ran = session(actions, written(actions.folder, stricter))
    assert actions.planned["run_id"] != first
    stats = actions.server.stats()
    assert ran.report["calls"]["repairs"] == ran.report["calls"]["sent"] == stats["requests"] - paid == PAPERS
    assert stats["duplicates"] == 0

    actions.next_run()
    asked = SUMMARY.replace("in at most 60 words", "in one sentence")
    assert session(actions, written(actions.folder, asked)).report["reused"] == 0
    assert actions.server.stats()["requests"] >= stats["requests"] + PAPERS


@pytest.mark.slow
def test_a_run_that_was_judged_again_pays_for_repairs_alone(actions: Actions) -> None:
    named = ("--run-id", "june")
    assert session(actions, written(actions.folder, SUMMARY), *named).report["counts"]["done"] == PAPERS
    paid = actions.server.stats()["requests"]
    stricter = written(actions.folder, SUMMARY.replace("maximum = 60", "maximum = 6"))
    state = actions.folder / f"state-{actions.run_id}-{actions.attempt}"
    ran = paperfleet("regate", "--task", stricter, "--run-id", "june", "--state", state, "--json")
    assert ran.report["moved"] == {"done->flagged": PAPERS}
    actions.save(state, f"paperfleet-state-{actions.attempt}")

    actions.next_run()
    calls = session(actions, stricter, *named, "--retry", "flagged").report["calls"]
    stats = actions.server.stats()
    assert stats["requests"] - paid == calls["sent"] - calls["repairs"] == PAPERS
    assert stats["duplicates"] == 0


@pytest.mark.slow
def test_what_was_refused_travels_and_is_repaired_alone_under_looser_checks(actions: Actions) -> None:
    strict = SUMMARY.replace("maximum = 60", "maximum = 2")
    assert session(actions, written(actions.folder, strict)).report["counts"]["flagged"] == PAPERS
    actions.next_run()
    report = session(actions, written(actions.folder, SUMMARY)).report
    assert (report["counts"]["done"], report["calls"]["sent"]) == (PAPERS, report["calls"]["repairs"])
    assert actions.server.stats()["duplicates"] == 0


@pytest.mark.slow
def test_a_run_that_is_named_takes_no_other_task(actions: Actions) -> None:
    named = ("--budget", "1", "--run-id", "june")
    assert actions.plan(*named, PAPERFLEET_TASK=str(written(actions.folder, SUMMARY))).code == 0
    for text, said in (
        (SUMMARY.replace("maximum = 60", "maximum = 6"), "judged by other checks"),
        (SUMMARY.replace("Summarise", "Sum up"), "another task"),
    ):
        actions.next_run()
        ran = actions.plan(*named, PAPERFLEET_TASK=str(written(actions.folder, text)))
        assert ran.code == 2
        assert said in ran.err


@pytest.mark.slow
def test_a_broken_file_is_refused_with_its_line_before_anything_else(actions: Actions) -> None:
    asked = len(actions.github.requests)
    broken = written(actions.folder, SUBJECT.replace("require", "requires"))
    ran = actions.plan("--budget", "1", PAPERFLEET_TASK=str(broken))
    assert ran.code == 2
    assert "own.toml, line 5: input.requires: unknown; nearest: require" in ran.err
    assert len(actions.github.requests) == asked
    assert actions.server.stats()["requests"] == 0


def test_a_task_file_of_the_runner_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (tmp_path / "secret.toml").write_text("v = 1")
    (workspace / "link.toml").symlink_to(tmp_path / "secret.toml")
    (workspace / "loop.toml").symlink_to(workspace / "loop.toml")
    (workspace / "folder").symlink_to(tmp_path)
    monkeypatch.chdir(workspace)
    github = GitHubEnvironment(workspace=workspace)
    for hostile in (
        "/proc/self/environ", "/etc/passwd", "../secret.toml", "a/../../secret.toml", "link.toml",
        "loop.toml", "folder/secret.toml", f"{workspace}/../secret.toml",
        "own.toml\n::set-output name=a::b/../../../..", "\0",
    ):  # fmt: skip
        with pytest.raises(UsageError, match="give a file of the repository") as refused:
            github.file(hostile, "task file")
        assert "\n" not in str(refused.value)
    for strange in ("$(touch hostile).toml", "${{ secrets.KEY }}", "~/own.toml", "-o.toml", "x" * 5000):
        with pytest.raises(UsageError, match=r"No such file|too long"):
            load_task(github.file(strange, "task file"))
    assert not (workspace / "hostile").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.mkdir(), "Is a directory|no regular file"),
        (lambda path: path.write_text("#" * 300_000), "more than 256 KB"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "no UTF-8"),
        (lambda path: None, "No such file"),
    ],
    ids=["folder", "huge", "binary", "missing"],
)
def test_what_is_no_task_file_is_named(actions: Actions, make: Callable[[Path], object], said: str) -> None:
    make(actions.folder / "own.toml")
    ran = actions.plan("--no-history", PAPERFLEET_TASK=str(actions.folder / "own.toml"))
    assert ran.code == 2
    assert any(each in ran.err for each in said.split("|")), ran.err
    assert not (actions.plan_folder / "plan.json").exists()
