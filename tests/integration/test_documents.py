"""What README and docs tell people to type is read by what they would type it into; what they name exists."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import generate
from handlers.setting_sources import PREFIX
from handlers.settings import Settings
from tests.builders import documents
from tests.builders.documents import ROOT

PAGES = documents.pages()
FOLDERS = ("handlers", "tests", "docs", "infra", "events", ".github", ".ci")
README_LINES = 150
INSTALLERS = ("pip", "uv", "pipx")


def lines_of(program: str) -> list[str]:
    """Every line of a block that starts this program, of all pages."""
    lines = {line for page in PAGES for line in (*documents.run_lines(page), *documents.read_lines(page))}
    return sorted(line for line in lines if documents.words_of(line)[0] == program)


def mentions() -> list[str]:
    return sorted(
        {said for page in PAGES for said in documents.inline(page) if said.startswith("paperfleet ")}
    )


def load(path: str) -> dict[Any, Any]:
    """A template or workflow, the tags of CloudFormation left alone."""
    loader = type("Loader", (yaml.SafeLoader,), {})
    loader.add_multi_constructor("!", lambda *_: None)
    found: dict[Any, Any] = yaml.load((ROOT / path).read_text(encoding="utf-8"), Loader=loader)
    return found


def test_the_pages_are_found() -> None:
    assert len(PAGES) > 20
    assert len(lines_of("paperfleet")) > 30
    assert len(mentions()) > 20


@pytest.mark.parametrize("line", lines_of("paperfleet"))
def test_a_command_is_one_that_the_command_line_takes(line: str) -> None:
    documents.parse(documents.words_of(line)[1:])


@pytest.mark.parametrize("said", mentions())
def test_a_command_that_is_mentioned_exists_with_its_flags(said: str) -> None:
    try:
        documents.parse(documents.words_of(said)[1:])
    except Exception as error:
        if type(error).__name__ not in ("MissingParameter", "NoArgsIsHelpError"):  # a mention may be short
            raise


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_line_starts_something_whose_arguments_are_checked(page: Path) -> None:
    known = {"paperfleet", "make", "sam", "gh", "source", "export", ".venv/bin/python", "mkdir", "cp"}
    for line in (*documents.run_lines(page), *documents.read_lines(page)):
        assert documents.words_of(line)[0] in known | {*INSTALLERS}, line


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_flag_that_is_named_belongs_to_a_command(page: Path) -> None:
    params = [param for command in generate.commands().values() for param in command.params]
    known = {flag for param in params for flag in generate.spellings(param)} | {"--help"} | benchmark_flags()
    for said in documents.inline(page):
        if said.startswith("--"):
            assert {word for word in said.split() if word.startswith("--")} <= known, said


def benchmark_flags() -> set[str]:
    sources = (ROOT / "tests" / "benchmarks").glob("*.py")
    return set(re.findall(r'"(--[a-z-]+)"', "".join(path.read_text(encoding="utf-8") for path in sources)))


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_variable_that_is_named_is_read_somewhere(page: Path) -> None:
    read = {PREFIX + name.upper() for name in Settings.model_fields}
    elsewhere = [*(ROOT / ".github").rglob("*.yml"), *(ROOT / "tests").rglob("test_*.py")]
    texts = "".join(path.read_text(encoding="utf-8") for path in elsewhere)
    for name in set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", documents.text_of(page))):
        assert name in read or name in texts, name


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_file_of_the_repository_that_is_named_exists(page: Path) -> None:
    for said in documents.inline(page):
        if re.fullmatch(rf"(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./-]*", said):
            assert (ROOT / said).exists(), said


@pytest.mark.parametrize("page", [page for page in PAGES if page.parts[0] != "docs"], ids=str)
def test_a_link_leads_somewhere(page: Path) -> None:
    """Those of `docs/` are followed when the site is built."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", documents.text_of(page)):
        assert (ROOT / page.parent / target).exists(), target


