"""A command starts with what it needs, and what comes after the ingest is imported beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import paperfleet as started_by
from handlers.cli.main import _MODULES, app_of, outline
from handlers.model_server import ServerSettings
from tests.builders.command import PRICES, corpus, paperfleet
from tests.builders.warm import start


def commands(word: str = "") -> list[str]:
    return list(typer.main.get_group(app_of(word)).commands)


def test_every_command_is_found_in_its_module_and_in_the_list_of_all() -> None:
    assert set(commands()) == _MODULES.keys()
    assert list(typer.main.get_group(outline()).commands) == list(_MODULES)
    for name, module in _MODULES.items():
        assert set(commands(name)) == {each for each, other in _MODULES.items() if other == module}


def test_the_list_of_all_commands_imports_none_of_them() -> None:
    line = (
        "import sys; from handlers.cli.main import outline; outline()(['-h'], standalone_mode=False);"
        "print(sorted({'pydantic', 'boto3', 'handlers.settings'} & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, timeout=60)
    assert ran.stdout.splitlines()[-1] == "[]"
    assert "Checks and repairs" in ran.stdout


_LOADED = """
import json, re, sys
compiled = []
compile_, re.compile = re.compile, lambda *given, **named: compiled.append(given) or compile_(*given, **named)
import handlers.local.job_process
job = sorted(sys.modules)
import handlers.local.session
print(json.dumps({"job": job, "session": sorted(sys.modules), "patterns": len(compiled)}))
"""


def test_a_run_loads_what_it_needs_to_start_and_little_else() -> None:
    """CPU and memory of each start hang on it: a bound that is met is raised for what every run needs, and
    other modules are imported, and other patterns compiled, where they are first used."""
    ran = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, timeout=60)
    loaded = json.loads(ran.stdout)
    job, session = set(loaded["job"]), set(loaded["session"])
    assert job & {"click", "rich", "pygments", "typer", "multiprocessing"} == set()
    others = {
        "boto3",
        "duckdb",
        "jinja2",
        "langcodes",
        "yaml",
        "aws_lambda_powertools.utilities.data_classes",
    }
    ours = {"handlers.domain.plan", "handlers.tasks.translation.whole.cut_paper"}
    assert session & (others | ours) == set()
    assert sum(name.startswith("handlers") for name in job) <= 215
    assert sum(name.startswith("handlers") for name in session) <= 290
    assert len(session) <= 860
    assert loaded["patterns"] <= 420


@pytest.mark.parametrize(
    ("line", "words", "code"),
    [
        ([], "Usage: paperfleet", 0),
        (["-h"], "Usage: paperfleet", 0),
        (["--version"], f"paperfleet {version('paperfleet')}", 0),
        (["run", "-h"], "Example: paperfleet run", 0),
        (["bogus"], "No such command 'bogus'", 2),
        (["statu"], "Did you mean 'status'", 2),
    ],
)
def test_what_a_line_without_work_shows(line: list[str], words: str, code: int) -> None:
    ran = paperfleet(*line)
    assert words in " ".join((ran.out + ran.err).split())
    assert ran.code == code
    assert "<bool>" not in ran.out


def test_a_shell_is_told_how_a_line_goes_on() -> None:
    ran = paperfleet(_PAPERFLEET_COMPLETE="complete_bash", COMP_WORDS="paperfleet st", COMP_CWORD="1")
    assert ran.out.split() == ["status", "stack"]


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


@pytest.mark.slow
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


def test_a_projects_own_modules_are_not_taken_for_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``-m`` puts the working directory first; the folder that Paperfleet itself lies in stays."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), "elsewhere"])
    started_by._forget_working_directory()
    assert sys.path == ["elsewhere"]
    started_by._forget_working_directory()
    assert sys.path == ["elsewhere"]
    home = Path(started_by.__file__).parent
    monkeypatch.chdir(home)
    monkeypatch.setattr(sys, "path", [str(home)])
    started_by._forget_working_directory()
    assert sys.path == [str(home)]


@pytest.mark.slow
def test_where_nothing_is_left_to_pilot_it_says_so_and_all_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERFLEET_API_KEY", "k")
    source = tmp_path / "in.jsonl"
    source.write_text('{"id": "a", "title": "Soil", "abstract": "A text in English.", "language": "en"}\n')
    line = ["pilot", str(source), "--state", str(tmp_path / "s"), "--model", "m"]
    line += ["--base-url", "http://127.0.0.1:1/v1", "--price-in", "1", "--price-out", "1"]
    ran = CliRunner().invoke(app_of("pilot"), line)
    assert ran.exit_code == 0, ran.output
    assert "1 paper: 0 to send, 1 skipped (1 already in en): nothing is left to pilot" in ran.output
    told = CliRunner().invoke(app_of("pilot"), [*line, "--json"]).stdout
    assert '"figures":null' in told
