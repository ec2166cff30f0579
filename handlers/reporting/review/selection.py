"""The papers that a review site may show, side by side, in the corpus's order."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from handlers.domain.ledger import PaperRow
from handlers.domain.licenses import forbids_derivatives
from handlers.domain.money import usd
from handlers.domain.paper import Paper
from handlers.domain.result import MADE_UP, Check, PartLine
from handlers.domain.run import RunSpec
from handlers.ports import Ledger, ObjectStore
from handlers.reporting.page.html import web_address
from handlers.reporting.page.survey import read_line
from handlers.reporting.review.answer_rows import AnswerTable, TaskView, answer_table, searched
from handlers.reporting.review.body_rows import ReviewBody
from handlers.reporting.review.findings import findings
from handlers.reporting.review.highlighting import Highlighter
from handlers.reporting.review.mathml import is_formula
from handlers.reporting.review.whole_text import side_by_side
from handlers.tasks.translation.masking.masking import PLACEHOLDER, mask
from handlers.tasks.translation.policy import source_language

_CHUNK = 500
_SUBJECTS = ("field", "subject", "category", "categories")
_TEXTS = ("title", "abstract", "keywords", "body")
_TEX = re.compile(r"\\[A-Za-z]+|[\W_]")
_LONGEST_FORMULA = 200
_LONGEST_REASON = 1_000
_SEARCHED = ("title", "abstract", "keywords")


@dataclass(frozen=True)
class Pair:
    """One field on both sides, in rows of HTML that is safe to put into a page: source, translation."""

    name: str
    rows: tuple[tuple[str, str], ...]
    is_empty: bool
    """There is no translation."""
    refused_by: tuple[str, ...]
    """Checks that speak of the translation as a whole: text to be escaped."""


@dataclass(frozen=True)
class ReviewPaper:
    """One paper of the site. All but ``pairs`` is text to be escaped."""

    id: str
    status: str
    title: str
    source_title: str
    language: str
    subject: str
    license: str | None
    url: str | None
    publisher: str | None
    date: str | None
    cost_usd: float
    seconds: float
    model: str
    notice: str
    made_up: bool
    """By the built-in model server, whatever name it was asked by."""
    same_as: str | None
    checks: tuple[Check, ...]
    """Those that did not pass."""
    passed: tuple[str, ...]
    reason: str
    """What the calls of a flagged paper did wrong, beside what its checks say."""
    pairs: tuple[Pair, ...]
    whole: ReviewBody | None
    """Its body, if that was translated passage by passage: it has pages of its own."""
    searched: tuple[str, ...]
    """What the search looks into: titles, abstracts and keywords of both sides, and the id."""
    answers: AnswerTable | None = None
    """Of a task's run, in place of ``pairs``."""
    facets: tuple[str, ...] = ()
    """Values of the fields that the search can be narrowed by."""


@dataclass
class Selection:
    """Streams what may be shown and counts what may not."""

    run_id: str
    ledger: Ledger
    store: ObjectStore
    drafts: bool
    view: TaskView | None = None
    """Of a task's run; None: papers are shown beside their translations."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Reason → papers."""

    def papers(self) -> Iterator[ReviewPaper]:
        """Done papers, with ``drafts`` flagged ones too; never one whose licence forbids derivatives."""
        spec = self.ledger.run(self.run_id).spec
        lines = self.store.lines(spec.corpus)
        while chunk := [Paper.model_validate_json(line) for line in islice(lines, _CHUNK)]:
            rows = self.ledger.paper_rows(self.run_id, list({_leader(paper) for paper in chunk}))
            for paper in chunk:
                shown = self._paper(paper, rows.get(_leader(paper)), spec)
                if shown is not None:
                    yield shown

    def _paper(self, paper: Paper, row: PaperRow | None, spec: RunSpec) -> ReviewPaper | None:
        line = read_line(self.store, row) if row is not None else None
        reason = self._reason(paper, row, line)
        if reason is not None:
            self.left_out[reason] += 1
            return None
        if row is None or line is None:
            return None
        if self.view is not None:
            return _answered(paper, row, line, self.view)
        return _reviewed(paper, row, line, spec)

    def _reason(self, paper: Paper, row: PaperRow | None, line: PartLine | None) -> str | None:
        if forbids_derivatives(paper.license) or (line is not None and forbids_derivatives(line.license)):
            return "licence forbids derivatives"
        if row is None or row.status == "pending":
            return "pending"
        if row.status == "flagged" and not self.drafts:
            return "flagged (drafts are not shown)"
        if row.status not in ("done", "flagged"):
            return row.status
        if line is None:
            return "result cannot be read"
        return None if line.fields or row.status == "flagged" else "without a text"


