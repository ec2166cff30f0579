"""Troubleshooting has a line for every word by which a run, a call or a paper can say what went wrong."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from handlers.llm import classify
from handlers.tasks.translation.gate.gate import CHECKS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([^`]+)`", PAGE))
WORD = re.compile(r"[a-z]+(?:_[a-z0-9]+)*")
PARKED = re.compile(r"([a-z]+(?:_[a-z]+)*): ")


def words(tree: ast.AST) -> Iterator[str]:
    """Words given as ``code=`` or ``error=``, assigned to ``code``, and the first ones of park reasons."""
    for node in ast.walk(tree):
        given = isinstance(node, ast.keyword) and node.arg in ("code", "error")
        if given or (isinstance(node, ast.Assign) and "code" in ast.unparse(node.targets[0])):
            yield from texts(node)
        elif (isinstance(node, ast.Call) and "park" in ast.unparse(node.func)) or (
            isinstance(node, ast.FunctionDef) and node.name == "_reason"
        ):
            yield from reasons(node)


def reasons(tree: ast.AST) -> Iterator[str]:
    """First words of the sentences in a call that parks a run, or in a function that says why."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[0], ast.Constant):
            found = PARKED.match(str(node.values[0].value))
            if found is not None:
                yield found[1]


def texts(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and WORD.fullmatch(each.value):
            yield each.value


@cache
def spoken() -> frozenset[str]:
    folders = [ROOT / "handlers" / name for name in ("llm", "pipeline", "audit")]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    found = {word for path in files for word in words(ast.parse(path.read_text(encoding="utf-8")))}
    dialect = ast.parse((ROOT / "handlers" / "llm" / "dialects" / "dialect.py").read_text(encoding="utf-8"))
    returned = [node.value for node in ast.walk(dialect) if isinstance(node, ast.Return) and node.value]
    found |= {word for value in returned for word in texts(value) if word.endswith("_unsupported")}
    return frozenset(found | set(classify._FATAL.values()) | set(CHECKS))


def test_the_words_are_found_where_they_are_spoken() -> None:
    assert {"budget_spent", "failure_rate", "throttled", "reset", "unauthorized", "numbers"} <= spoken()
    assert len(spoken()) > 30


def test_the_page_says_what_each_word_means_and_what_to_do() -> None:
    assert sorted(spoken() - NAMED) == []
