"""Each module and each public class has a name of its own: whoever reads one knows which is meant."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.mutations import MUTATIONS

PACKAGE = Path(__file__).parents[2] / "handlers"


def modules() -> Iterator[tuple[str, Path]]:
    for path in PACKAGE.rglob("*.py"):
        if not path.stem.startswith("__"):
            yield path.stem, path


def classes() -> Iterator[tuple[str, Path]]:
    for path in PACKAGE.rglob("*.py"):
        for name in re.findall(r"^ *class ([A-Za-z]\w*)[(:]", path.read_text(encoding="utf-8"), re.MULTILINE):
            yield name, path


def several(names: Iterator[tuple[str, Path]]) -> dict[str, list[str]]:
    places = defaultdict(list)
    for name, path in names:
        places[name].append(str(path.relative_to(PACKAGE)))
    return {name: sorted(where) for name, where in places.items() if len(where) > 1}


def test_a_name_of_a_module_or_a_class_stands_in_one_place() -> None:
    assert several(modules()) | several(classes()) == {}


TESTS = PACKAGE.parent / "tests"


def test_nobody_imports_from_a_test() -> None:
    """What several need stands in ``tests/builders``."""
    guilty = [
        f"{path.relative_to(TESTS)}: {line}"
        for path in TESTS.rglob("*.py")
        for line in re.findall(r"^ *from tests\.[\w.]*\btest_\w+ import", path.read_text(), re.MULTILINE)
    ]
    assert guilty == []


def test_unit_tests_lie_as_the_modules_do() -> None:
    for folder in (path for path in (TESTS / "unit").rglob("*") if path.is_dir()):
        there = folder.relative_to(TESTS / "unit")
        if there.name != "__pycache__" and there.parts[0] != "builders":
            assert (PACKAGE / there).is_dir(), there
    for path in (TESTS / "unit").glob("test_*.py"):
        assert (PACKAGE / path.name.removeprefix("test_")).is_file(), path


def test_a_room_has_at_most_twenty_modules_and_a_file_three_hundred_lines() -> None:
    rooms = {folder: len(list(folder.glob("*.py"))) for folder in PACKAGE.rglob("*") if folder.is_dir()}
    lines = {path: path.read_text(encoding="utf-8").count("\n") for path in PACKAGE.rglob("*.py")}
    assert {str(room): count for room, count in rooms.items() if count > 20} == {}
    assert {str(path): count for path, count in lines.items() if count > 300} == {}


def test_every_fault_that_is_put_in_on_purpose_names_a_line_and_tests_that_are_there() -> None:
    """So that whoever moves the line moves its mutation too."""
    root = PACKAGE.parent
    places = {
        each.breaks: (root / each.file).read_text(encoding="utf-8").count(each.old) for each in MUTATIONS
    }
    assert {breaks: count for breaks, count in places.items() if count != 1} == {}
    assert [
        name for each in MUTATIONS for name in each.tests if not (root / name.split("::")[0]).exists()
    ] == []


def test_a_process_of_a_test_ends_with_the_block_that_started_it() -> None:
    """By ``with`` or ``ending``; else by a class that ends it itself, which is named here."""
    ends_it = {"builders/warm.py", "builders/command.py", "e2e/workflow.py", "benchmarks/growth.py",
               "benchmarks/peer_bench.py"}  # fmt: skip
    guilty = {
        str(path.relative_to(TESTS))
        for path in TESTS.rglob("*.py")
        if re.search(r"(?<!with )subprocess\.Popen\(", path.read_text(encoding="utf-8"))
    }
    assert guilty == ends_it