@pytest.mark.parametrize("line", lines_of("make"))
def test_a_target_of_make_exists(line: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{documents.words_of(line)[1]}:.*##", makefile, re.MULTILINE)


@pytest.mark.parametrize("line", lines_of("sam"))
def test_a_line_for_sam_names_files_functions_and_parameters_that_exist(line: str) -> None:
    words = documents.words_of(line)
    given = dict(pairwise(words))
    template = load(given.get("-t", "template.yaml"))
    if words[1:3] == ["local", "invoke"]:
        assert template["Resources"][words[3]]["Type"] == "AWS::Serverless::Function"
        assert (ROOT / given["-e"]).is_file()
    overrides = words[words.index("--parameter-overrides") + 1 :] if "--parameter-overrides" in words else []
    assert {each.partition("=")[0] for each in overrides} <= set(template["Parameters"])


@pytest.mark.parametrize("line", lines_of("gh"))
def test_a_line_for_gh_gives_inputs_that_the_workflow_has(line: str) -> None:
    words = documents.words_of(line)
    inputs = load(f".github/workflows/{words[3]}")[True]["workflow_dispatch"]["inputs"]
    for name, value in (words[at + 1].split("=") for at, word in enumerate(words) if word == "-f"):
        assert value in inputs[name].get("options", [value])


@pytest.mark.parametrize("line", lines_of(".venv/bin/python"))
def test_a_line_for_python_names_modules_and_files_that_exist(line: str) -> None:
    words = documents.words_of(line)
    assert words[1:3] in (["-m", "pytest"], ["-m", "pdb"])
    assert all((ROOT / word).exists() for word in words if "/" in word)
    if "handlers.cli" in words:
        documents.parse(words[words.index("handlers.cli") + 1 :])


@pytest.mark.parametrize("line", [line for program in INSTALLERS for line in lines_of(program)])
def test_what_is_installed_is_this_project_with_extras_that_it_has(line: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    words = documents.words_of(line)
    assert "install" in words[1:3]
    name, *extras = re.findall(r"[\w-]+", words[-1])
    assert name == project["name"]
    assert set(extras) <= project["optional-dependencies"].keys()


def test_the_package_page_has_the_projects_addresses_and_no_link_of_its_own() -> None:
    made = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    text = documents.text_of("README.md")
    for each in made["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(each["pattern"], each["replacement"], text)
    home = made["project"]["urls"]["Homepage"]
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 20
    for link in links:
        address, _, path = link.partition("/main/")
        assert address in (f"{home}/blob", home.replace("github.com", "raw.githubusercontent.com")), link
        assert (ROOT / path).is_file(), link


def test_the_readme_is_short_and_has_what_a_newcomer_looks_for() -> None:
    readme = documents.text_of("README.md")
    assert len(readme.splitlines()) <= README_LINES
    assert {"make run", "make test"} <= set(documents.run_lines("README.md"))
    for name in (
        "tutorial",
        "promises",
        "commands",
        "settings",
        "aws",
        "actions",
        "benchmarks",
        "troubleshooting",
    ):
        assert re.search(rf"\]\(docs/[\w/-]*{name}\.md\)", readme), name


def test_readme_and_docs_promise_the_same_seven_things() -> None:
    texts = [documents.text_of("README.md"), documents.text_of("docs/explanation/promises.md")]
    promises = [re.findall(r"^([1-7])\. (\w+ \w+)", text, re.MULTILINE) for text in texts]
    assert len(promises[0]) == 7
    assert promises[0] == promises[1]


def test_every_room_of_the_tree_stands_on_the_page_about_it() -> None:
    page = documents.text_of("docs/explanation/architecture.md")
    for room in {path.parent for path in (ROOT / "handlers").rglob("*.py")} - {ROOT / "handlers"}:
        assert f"`{room.name}/`" in page, room


def test_a_module_that_the_page_about_the_tree_names_exists() -> None:
    for said in documents.inline("docs/explanation/architecture.md"):
        if re.fullmatch(r"[\w/]+\.(py|toml)", said):
            assert (ROOT / said).is_file() or list((ROOT / "handlers").rglob(said)), said
