"""Files appear whole or not at all, whoever writes them and whatever dies meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from handlers.atomic_file import replacing
from tests.builders.ended_process import ending

WRITER = """
import sys
from pathlib import Path
from handlers.atomic_file import replacing
for _ in range(200):
    with replacing(Path(sys.argv[1]), durable=False) as scratch:
        scratch.write_text(sys.argv[2] * 5000)
"""
KILLED = """
import os, sys
from pathlib import Path
from handlers.atomic_file import replacing
with replacing(Path(sys.argv[1]), durable=True) as scratch:
    scratch.write_text("new")
    os.kill(os.getpid(), 9)
"""


def test_a_file_and_its_folder_are_made(tmp_path: Path) -> None:
    target = tmp_path / "folder" / "file.json"
    with replacing(target, durable=False) as scratch:
        scratch.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file.json"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(target, durable=True) as scratch:
        scratch.write_text("new, but not all of it")
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_killed_process_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file.json"
    target.write_text("old")
    assert subprocess.run([sys.executable, "-c", KILLED, str(target)], check=False).returncode == -9
    assert target.read_text() == "old"


@pytest.mark.slow
def test_two_processes_write_one_file_and_each_writes_it_whole(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("a" * 5000)
    with ExitStack() as stack:
        commands = [[sys.executable, "-c", WRITER, target, letter] for letter in "ab"]
        writers = [stack.enter_context(ending(command)) for command in commands]
        while any(writer.poll() is None for writer in writers):
            assert target.read_text() in ("a" * 5000, "b" * 5000)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert list(tmp_path.iterdir()) == [target]


def test_a_durable_file_is_synced_before_it_takes_its_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, steps = tmp_path / "file.json", list[str]()
    target.write_text("old")

    def fsync(descriptor: int) -> None:
        synced = os.fstat(descriptor).st_ino
        steps.append(f"{'folder' if synced == tmp_path.stat().st_ino else 'file'}, {target.read_text()}")

    monkeypatch.setattr(os, "fsync", fsync)
    with replacing(target, durable=True) as scratch:
        scratch.write_text("new")
    assert steps == ["file, old", "folder, new"]
    with replacing(target, durable=False) as scratch:
        scratch.write_text("newer")
    assert len(steps) == 2


def test_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileExistsError, match="no regular file"), replacing(tmp_path / "pipe", durable=True):
        raise AssertionError
    assert (tmp_path / "pipe").is_fifo()
