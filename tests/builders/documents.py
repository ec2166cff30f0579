"""The documents of the repository, as tests read them: pages, and what they tell people to type."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import typer.main

from handlers.cli.main import app_of

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(console|sh)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")
_COMMENT = re.compile(r"\s+#\s.*")


def pages() -> list[Path]:
    """Every document, relative to the repository."""
    found = [*ROOT.glob("*.md"), *(ROOT / "infra").glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(path.relative_to(ROOT) for path in found if "_build" not in path.parts)


@cache
def text_of(page: Path | str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def run_lines(page: Path | str) -> list[str]:
    """Lines behind `$` of its `console` blocks: they are run."""
    blocks = [text for kind, text in _BLOCK.findall(text_of(page)) if kind == "console"]
    return [_bare(line[2:]) for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def read_lines(page: Path | str) -> list[str]:
    """Lines of its `sh` blocks, those that are continued as one, and each half of `a && b`."""
    blocks = [text for kind, text in _BLOCK.findall(text_of(page)) if kind == "sh"]
    lines = [_bare(line) for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [half for line in lines if line for half in line.split(" && ")]


def inline(page: Path | str) -> list[str]:
    """What stands between backquotes in its prose and tables."""
    prose = re.sub(r"^```.*?^```", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    return [" ".join(found.split()).replace(r"\|", "|") for found in _INLINE.findall(prose)]


def words_of(line: str) -> list[str]:
    """What the program is given, without assignments before it and redirections behind it."""
    words = shlex.split(re.split(r" >>? ", line)[0])
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    return words


def parse(words: list[str]) -> None:
    """Have the real command line read what follows `paperfleet`; raises what it refuses."""
    command: Any = _commands()
    name = "paperfleet"
    while hasattr(command, "commands") and words:
        name, *words = words
        command = command.commands[name]
    if not hasattr(command, "commands"):
        command.make_context(name, words)


@cache
def _commands() -> Any:
    return typer.main.get_group(app_of())


def _bare(line: str) -> str:
    return _COMMENT.sub("", line).strip()
