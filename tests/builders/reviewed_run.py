"""A run of sixty papers and three odd ones, for its page and its review site."""

from __future__ import annotations

from typing import Any

from handlers.domain.paper import Paper
from handlers.domain.result import Check
from handlers.reporting.review.selection import ReviewPaper
from tests.builders.finished_run import Outcome

HOSTILE = "<script>window.hacked=1</script>\"'><img src=x onerror=alert(1)>"
_MISSING = Check(
    name="numbers", verdict="fail", detail='In "abstract" numbers of the source are missing or changed: 12.'
)


def paper(number: int, **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": f"paper-{number:03d}",
        "title": f"第{number}种{chr(0x4E00 + number)}方法的研究",
        "abstract": f"在$T = {number}$下共有12组样品，编号{number}。",
        "keywords": ["方法"],
        "language": "zh",
        "license": "CC-BY-4.0",
        "url": f"https://example.org/{number}",
        "subject": "physics" if number % 2 else "biology",
        "source": "Archive",
    }
    return fields | changes


def decide(given: Paper, _number: int) -> Outcome:
    """Flags every tenth paper, fails 7, skips what forbids derivatives."""
    place = int(given.id[-3:])
    fields: dict[str, Any] = {
        "title": f"Study {place}",
        "abstract": f"At $T = {place}$ with 12 samples, number {place}.",
        "keywords": ["method"],
    }
    if place == 103:
        return Outcome("done", {"title": HOSTILE, "abstract": HOSTILE, "keywords": [HOSTILE]}, cost=9_000_000)
    if place % 10 == 0:
        return Outcome("flagged", fields, (_MISSING,), "numbers", "numbers: 12 is missing", cost=900_000)
    if place == 7:
        return Outcome("failed", error="http_503", cost=0)
    return Outcome("done", fields, cost=1_000_000 + place)


def papers(count: int = 60) -> list[dict[str, Any]]:
    made = [paper(number) for number in range(1, count + 1)]
    made.append(paper(101, license="CC-BY-NC-ND-4.0"))
    made.append({**paper(1), "id": "twin-102"})
    made.append(paper(103, title=HOSTILE, abstract=HOSTILE + " 中文", keywords=[HOSTILE], subject=HOSTILE))
    return made


def review_paper(name: str, **changes: Any) -> ReviewPaper:
    fields: dict[str, Any] = {
        "id": name, "status": "done", "title": f"Title {name}", "source_title": "题目", "language": "zh",
        "subject": "", "license": None, "url": None, "publisher": None, "date": None, "cost_usd": 0.0,
        "seconds": 0.0, "model": "m", "notice": "", "made_up": False, "same_as": None, "checks": (),
        "passed": (), "reason": "", "pairs": (), "whole": None, "searched": (),
    }  # fmt: skip
    return ReviewPaper(**{**fields, **changes})
