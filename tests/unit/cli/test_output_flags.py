"""Every flag that names what a command writes refuses what would be lost by it: no flag is left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from handlers.actions.session_plan import PLAN_FILE
from handlers.cli.main import app_of
from handlers.errors import UsageError
from handlers.local.named_outputs import note_inputs
from handlers.settings import load_settings
from handlers.state_paths import LEDGER
from tests.builders.command import here
from tests.builders.plans import session_plan

OUTPUTS = {
    ("plan", "output"): "plan papers.jsonl --output papers.jsonl",
    ("report", "output"): "report --output papers.jsonl",
    ("report", "html"): "report --html papers.jsonl",
    ("export", "output"): "export --output papers.jsonl",
    ("review", "output"): "review --output sources",
    ("simulate", "charts"): "simulate --papers 10 --charts charts",
    ("actions plan", "output"): "actions plan --no-history --corpus papers.jsonl --output sources",
    ("actions collect", "output"): "actions collect --plan plan --job-state job --output results",
}
"""Flag → a line by which it would replace what is read."""
TWICE = (
    "report --output june.md --html june.md",
    "report --output june.md --html folder/../june.md",
    "report --output june.md --html link.md",
)
READ = {
    ("actions begin", "plan_folder"), ("actions collect", "plan_folder"), ("actions collect", "job_states"),
    ("invoke", "event"), ("merge", "states"), ("report", "plan"), ("report", "review"), ("run", "plan"),
    ("plan", "assume"), ("simulate", "plan"), ("task check", "file"), ("task push", "file"),
    ("regate", "task"), ("audit", "bill"), ("model-server", "tls_certificate"), ("model-server", "tls_key"),
}  # fmt: skip
_SOURCES = ("papers.jsonl", "sources/papers.jsonl", "charts/papers.svg", "results/results.jsonl")
_LINE = json.dumps({"id": "p", "title": "题"}) + "\n"
STATES = {("merge", "into")}
"""A state is gone on with, not replaced."""
OF_SETTINGS = {"state", "ca_file", "task", "glossary"}


def paths(app: typer.Typer, group: str = "") -> Iterator[tuple[str, str]]:
    """(command, parameter) of all that take a path."""
    for command in app.registered_commands:
        name = f"{group} {command.name}".strip()
        assert command.callback is not None
        for parameter, kind in command.callback.__annotations__.items():
            if "pathlib" in str(kind) or "Path" in str(kind):
                yield name, parameter
    for each in app.registered_groups:
        assert each.typer_instance is not None
        yield from paths(each.typer_instance, str(each.typer_instance.info.name))


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PAPERFLEET_STATE", raising=False)
    for name in ("sources", "charts", "plan", "folder", "results", "paperfleet-state"):
        (tmp_path / name).mkdir()
    (tmp_path / "paperfleet-state" / LEDGER).touch()
    (tmp_path / "plan" / PLAN_FILE).write_text(session_plan().model_dump_json())
    for name in _SOURCES:
        (tmp_path / name).write_text(_LINE)
    (tmp_path / "link.md").symlink_to("june.md")
    note_inputs(load_settings(), *_SOURCES)


def test_every_flag_that_takes_a_path_reads_or_is_in_the_table() -> None:
    found = {each for each in paths(app_of()) if each[1] not in OF_SETTINGS or each in READ}
    assert found == OUTPUTS.keys() | READ | STATES


@pytest.mark.parametrize("line", OUTPUTS.values(), ids=map(" ".join, OUTPUTS))
def test_what_is_read_is_not_written_by_any_of_them(line: str) -> None:
    with pytest.raises(UsageError, match=r"^--(output|html|charts) .*(is read|would be lost)"):
        here(*line.split())
    assert {Path(name).read_text() for name in _SOURCES} == {_LINE}


@pytest.mark.parametrize("line", TWICE)
def test_two_outputs_of_one_command_are_two(line: str) -> None:
    with pytest.raises(UsageError, match=r"^--html \S+: --output writes that too: give another name$"):
        here(*line.split())