def _leader(paper: Paper) -> str:
    return paper.same_as or paper.id


def _whole(paper: Paper, line: PartLine, masking: str) -> ReviewBody | None:
    body, result = paper.body, line.fields.get("body")
    if line.coverage is None or not body or not isinstance(result, str):
        return None
    language = source_language(paper)
    return ReviewBody(body, result, line.ends, line.coverage, line.checks, language, masking)


def _reviewed(paper: Paper, row: PaperRow, line: PartLine, spec: RunSpec) -> ReviewPaper:
    whole = _whole(paper, line, spec.masking_version)
    return ReviewPaper(
        **_outcome(paper, row, line),
        title=_text(line.fields.get("title")),
        source_title=paper.title,
        language=source_language(paper),
        pairs=_pairs(paper, line, spec, _TEXTS if whole is None else _SEARCHED),
        whole=whole,
        searched=_searched(paper, line),
    )


def _answered(paper: Paper, row: PaperRow, line: PartLine, view: TaskView) -> ReviewPaper:
    return ReviewPaper(
        **_outcome(paper, row, line),
        title=paper.title,
        source_title=paper.title,
        language=paper.language or "",
        pairs=(),
        whole=None,
        searched=searched(paper, line, view),
        answers=answer_table(paper, line, view),
        facets=view.facets_of(line),
    )


def _outcome(paper: Paper, row: PaperRow, line: PartLine) -> dict[str, Any]:
    """What a paper has on the site, whatever was asked of it."""
    extra = paper.model_extra or {}
    own = paper.same_as is None
    return {
        "id": paper.id,
        "status": row.status,
        "subject": next((_text(extra[name])[:80] for name in _SUBJECTS if extra.get(name)), ""),
        "license": paper.license,
        "url": web_address(paper.url),
        "publisher": _text(extra.get("source"))[:200] or None,
        "date": paper.date,
        "cost_usd": usd(row.cost) if own else 0.0,
        "seconds": line.latency if own else 0.0,
        "model": line.model,
        "notice": line.notice,
        "made_up": line.fingerprint.startswith(MADE_UP),
        "same_as": paper.same_as,
        "checks": tuple(check for check in line.checks if check.verdict != "pass"),
        "passed": tuple(check.name for check in line.checks if check.verdict == "pass"),
        "reason": _beside_the_checks(line) if row.status == "flagged" else "",
    }


def _searched(paper: Paper, line: PartLine) -> tuple[str, ...]:
    sides = [_text(side) for name in _SEARCHED for side in (getattr(paper, name), line.fields.get(name))]
    return (paper.id, *(piece for side in sides for piece in _words_of(side)))


def _words_of(text: str) -> Iterator[str]:
    """The prose, and of each formula its letters and digits in one word: ``CO2`` is looked for as such."""
    masked = mask(text)
    yield PLACEHOLDER.sub(" ", masked.text)
    for span in masked.spans:
        if is_formula(span):
            yield _TEX.sub("", span[:_LONGEST_FORMULA])


def _pairs(paper: Paper, line: PartLine, spec: RunSpec, names: tuple[str, ...]) -> tuple[Pair, ...]:
    by_field = findings(line.checks, paper, full_text=spec.full_text, masking=spec.masking_version)
    pairs = []
    for name in names:
        source, result, found = _text(getattr(paper, name)), _text(line.fields.get(name)), by_field[name]
        if result or (source and name != "body"):
            left = source, Highlighter((), found.spans, found.source)
            right = result, Highlighter(found.result, found.spans, found.numbers)
            is_whole = name == "body"
            rows = side_by_side(left, right) if is_whole else ((_as_it_is(*left), _as_it_is(*right)),)
            pairs.append(Pair(name, rows, not result, found.whole))
    return tuple(pairs)


def _as_it_is(text: str, highlighter: Highlighter) -> str:
    masked = mask(text)
    return highlighter.html(masked.text, masked.spans)


def _beside_the_checks(line: PartLine) -> str:
    """What the line's reason says beyond its failed checks: what its calls did wrong."""
    told = "; ".join(f"{check.name}: {check.detail}" for check in line.checks if check.verdict == "fail")
    return (line.reason or "").removeprefix(told).lstrip("; ")[:_LONGEST_REASON]


def _text(value: Any) -> str:
    """What a field holds, as text: answers and extra fields may hold anything."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return "; ".join(map(_text, value))
    return json.dumps(value, ensure_ascii=False)
