"""A command starts with what it needs, and what comes after the ingest is imported beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from handlers.cli.main import _GROUPS, app_of
from handlers.model_server import ServerSettings
from tests.builders.command import PRICES, corpus
from tests.builders.warm import start


def commands(word: str = "") -> list[str]:
    return list(typer.main.get_group(app_of(word)).commands)


def test_every_command_is_found_in_its_module() -> None:
    assert [name for names in _GROUPS.values() for name in names] == commands()
    for names in _GROUPS.values():
        for name in names:
            assert commands(name) == list(names)


def test_an_unknown_command_is_told_beside_all_others() -> None:
    assert commands("bogus") == commands()


_WATCHED = """
import sys, threading
from handlers.cli import main, run_command
wanted = "handlers.local.session"
load = run_command._load_session

def loads(settings):
    print(threading.current_thread().name, wanted in sys.modules, file=sys.stderr)
    load(settings)

run_command._load_session = loads
sys.argv = ["paperfleet", *sys.argv[1:]]
print(wanted in sys.modules, file=sys.stderr)
main.main()
"""


@pytest.mark.parametrize(("papers", "beside"), [(12, False), (6_000, True)])
def test_a_run_imports_its_session_beside_a_large_ingest(tmp_path: Path, papers: int, beside: bool) -> None:
    source = corpus(tmp_path / "in.jsonl", papers)
    with start(ServerSettings(mode="canned")) as server:
        line = [sys.executable, "-c", _WATCHED, "run", str(source), "--state", str(tmp_path / "state")]
        line += ["--base-url", server.base_url, "--model", "paperfleet-canned", *PRICES]
        ran = subprocess.run([*line, "--limit", "6"], capture_output=True, text=True, timeout=90)
    assert ran.returncode == 0, ran.stderr
    told = ran.stderr.splitlines()
    assert told[0] == "False"
    assert ("alongside False" in told) == beside
