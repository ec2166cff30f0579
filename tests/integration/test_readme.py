"""The README's commands work as they stand there, with an endpoint and a corpus of ours."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from handlers.cli.main import app_of
from handlers.model_server import ServerSettings, start
from tests.command import corpus

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def console_lines() -> list[str]:
    """What the README tells people to type."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [line.partition("  #")[0].partition("     #")[0].strip() for line in lines]


def ours() -> list[str]:
    return [line for line in console_lines() if line.startswith(".venv/bin/paperfleet")]


def test_the_readme_has_commands() -> None:
    assert len(ours()) >= 2
    assert {"make run", "make test"} <= set(console_lines())


@pytest.mark.parametrize("line", ours())
def test_a_command_of_the_readme_does_what_it_says(line: str, tmp_path: Path) -> None:
    source = corpus(tmp_path / "papers.jsonl", 3)
    with start(ServerSettings(mode="canned")) as server:
        words = shlex.split(line.replace("https://api.example.com/v1", server.base_url))
        swapped = {"papers.jsonl": str(source), "PAPER-ID": "paper-00001", "NAME": "gpt-4o-mini"}
        swapped |= {name: str(tmp_path / name) for name in ("report.html", "site")}
        command = [
            sys.executable,
            "-m",
            "handlers.cli",
            *(swapped.get(word, word) for word in words[1:]),
        ]
        environment = os.environ | {"PAPERFLEET_API_KEY": "key", "PAPERFLEET_STATE": str(tmp_path / "state")}
        if words[1] in ("report", "review"):  # of a run that is there
            first = [
                *command[:3],
                "run",
                str(source),
                "--base-url",
                server.base_url,
                "--model",
                "gpt-4o-mini",
            ]
            subprocess.run(first, capture_output=True, timeout=60, env=environment, cwd=ROOT, check=True)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, cwd=ROOT)
    assert done.returncode in (0, 3), done.stderr


def test_make_run_ends_well_and_says_where_everything_lies(tmp_path: Path) -> None:
    command = ["make", "run", f"STATE={tmp_path / 'state'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    for name in ("results.jsonl", "report.md", "rejects.jsonl"):
        path = re.search(rf"\S+{re.escape(name)}", said)
        assert path is not None, said
        assert Path(path[0]).is_file()


def test_every_command_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"`paperfleet ([a-z-]+)", README))
    known = {command.name for command in app_of().registered_commands}
    known |= {group.typer_instance.info.name for group in app_of().registered_groups if group.typer_instance}
    assert named <= known


@pytest.mark.parametrize("command", sorted(str(each.name) for each in app_of().registered_commands))
def test_every_command_has_help_with_an_example(command: str) -> None:
    arguments = [sys.executable, "-m", "handlers.cli", command, "--help"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=30, cwd=ROOT)
    assert done.returncode == 0
    assert "Example" in done.stdout
