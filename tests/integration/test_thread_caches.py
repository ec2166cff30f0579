"""A command that starts jobs begins without a cache of freed memory for each of their threads."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from handlers.cli import __main__ as entry
from handlers.cli import main as commands
from handlers.model_server import ServerSettings
from tests.builders.command import Running, corpus, run_flags, until
from tests.builders.warm import start

TUNABLE = "GLIBC_TUNABLES"


class BegunError(Exception):
    """Another program has taken this one's place."""


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the entry point asks of the system, which a test cannot grant; the commands themselves rest."""
    seen: list[tuple[Any, ...]] = []

    def execve(*asked: Any) -> None:
        seen.append(asked)
        raise BegunError

    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.setattr(commands, "main", lambda: None)
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "handlers.cli", "run", "papers.jsonl"])
    monkeypatch.setattr(sys, "argv", ["paperfleet", "run", "papers.jsonl"])
    monkeypatch.delenv(TUNABLE, raising=False)
    return seen


def test_a_run_begins_once_more_with_the_same_arguments(begun: list[tuple[Any, ...]]) -> None:
    with pytest.raises(BegunError):
        entry.main()
    program, line, environment = begun[0]
    assert program == line[0] == sys.executable
    assert line[1:] == ["-m", "handlers.cli", "run", "papers.jsonl"]
    assert environment == {**os.environ, TUNABLE: "glibc.malloc.tcache_count=0"}


def test_and_no_third_time_and_nobody_inherits_it(
    begun: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TUNABLE, "glibc.malloc.tcache_count=0")
    entry.main()
    assert not begun
    assert TUNABLE not in os.environ


@pytest.mark.parametrize("words", [["status"], ["--help"], []])
def test_other_commands_begin_once(
    begun: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["paperfleet", *words])
    entry.main()
    assert not begun


def test_tunables_of_the_user_stand(begun: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TUNABLE, "glibc.malloc.arena_max=2")
    entry.main()
    assert not begun
    assert os.environ[TUNABLE] == "glibc.malloc.arena_max=2"


def test_a_system_that_does_not_let_it_begin_again_runs_all_the_same(
    begun: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError("no programs here")

    ran: list[bool] = []
    monkeypatch.setattr(os, "execve", refused)
    monkeypatch.setattr(commands, "main", lambda: ran.append(True))
    entry.main()
    assert ran == [True]


@pytest.mark.slow
def test_the_jobs_of_a_real_run_have_none(tmp_path: Path) -> None:
    source = corpus(tmp_path / "papers.jsonl", 2)
    with start(ServerSettings(mode="canned", latency=0.5)) as server:
        flags = [*run_flags(source, tmp_path / "state", server), "--jobs", 1, "--workers", 2]
        with Running(*flags) as running:
            said = Path(f"/proc/{running.pid}/environ")
            until(lambda: f"{TUNABLE}=glibc.malloc.tcache_count=0".encode() in said.read_bytes())
            assert running.end().report["counts"]["done"] == 2
