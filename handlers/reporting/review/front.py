"""What the front page of a review site shows: flagged papers first, then the newest, fields and pages."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice

from handlers.reporting.review.answer_rows import FACETS
from handlers.reporting.review.links import page_name
from handlers.reporting.review.selection import ReviewPaper

SHOWN_FLAGGED = 10
SHOWN_NEWEST = 10
_SHOWN_PAGES = 12
_MOST_CHOICES = 60
_TITLE = 300
_DATE = re.compile(r"[0-9]{4}(?:-[0-9]{2}){0,2}(?![0-9])")


@dataclass(frozen=True, order=True)
class Listed:
    """A paper in a list; it sorts by date, and of one date the later in the corpus is the smaller."""

    date: str
    order: int
    id: str
    title: str
    source_title: str
    href: str
    checks: tuple[str, ...]


@dataclass
class Choices:
    """What the filters offer: value → papers, bounded."""

    checks: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    subjects: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    facets: tuple[Counter[str], ...] = field(default_factory=lambda: tuple(Counter() for _ in range(FACETS)))
    """Of a task's answers, in the order of its fields."""

    def add(self, paper: ReviewPaper) -> None:
        for check in paper.checks:
            _bounded(self.checks, f"{check.name} {check.verdict}")
        _bounded(self.languages, paper.language)
        _bounded(self.statuses, paper.status)
        if paper.subject:
            _bounded(self.subjects, paper.subject)
        for counter, value in zip(self.facets, paper.facets, strict=False):
            if value:
                _bounded(counter, value)


def _bounded(counter: Counter[str], value: str) -> None:
    if value in counter or len(counter) < _MOST_CHOICES:
        counter[value] += 1


@dataclass
class Front:
    """Hears of the papers in their order; memory does not grow with their number."""

    choices: Choices = field(default_factory=Choices)
    flagged: list[Listed] = field(default_factory=list)
    _newest: list[Listed] = field(default_factory=list)

    def add(self, page: int, number: int, paper: ReviewPaper) -> None:
        """``page`` and ``number`` are those of the paper, counted from 1."""
        self.choices.add(paper)
        dated = _DATE.match(paper.date or "")
        listed = Listed(
            date=dated[0] if dated else "",
            order=-number,
            id=paper.id,
            title=paper.title[:_TITLE],
            source_title=paper.source_title[:_TITLE],
            href=f"pages/{page_name(page)}#p{number}",
            checks=tuple(check.name for check in paper.checks if check.verdict == "fail"),
        )
        if paper.status == "flagged" and len(self.flagged) < SHOWN_FLAGGED:
            self.flagged.append(listed)
        if dated:
            heapq.heappush(self._newest, listed)
            if len(self._newest) > SHOWN_NEWEST:
                heapq.heappop(self._newest)

    def newest(self) -> list[Listed]:
        """The latest date first."""
        return sorted(self._newest, reverse=True)


def chosen_pages(pages: int) -> list[int]:
    """All pages where they are few, else the first, the last, and some between them at equal distances."""
    if pages <= _SHOWN_PAGES:
        return list(range(1, pages + 1))
    steps = _SHOWN_PAGES - 1
    return list(islice((1 + round(step * (pages - 1) / steps) for step in range(_SHOWN_PAGES)), _SHOWN_PAGES))
