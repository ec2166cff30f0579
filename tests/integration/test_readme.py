"""The commands of README and docs work as they stand there, one after the other, with an endpoint of ours."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from docs import generate
from handlers.cli.main import app_of
from handlers.model_server import ServerSettings
from tests.builders import documents
from tests.builders.command import corpus, paperfleet, whole_papers
from tests.builders.documents import ROOT
from tests.builders.task_files import written
from tests.builders.warm import start

RUN = [
    page
    for page in documents.pages()
    if any(line.startswith("paperfleet") for line in documents.run_lines(page))
]


def test_the_readme_and_the_tutorial_are_run() -> None:
    assert {Path("README.md"), Path("docs/tutorial.md")} <= set(RUN)


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[] if page == Path("README.md") else [pytest.mark.slow]) for page in RUN],
    ids=str,
)
def test_the_commands_of_a_page_do_what_it_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    papers_of(page, tmp_path / "papers.jsonl")
    for name, text in shown_tasks(page):
        written(tmp_path, text, f"{name}.toml")
    monkeypatch.chdir(tmp_path)
    for name in ("events", "handlers"):  # of the repository's root
        (tmp_path / name).symlink_to(ROOT / name)
    with start(ServerSettings(mode="canned")) as server:
        swapped = {
            "PAPER-ID": "paper-00001", "NAME": "gpt-4o-mini", "https://api.example.com/v1": server.base_url,
        }  # fmt: skip
        for line in documents.run_lines(page):
            program, *words = documents.words_of(line)
            if program == "paperfleet":
                before = {name: swapped[value] for name, value in re.findall(r"^([A-Z_]+)=(\S+) ", line)}
                before["PAPERFLEET_API_KEY"] = "key"
                ran = paperfleet(*(swapped.get(word, word) for word in words), **before)
                assert ran.code in (0, 3), f"{line}: {ran.err}"
            elif program in ("mkdir", "cp"):
                subprocess.run([program, *words], check=True)


def shown_tasks(page: Path) -> list[tuple[str, str]]:
    """Names and texts of the task files that the page shows."""
    shown = re.findall(r"^```toml\n(.*?)^```", documents.text_of(page), re.DOTALL | re.MULTILINE)
    named = [(re.search(r'^name = "([a-z-]+)"', text, re.MULTILINE), text) for text in shown]
    return [(match[1], text) for match, text in named if match is not None]


def papers_of(page: Path, path: Path) -> None:
    """The papers that the page shows, or three of ours, with bodies of four passages where it sends them."""
    shown = re.findall(r"^```json\n(.*?)^```", documents.text_of(page), re.DOTALL | re.MULTILINE)
    if shown:
        path.write_text("".join(shown), encoding="utf-8")
    elif any("--full-text" in line for line in documents.run_lines(page)):
        whole_papers(path, 3, paragraphs=8)
    else:
        corpus(path, 3)


@pytest.mark.slow
def test_make_run_ends_well_and_says_where_everything_lies(tmp_path: Path) -> None:
    command = ["make", "run", f"STATE={tmp_path / 'state'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    for name in ("results.jsonl", "report.md", "rejects.jsonl"):
        path = re.search(rf"\S+{re.escape(name)}", said)
        assert path is not None, said
        assert Path(path[0]).is_file()


@pytest.mark.parametrize("command", sorted(generate.commands()))
def test_every_command_has_help_with_an_example(command: str) -> None:
    assert "Example" in (generate.commands()[command].epilog or "")


def test_help_shows_the_example() -> None:
    done = CliRunner().invoke(app_of(), ["actions", "begin", "--help"])
    assert done.exit_code == 0
    assert "Example" in done.output
