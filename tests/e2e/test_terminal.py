"""A run as a person sees it on a terminal of 80 x 24."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from tests.builders.command import corpus
from tests.builders.recording import Recording, record

pytestmark = pytest.mark.slow
BAR = "papers"


def run(
    folder: Path, papers: int, narrowed: tuple[float, int] | None = None, *, term: str = "xterm-256color"
) -> Recording:
    source = corpus(folder / "papers.jsonl", papers)
    line = [sys.executable, "-m", "handlers.cli", "run", str(source), "--state", str(folder / "state")]
    environment = dict.fromkeys((name for name in os.environ if name.startswith("PAPERFLEET_")), "")
    line += ["--jobs", "1", "--workers", "2", "--rpm", "6000"]  # seconds, on any machine
    return record(line, narrowed=narrowed, environment=environment | {"TERM": term})


def bars(frame: list[str]) -> int:
    return sum(row.startswith(("━", "─")) and BAR in row for row in frame)


def test_a_run_is_drawn_in_place_and_ends_with_how_it_stands(tmp_path: Path) -> None:
    shown = run(tmp_path, 300)
    assert shown.code == 0
    assert max(map(bars, shown.frames)) == 1
    assert any(re.search(r" (s|min) left| second left", row) for frame in shown.frames for row in frame)
    assert all(len(row) <= 80 for frame in shown.frames for row in frame)
    verdict = "\n".join(shown.last[-7:])
    assert f"results: {tmp_path}"[:70] in verdict
    assert "run default" in verdict
    assert "finished: 300 of 300 papers" in verdict


def test_a_window_that_is_narrowed_keeps_no_ghosts(tmp_path: Path) -> None:
    shown = run(tmp_path, 600, (4.0, 50))
    assert max(map(bars, shown.frames)) == 1
    assert shown.code == 0


def test_a_dumb_terminal_has_lines_without_a_control_character(tmp_path: Path) -> None:
    shown = run(tmp_path, 40, term="dumb")
    assert b"\x1b" not in shown.raw
    assert b"40 papers" in shown.raw
