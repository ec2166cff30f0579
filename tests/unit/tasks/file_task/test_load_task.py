"""A task file is strict: what is wrong with it is said with its line and the nearest name."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from handlers.errors import DamagedObjectError
from handlers.tasks.file_task.load_task import bundle_of, load_task
from handlers.tasks.file_task.task_fault import TaskFileError
from tests.builders.broken_task_files import BROKEN
from tests.builders.growth import assert_linear, repeated
from tests.builders.task_files import FOUR, METHODS, SUBJECT, SUMMARY, bundle_in, written


def test_there_are_sixty() -> None:
    assert sum(said is not None for *_, said in BROKEN) >= 60


@pytest.mark.parametrize(("text", "old", "new", "said"), BROKEN, ids=[f"{each[3]}"[:60] for each in BROKEN])
def test_what_is_wrong_is_said_with_its_line(
    tmp_path: Path, text: str, old: str, new: str, said: str | None
) -> None:
    assert old in text
    path = written(tmp_path, text.replace(old, new, 1))
    if said is None:
        load_task(path)
        return
    with pytest.raises(TaskFileError) as caught:
        load_task(path)
    assert str(caught.value).startswith("own.toml")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("name", FOUR)
def test_a_bundle_is_read_again_as_it_was(tmp_path: Path, name: str) -> None:
    bundle = bundle_in(tmp_path, FOUR[name])
    again = bundle_of(bundle.content, bundle.digest)
    assert (again.content, again.asks, again.gate) == (bundle.content, bundle.asks, bundle.gate)
    assert again.system == bundle.system


def test_a_bundle_that_was_changed_in_the_store_is_refused(tmp_path: Path) -> None:
    bundle = bundle_in(tmp_path, SUMMARY)
    with pytest.raises(DamagedObjectError):
        bundle_of(bundle.content.replace(b"60 words", b"90 words"), bundle.digest)


CHANGES = [
    (SUBJECT, 'name = "subject"', 'name = "other"  # of another name', ""),
    (SUBJECT, 'name = "subject"', 'name = "subject"\ndescription = "x"', ""),
    (SUBJECT, "[output.fields]", '[output]\ncarry = ["title"]\n[output.fields]', ""),
    (SUBJECT, "fits best", "fits", "asks"),
    (SUBJECT, "first 4000", "first 3000", "asks"),
    (SUBJECT, '"other"]', '"none"]', "asks"),
    (SUBJECT, "5..300", "5..200", "asks"),
    (SUBJECT, 'require = ["title"]', 'require = ["title", "abstract"]', "gate"),
    (SUBJECT, "skip_no_derivatives = false", "", "gate"),
    (SUBJECT, "skip_no_derivatives = false", "skip_no_derivatives = false\nmasking = true", "asks"),
    (SUMMARY, "maximum = 60", "maximum = 50", "gate"),
    (SUMMARY, "Use at most 60 words.", "Fewer!", "gate"),
    (SUMMARY, "[prompt]", "[repair]\ntries = 2\n[prompt]", "gate"),
    (SUMMARY, "[prompt]", "[model]\nseed = 2\n[prompt]", ""),
]


@pytest.mark.parametrize(("text", "old", "new", "changed"), CHANGES)
def test_what_asks_and_what_judges_have_digests_of_their_own(
    tmp_path: Path, text: str, old: str, new: str, changed: str
) -> None:
    before, after = bundle_in(tmp_path, text), bundle_in(tmp_path, text.replace(old, new, 1))
    assert (before.asks != after.asks, before.gate != after.gate) == (changed == "asks", changed == "gate")


def test_links_pipes_and_large_files_are_not_read(tmp_path: Path) -> None:
    path = written(tmp_path, METHODS.replace("methods.system.md", "it"))
    it, secret = tmp_path / "it", tmp_path / "secret"
    secret.write_text("hidden")
    (tmp_path / "below").mkdir()
    for make, said in (
        (lambda: it.symlink_to(secret), "links are not followed"),
        (lambda: os.mkfifo(it), "no regular file"),
        (it.mkdir, "no regular file"),
        (lambda: it.write_bytes(b"a" * (257 * 1024)), "more than 256 KB"),
        (lambda: it.write_bytes(b"\xff\xfe"), "no UTF-8"),
    ):
        make()
        with pytest.raises(TaskFileError, match=said):
            load_task(path)
        it.rmdir() if it.is_dir() and not it.is_symlink() else it.unlink()


def test_a_file_below_is_read_and_a_link_to_its_folder_is_not(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "s.md").write_text("Say it.")
    (tmp_path / "linked").symlink_to(tmp_path / "below")
    assert bundle_in(tmp_path, METHODS.replace("methods.system.md", "below/s.md")).system.startswith(
        "Say it."
    )
    with pytest.raises(TaskFileError, match="links are not followed"):
        bundle_in(tmp_path, METHODS.replace("methods.system.md", "linked/s.md"))


def test_a_file_nested_without_end_is_refused(tmp_path: Path) -> None:
    for text in (
        "a = " + "1" * 9_000,
        "a = " + "[" * 5_000,
        "a = " + "[" * 3_000 + "]" * 3_000,
        "a = " + "{b = " * 3_000,
    ):
        with pytest.raises(TaskFileError):
            bundle_in(tmp_path, text)


@pytest.mark.parametrize(
    ("before", "piece", "after"),
    [("", "a.", "a = 1"), ("b = 1\n[", '"a" . ', "a]"), ("b = {", "a.", "a = 1}")],
)
def test_a_key_of_many_parts_is_refused_in_linear_time(
    tmp_path: Path, before: str, piece: str, after: str
) -> None:
    def refused(many: str) -> None:
        with pytest.raises(TaskFileError, match=r"line [12]: a key has a hundred parts"):
            bundle_in(tmp_path, before + many + after)

    assert_linear(repeated(piece), refused, size=200_000)


def test_no_file_no_bytes_no_trace(tmp_path: Path) -> None:
    with pytest.raises(TaskFileError, match="No such file"):
        load_task(tmp_path / "none.toml")
    with pytest.raises(TaskFileError, match="no regular file"):
        load_task(tmp_path)


PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "own-task.md"


def test_the_files_of_the_guide_are_whole(tmp_path: Path) -> None:
    files = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    names = [bundle_in(tmp_path, text).tables.name for text in files]
    assert names == ["subject", "methods", "kind", "methods-of-bodies", "zh-de", "vectors"]
