"""Checks of installed distributions: who may judge, what is pinned, and what a broken one comes to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import pytest

from handlers.domain.call import ChatRequest
from handlers.errors import UsageError
from handlers.tasks.file_task.load_task import bundle_of, load_task
from handlers.tasks.file_task.plugins.plugin_verdict import GuardedPlugin, PluginBrokenError
from handlers.tasks.file_task.task_bundle import TaskBundle
from handlers.tasks.file_task.task_fault import TaskFileError
from handlers.tasks.file_task.task_kinds import task_of_bundle
from tests.builders.plugin_folder import installed
from tests.builders.task_files import answering, paper, sampled, spec_of, written

ALLOWED = ("own-checks",)
OTHER = json.dumps({"field": "other"})


def text(plugin: str, more: str = "") -> str:
    return sampled(1) + f'[[check]]\nkind = "plugin"\nplugin = "{plugin}"\n{more}'


def bundle(folder: Path, plugin: str, more: str = "", allowed: tuple[str, ...] = ALLOWED) -> TaskBundle:
    return load_task(written(folder, text(plugin, more)), allowed)


@pytest.fixture(autouse=True)
def _own_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path / "site", monkeypatch)


@pytest.mark.parametrize(
    ("plugin", "allowed", "said"),
    [
        ("no_other", (), "'no_other' is code of the distribution Own_Checks, and no file allows that: give"),
        ("no_other", ("other",), "--allow-plugins Own_Checks"),
        (
            "no_othr",
            ALLOWED,
            "(entry point of paperfleet.checks); nearest: no_other",
        ),
        ("os.system", ALLOWED, "no check 'os.system' is installed"),
        ("own_checks_code:raises", ALLOWED, "no check 'own_checks_code:raises'"),
    ],
)
def test_what_is_not_installed_or_not_allowed_is_refused_with_its_line(
    tmp_path: Path, plugin: str, allowed: tuple[str, ...], said: str
) -> None:
    with pytest.raises(TaskFileError) as caught:
        bundle(tmp_path, plugin, allowed=allowed)
    assert str(caught.value).startswith("own.toml, line 14: check[1].plugin: ")
    assert said in str(caught.value)


@pytest.mark.parametrize("given", ['distribution = "own-checks"', 'version = "1.0"'])
def test_no_file_says_whose_code_runs(tmp_path: Path, given: str) -> None:
    with pytest.raises(TaskFileError, match=r"line 15: .* which code runs --allow-plugins says, and no file"):
        bundle(tmp_path, "no_other", given)


def test_one_that_cannot_be_loaded_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="plugin gone of Own_Checks cannot be loaded: AttributeError"):
        bundle(tmp_path, "gone")


def test_a_plugin_judges_with_its_options_and_changes_nothing(tmp_path: Path) -> None:
    made = bundle(tmp_path, "no_other", 'options = { refuse = ["physics"], since = 2024-01-02 }')
    asked: list[ChatRequest] = []
    answers = (json.dumps({"field": "physics"}), OTHER)
    result = task_of_bundle(made, spec_of(made)).run(paper(language="zh"), answering(*answers, asked=asked))
    assert (result.status, result.fields) == ("done", {"field": "other"})
    assert "physics is refused" in asked[1].messages[-1].content
    assert [check.verdict for check in result.checks if check.name == "no_other"] == ["pass"]


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        ("raises", "raises raised ValueError: boom"),
        ("exits", "exits raised SystemExit: 3"),
        ("text", "gave back str, where a list of sentences is wanted"),
        ("nothing", "gave back NoneType"),
        ("mute", "mute raised Mute"),
    ],
)
@pytest.mark.parametrize("severity", ["fail", "warn"])
def test_a_broken_plugin_is_a_verdict_and_no_repair_is_paid_for(
    tmp_path: Path, plugin: str, said: str, severity: str
) -> None:
    made = bundle(tmp_path, plugin, f'severity = "{severity}"')
    asked: list[ChatRequest] = []
    result = task_of_bundle(made, spec_of(made)).run(paper(language="zh"), answering(OTHER, asked=asked))
    told = next(check for check in result.checks if check.name == "plugin_error")
    assert (len(asked), told.verdict) == (1, severity)
    assert said in told.detail
    assert result.status == ("flagged" if severity == "fail" else "done")


def test_a_plugin_that_does_not_end_is_left_behind_and_not_called_for_ever(tmp_path: Path) -> None:
    calls = []

    def endless(*given: object) -> list[str]:
        import threading

        calls.append(given)
        threading.Event().wait(0.5)
        return []

    plugin = GuardedPlugin("endless", endless, seconds=0.001)
    for _ in range(5):
        with pytest.raises(PluginBrokenError, match="did not end"):
            plugin.sentences({}, {}, {})
    assert len(calls) == 3


class _BrokenList(list[str]):
    def __getitem__(self, place: object) -> NoReturn:
        raise RuntimeError("no list")


class _BrokenSentence(str):
    def __getitem__(self, place: object) -> NoReturn:
        raise RuntimeError("no text")


def test_what_a_plugin_gives_back_runs_no_code_outside_its_guard() -> None:
    with pytest.raises(PluginBrokenError, match="raised RuntimeError: no list"):
        GuardedPlugin("list", lambda *_: _BrokenList(["x"])).sentences({}, {}, {})
    said = GuardedPlugin("text", lambda *_: [_BrokenSentence("x")]).sentences({}, {}, {})
    assert [(type(each), each) for each in said] == [(str, "x")]


def test_the_bundle_names_the_version_and_another_one_does_not_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bundle(tmp_path, "no_other")
    stored = bundle_of(made.content, made.digest)  # whoever only reads needs no plugin
    assert (stored.gate, stored.asks, stored.columns) == (made.gate, made.asks, made.columns)
    stored.armed(ALLOWED)
    with pytest.raises(UsageError, match="no file allows that"):
        stored.armed(())
    with pytest.raises(UsageError, match="is not allowed: give --allow-plugins Own_Checks"):
        task_of_bundle(stored, spec_of(stored)).run(paper(language="zh"), answering(OTHER))
    monkeypatch.undo()
    installed(tmp_path / "later", monkeypatch, version="1.1")
    with pytest.raises(UsageError, match=r"Own_Checks 1.0, and Own_Checks 1.1 is installed"):
        stored.armed(ALLOWED)
    assert bundle(tmp_path, "no_other").gate != made.gate
