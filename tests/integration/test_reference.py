"""The reference says what the code says, and leaves nothing out."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docs import generate
from docs.outputs import EXIT_CODES, FILES, OUTPUTS
from handlers.model_server import ServerSettings, start
from handlers.results.records import COLUMNS
from handlers.setting_sources import PREFIX
from handlers.settings import Settings
from tests.builders.command import PRICES, Ran, corpus, paperfleet
from tests.builders.documents import ROOT, text_of

REFERENCE = "docs/reference"
_ENDS = ("typer.Exit", "sys.exit")


@pytest.mark.parametrize("page", generate.pages(), ids=lambda page: page.name)
def test_a_page_is_what_the_code_says(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert generate.written(text) == text, "run `make docs`"


@pytest.mark.parametrize("name", sorted(generate.commands()))
def test_a_command_stands_there_with_all_its_flags(name: str) -> None:
    section = text_of(f"{REFERENCE}/commands.md").partition(f"\n## `paperfleet {name}`\n")[2]
    section = section.partition("\n## ")[0]
    for param in generate.commands()[name].params:
        for flag in param.opts if param.param_type_name == "option" else ():
            assert flag == "--help" or f"`{flag}`" in section, flag
    assert "Example" in section


def rows(page: str) -> list[list[str]]:
    lines = text_of(f"{REFERENCE}/{page}").splitlines()
    return [re.split(r"(?<!\\) *\| *", line)[1:-1] for line in lines if line.startswith("| `")]


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_a_setting_stands_there_with_its_variable_and_a_sentence(name: str) -> None:
    variable = f"`{PREFIX}{name.upper()}`"
    found = [row for row in rows("settings.md") if variable in row[0].split("<br>")]
    assert len(found) == 1
    assert re.search(r"\w{3,}", found[0][2])


def exits() -> Iterator[tuple[str, int]]:
    """(file, exit code) of everything that ends a command; names are looked up in their module."""
    for path in [*(ROOT / "handlers" / "cli").glob("*.py"), ROOT / "handlers" / "local" / "session.py"]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = dict(constants(tree))
        for node in ast.walk(tree):
            ends = isinstance(node, ast.Call) and ast.unparse(node.func) in _ENDS
            if ends or (isinstance(node, ast.FunctionDef) and node.name == "exit_code"):
                codes = node.args if isinstance(node, ast.Call) else returned(node)
                yield from ((path.name, code) for each in codes for code in numbers(each, names))


def constants(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            names = re.findall(r"\w+", ast.unparse(node.targets[0]))
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            for name, value in zip(names, values, strict=False):
                yield from ((name, number) for number in numbers(value, {}))


def returned(function: ast.FunctionDef) -> list[ast.expr]:
    return [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value]


def numbers(node: ast.AST, names: dict[str, int]) -> Iterator[int]:
    """The values that an expression can have: a condition's test is none of them."""
    if isinstance(node, ast.IfExp):
        yield from numbers(node.body, names)
        yield from numbers(node.orelse, names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield node.value
    elif isinstance(node, ast.Name) and node.id in names:
        yield names[node.id]


def test_every_exit_code_stands_there_and_no_other() -> None:
    found = {code for _, code in exits()} | {0}
    assert found == set(EXIT_CODES)
    page = text_of(f"{REFERENCE}/exit-codes.md")
    assert {int(code) for code in re.findall(r"^\| (\d+) \| \S.* \|$", page, re.MULTILINE)} == found


def printing_json() -> list[str]:
    commands = generate.commands().items()
    return [name for name, command in commands if any("--json" in param.opts for param in command.params)]


@pytest.mark.parametrize("name", printing_json())
def test_what_a_command_prints_as_json_stands_there(name: str) -> None:
    assert any(re.search(rf"`{name}[` ]", where) or f"`{name}`" in where for _, where, *_ in OUTPUTS)


def test_no_key_of_a_run_or_a_plan_is_without_a_meaning() -> None:
    text = text_of(f"{REFERENCE}/json.md")
    for title in ("A run", "A plan"):
        section = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
        bare = re.findall(r"^\| `([^`]+)` \|.*\| +\|$", section, re.MULTILINE)
        assert [key for key in bare if not key.startswith("measured.")] == []


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Heading in the reference → what was really printed or written under it."""
    folder = tmp_path_factory.mktemp("reference")
    source, state = corpus(folder / "papers.jsonl", 3), folder / "state"
    with source.open("a", encoding="utf-8") as file:
        file.write("no paper\n")
    environment = {"PAPERFLEET_STATE": str(state), "PAPERFLEET_API_KEY": "key"}
    with start(ServerSettings(mode="canned")) as server:
        endpoint = ("--base-url", server.base_url, "--model", "m", *PRICES)

        def ran(*words: object) -> Ran:
            done = paperfleet(*words, **environment)
            assert done.code in (0, 3), done.err
            return done

        found = {"An ingested source": [ran("ingest", source).report]}
        found["A pilot"] = [ran("pilot", source, *endpoint, "--json").report]
        found["A plan"] = [ran("plan", source, *endpoint, "--output", folder / "plan.json", "--json").report]
        found["A run"] = [ran("run", source, "--plan", folder / "plan.json", "--json").report]
        found["A run"] += [ran("status", "--json").report, ran("report", "--json").report]
        found["A simulation"] = [ran("simulate", "--papers", 10, "--json").report]
        found["What was sharded"] = [ran("shard", source, "--run-id", "other", "--model", "m").report]
        found["A run that was steered"] = [ran("pause", "--run-id", "other", "--json").report]
        found["An audit"] = [ran("audit", "--json").report]
        found["A repair"] = ran("repair", "--json").report
        found["results"] = lines(ran("export").out)
    found["A rejected line"] = lines(one(state, "corpora/*.rejects.jsonl").read_text(encoding="utf-8"))
    found["A corpus's profile"] = lines(one(state, "corpora/*.profile.json").read_text(encoding="utf-8"))
    found["A paper"] = lines(one(state, "corpora/*.jsonl").read_text(encoding="utf-8"))
    return found


def one(state: Path, pattern: str) -> Path:
    return next(path for path in sorted(state.glob(pattern)) if pattern.count(".") == path.name.count("."))


def lines(text: str) -> list[Any]:
    """Objects that stand one a line, or a single one."""
    try:
        return [json.loads(text)]
    except ValueError:
        return [json.loads(line) for line in text.splitlines()]


def paths(value: Any, known: set[str], path: str = "") -> Iterator[str]:
    """The path of every key; objects whose keys are data are not looked into."""
    for key, inner in value.items():
        here = f"{path}{key}"
        yield here
        each, below = (inner, f"{here}[].") if isinstance(inner, list) else ([inner], f"{here}.")
        if any(name.startswith(f"{here}.*.") for name in known):
            each, below = list((inner or {}).values()), f"{here}.*."
        if any(name.startswith(below) for name in known):
            for one_of_them in each:
                yield from paths(one_of_them, known, below) if isinstance(one_of_them, dict) else ()


@pytest.mark.slow
@pytest.mark.parametrize("title", [
    "An ingested source", "A pilot", "A plan", "A run", "A simulation", "What was sharded",
    "A run that was steered", "An audit", "A repair", "A rejected line", "A corpus's profile", "A paper",
])  # fmt: skip
def test_keys_that_are_really_printed_are_those_of_the_page(
    title: str, printed: dict[str, list[Any]]
) -> None:
    level = "###" if title in {each[0] for each in FILES} else "##"
    page = text_of(f"{REFERENCE}/{'files' if level == '###' else 'json'}.md")
    section = page.partition(f"\n{level} {title}\n")[2].partition(f"\n{level} ")[0]
    known = set(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE))
    assert known
    assert printed[title]
    for value in printed[title]:
        assert set(paths(value, known)) <= known
        top = {name for name in known if "." not in name}
        assert title == "A paper" or set(value) == top


@pytest.mark.slow
def test_an_exported_line_has_the_columns_of_the_page(printed: dict[str, list[Any]]) -> None:
    for line in printed["results"]:
        assert tuple(line) == COLUMNS
    assert ", ".join(f"`{name}`" for name in COLUMNS) in text_of(f"{REFERENCE}/files.md")
