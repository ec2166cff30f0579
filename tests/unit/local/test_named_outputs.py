"""A file that a command is told to write is none that it, or an earlier one, reads."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from handlers.errors import UsageError
from handlers.local.named_outputs import keep_apart, note_inputs
from handlers.settings import load_settings
from handlers.state_paths import LEDGER

TASK = '[prompt]\nsystem_file = "words.md"\nuser = "{{ title }}"\n'


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("papers.jsonl", "words.md", "paperfleet.toml", "terms.csv", "other.jsonl"):
        (tmp_path / name).write_text("")
    (tmp_path / "own.toml").write_text(TASK)
    (tmp_path / "state" / "runs" / "june" / "segments").mkdir(parents=True)
    (tmp_path / "state" / LEDGER).write_text("rows")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "papers.csv").write_text("id,title\n")
    settings = load_settings(state=tmp_path / "state", task=tmp_path / "own.toml")
    note_inputs(settings, "papers.jsonl", tmp_path / "folder" / "papers.csv", "-", "oai+https://example.org")
    return tmp_path


def as_it_is(path: Path) -> Path:
    return path


def as_link(path: Path) -> Path:
    link = path.with_name("link-to-" + path.name)
    link.symlink_to(path)
    return link


def as_hard_link(path: Path) -> Path:
    link = path.with_name("same-" + path.name)
    os.link(path, link)
    return link


def as_relative(path: Path) -> Path:
    return Path("folder") / ".." / os.path.relpath(path)


@pytest.mark.parametrize("spelled", [as_it_is, as_link, as_hard_link, as_relative])
@pytest.mark.parametrize(
    "name",
    ["papers.jsonl", "own.toml", "words.md", "paperfleet.toml", "folder/papers.csv", f"state/{LEDGER}"],
)
def test_a_file_that_is_read_is_not_written_by_any_name(
    place: Path, name: str, spelled: Callable[[Path], Path]
) -> None:
    settings = load_settings(state=place / "state")  # of a later command, which names no source
    with pytest.raises(UsageError, match=r"^--output .*: give (another name|a file outside of it)$"):
        keep_apart(settings, [("--output", spelled(place / name))])


@pytest.mark.parametrize(
    "name",
    [f"{LEDGER}-wal", "queue.sqlite3", "tasks/x.json", "corpora/x.jsonl", "runs", "runs/june",
     "runs/june/run.json", "runs/june/segments/new.jsonl", "parent.lock"],
)  # fmt: skip
def test_nothing_is_written_among_what_a_state_cannot_make_again(place: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is part of the state"):
        keep_apart(load_settings(state=place / "state"), [("--output", place / "state" / name)])


@pytest.mark.parametrize("name", [".", "folder", "state"])
def test_a_folder_that_holds_what_is_read_is_not_replaced(place: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is in that folder: give a new one"):
        keep_apart(load_settings(state=place / "state"), [("--output", Path(name))])


@pytest.mark.parametrize(
    "name", ["new.jsonl", "other.jsonl", "terms.csv", "state/runs/june/report.md", "state/june.csv", "-"]
)
def test_other_files_are_written_as_ever(place: Path, name: str) -> None:
    keep_apart(load_settings(state=place / "state"), [("--output", Path(name))], place / "not-there")


def test_what_a_command_reads_itself_is_kept_without_a_note(place: Path) -> None:
    with pytest.raises(UsageError, match=r"--output other\.jsonl: that is .*other\.jsonl, which is read"):
        keep_apart(
            load_settings(state=place / "no-state"), [("--output", Path("other.jsonl"))], "other.jsonl"
        )
