"""One is one, wherever a count is said."""

from __future__ import annotations

import re
from pathlib import Path

from handlers.counted import counted

HANDLERS = Path(__file__).parents[2] / "handlers"
NOUNS = "job|paper|line|batch|call|worker|session|file|result|row|message|runner minute"
BARE = re.compile(rf"\{{(?![a-z.]*papers_per_)[^{{}}]*\}} (?:{NOUNS})(?:s|es)\b")


def test_a_count_and_its_noun_agree() -> None:
    assert [counted(n, "job") for n in (0, 1, 2, 1294)] == ["0 jobs", "1 job", "2 jobs", "1,294 jobs"]
    assert counted(1, "paper is", "papers are") == "1 paper is"


def test_summaries_count_through_it() -> None:
    """The pages that people read after a simulation and a session on GitHub Actions."""
    pages = ("cli/simulate_command.py", "actions/summary.py", "reporting/webhook.py", "reporting/markdown.py")
    for name in pages:
        text = (HANDLERS / name).read_text(encoding="utf-8")
        assert BARE.findall(text) == [], name
