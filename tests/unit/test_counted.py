"""One is one, wherever a count is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from handlers.counted import counted, in_hours

HANDLERS = Path(__file__).parents[2] / "handlers"
NOUNS = "job|paper|line|batch|call|worker|session|file|result|row|message|runner minute"
BARE = re.compile(rf"\{{(?![a-z.]*papers_per_)[^{{}}]*\}} (?:{NOUNS})(?:s|es)\b")


def test_a_count_and_its_noun_agree() -> None:
    assert [counted(n, "job") for n in (0, 1, 2, 1294)] == ["0 jobs", "1 job", "2 jobs", "1,294 jobs"]
    assert counted(1, "paper is", "papers are") == "1 paper is"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"), (0.4, "0 s"), (45, "45 s"), (60, "1 min"), (90, "1 min 30 s"), (300, "5 min"),
        (3599.6, "1 h"), (3600, "1 h"), (5400, "1 h 30 min"), (17_640, "4 h 54 min"), (86_400, "24 h"),
        (86_399, "24 h"), (9_000_000, "2,500 h"),
    ],
)  # fmt: skip
def test_a_duration_is_said_in_hours_and_minutes(seconds: float, words: str) -> None:
    assert in_hours(seconds) == words


def test_summaries_count_through_it() -> None:
    """The pages that people read after a simulation and a session on GitHub Actions."""
    pages = ("cli/simulate_command.py", "actions/summary.py", "reporting/webhook.py", "reporting/markdown.py")
    for name in pages:
        text = (HANDLERS / name).read_text(encoding="utf-8")
        assert BARE.findall(text) == [], name
