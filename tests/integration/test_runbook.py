"""The runbook tells the truth: its commands, its figures, and the tests that it names."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup as Group

from handlers.cli.main import app_of
from handlers.planning.platform_limits import platform_limits

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "how-to" / "aws.md").read_text(encoding="utf-8")
COMMANDS = typer.main.get_group(app_of()).commands


def typed() -> list[str]:
    """Every ``paperfleet`` command in it, in a block or between backquotes."""
    found = re.findall(r"`(paperfleet [a-z][^`]*)`", RUNBOOK) + re.findall(r"(?m)^(paperfleet .*)$", RUNBOOK)
    return sorted({line.partition("  #")[0].partition(" >>")[0].strip() for line in found})


def test_there_are_commands_to_check() -> None:
    assert len(typed()) > 10


@pytest.mark.parametrize("line", typed())
def test_a_command_of_the_runbook_has_the_options_that_it_is_given(line: str) -> None:
    _, name, *words = shlex.split(line)
    command = COMMANDS[name]
    while isinstance(command, Group):
        command = command.commands[words.pop(0)]
    options = {option for each in command.params for option in each.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_every_test_that_it_names_exists() -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")}
    defined = set(re.findall(r"def (test_\w+)\(", "\n".join(sources.values())))
    files = {path.name for path in sources}
    named = set(re.findall(r"\b(test_\w+)(\.py)?", RUNBOOK))
    assert named
    for name, ending in named:
        assert name + ending in files if ending else name in defined, name


@pytest.mark.parametrize(
    "shape",
    [
        ("--workers", "5", "--batch-papers", "50", "--papers-per-part", "10"),
        ("--workers", "20", "--batch-papers", "200", "--papers-per-part", "20"),
        ("--workers", "100", "--batch-papers", "1000", "--memory", "1769", "--papers-per-part", "50"),
    ],
    ids=["standard", "parallel", "extreme"],
)
def test_what_it_says_of_costs_is_what_the_command_prints(shape: tuple[str, ...]) -> None:
    command = [sys.executable, ROOT / "infra" / "cost.py", "--papers", "34237", "--latency", "2.5", *shape]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    figure = re.search(r"per 1,000 +([0-9.]+)", printed)
    month = re.search(r"a month: ([0-9.]+)", printed)
    assert figure is not None
    assert month is not None
    assert figure[1] in RUNBOOK
    assert f"{month[1]} USD a month" in RUNBOOK


def test_a_plan_counts_for_queue_table_and_store_what_the_costs_of_the_dearest_tier_are() -> None:
    command = [sys.executable, ROOT / "infra" / "cost.py", "--papers", "100000", "--tier", "standard"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    figures = {
        name: float(figure) for name, figure in re.findall(r"^(\w+) +([0-9.]+)", printed, re.MULTILINE)
    }
    beside = sum(figures[name] for name in ("SQS", "DynamoDB", "S3", "Logs")) / 100
    assert platform_limits().aws_lambda.price.other_usd_per_1000_papers == pytest.approx(beside, rel=0.05)
