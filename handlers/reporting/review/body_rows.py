"""A whole paper's body in rows: each block of the source beside its translation, and what became of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import Literal

from handlers.counted import counted
from handlers.domain.coverage import Coverage
from handlers.domain.result import Check
from handlers.reporting.review.findings import Findings, Mark, segment_findings
from handlers.reporting.review.highlighting import Highlighter
from handlers.reporting.review.whole_text import side_by_side, to_whole_html
from handlers.tasks.translation.masking.masking import MASKING_VERSION
from handlers.tasks.translation.passages.body_segments import BodyPlan, plan_body

BLOCKS_PER_PAGE = 200
_QUOTED = 60
_MOST_QUOTED, _MOST_JUMPS = 6, 50
_KEY = re.compile(r"\bbody/([0-9]{1,6})(?:/[0-9]{1,6})?(?![0-9/])")


@dataclass(frozen=True)
class ReviewBody:
    """A body and what was made of it. All of it is text to be escaped."""

    source: str
    result: str
    ends: tuple[int, ...]
    """Where each block of the source ends in ``result``."""
    coverage: Coverage
    checks: tuple[Check, ...]
    language: str
    """The source's, as a BCP 47 tag."""
    masking: str = MASKING_VERSION
    """The run's version of it."""

    @property
    def summary(self) -> str:
        """In one sentence: ``95 segments translated, 12 blocks kept (4 reference, 8 mathematics)``."""
        coverage = self.coverage
        kept = sum(coverage.kept.values())
        rules = ", ".join(f"{count:,} {rule.replace('_', ' ')}" for rule, count in coverage.kept.items())
        parts = [f"{counted(coverage.translated, 'segment')} translated"]
        parts += [f"{counted(kept, 'block')} kept ({rules})"] if kept else []
        parts += [f"{len(coverage.flagged):,} refused"] if coverage.flagged else []
        parts += [f"{len(coverage.failed):,} failed"] if coverage.failed else []
        return ", ".join(parts)

    def told(self) -> ReviewBody:
        """Without its texts, once its pages are written."""
        return replace(self, source="", result="", ends=(), checks=())


@dataclass(frozen=True)
class BodyRow:
    """``source`` and ``result`` are HTML that is safe to put into a page; the rest is text to be escaped."""

    number: int
    """Of the block; rows are found by it."""
    source: str
    result: str
    kept: str = ""
    """Name of the rule by which it was passed through."""
    refused: tuple[str, ...] = ()
    """What the gate refused of it, or what failed: the checks' names, and beginnings of the texts."""


@dataclass(frozen=True)
class BodyPage:
    """Some of a body's rows. ``number`` counts its pages from 1."""

    rows: list[BodyRow]
    number: int
    last: int
    refused: tuple[int, ...]
    """Numbers of the body's blocks of which something is refused or failed, the first of them."""


def body_pages(whole: ReviewBody) -> Iterator[BodyPage]:
    """Every block of the source in its order. Where the ends are not those of its blocks (another version cut
    them otherwise), section beside section, on one page."""
    plan = plan_body(whole.source, whole.language, whole.masking)
    results = _results(whole, len(plan.blocks))
    if results is None:
        plain = Highlighter()
        sides = side_by_side((whole.source, plain), (whole.result, plain))
        yield BodyPage([BodyRow(number, *both) for number, both in enumerate(sides)], 1, 1, ())
        return
    refused = _refused(whole, plan)
    rows, last = _rows(whole, plan, results, refused), max(1, -(-len(results) // BLOCKS_PER_PAGE))
    for number in range(1, last + 1):
        page = list(islice(rows, BLOCKS_PER_PAGE))
        yield BodyPage(page, number, last, tuple(islice(refused, _MOST_JUMPS)))


def _rows(
    whole: ReviewBody, plan: BodyPlan, results: list[str], refused: dict[int, tuple[str, ...]]
) -> Iterator[BodyRow]:
    found, keys = segment_findings(whole.checks), _keys(plan)
    for number, (block, result) in enumerate(zip(plan.blocks, results, strict=False)):
        text = whole.source[block.start : block.end]
        seen = [found[key] for key in keys.get(number, ()) if key in found]
        source_marks = Highlighter((), _marks(seen, "spans"), _marks(seen, "source"))
        result_marks = Highlighter(_marks(seen, "result"), _marks(seen, "spans"), _marks(seen, "numbers"))
        source = to_whole_html(text, source_marks)
        is_same = result == text and not seen
        sides = source, source if is_same else to_whole_html(result, result_marks)
        yield BodyRow(number, *sides, plan.kept[number], refused.get(number, ()))
    for rest in results[len(plan.blocks) :]:
        yield BodyRow(len(plan.blocks), "", to_whole_html(rest, Highlighter()))


def _results(whole: ReviewBody, blocks: int) -> list[str] | None:
    """The translation of each block, and what stands behind the last, if anything."""
    edges = (0, *whole.ends)
    if len(whole.ends) != blocks or any(low > high for low, high in pairwise(edges)):
        return None
    rest = whole.result[edges[-1] :].strip()
    return [*(whole.result[low:high].strip() for low, high in pairwise(edges)), *([rest] if rest else [])]


def _keys(plan: BodyPlan) -> dict[int, list[str]]:
    keys: dict[int, list[str]] = {}
    for number, segment in plan.segments:
        keys.setdefault(number, []).append(segment.same_as or segment.key)
    return keys


def _refused(whole: ReviewBody, plan: BodyPlan) -> dict[int, tuple[str, ...]]:
    """Block → what is to be said of it: of a part of it, how that begins in the source."""
    speakers = _speakers(whole.checks)
    lost = dict.fromkeys(whole.coverage.failed, "failed") | dict.fromkeys(whole.coverage.flagged, "refused")
    labels: dict[int, list[str]] = {}
    for number, segment in plan.segments:
        key = segment.same_as or segment.key
        if (word := lost.get(segment.key) or lost.get(key)) is None:
            continue
        block = plan.blocks[number]
        by = f" by {', '.join(speakers[key])}" if key in speakers and word == "refused" else ""
        text = whole.source[segment.start : segment.end]
        cut = text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"
        is_part = segment.end - segment.start < block.inner_end - block.inner
        labels.setdefault(number, []).append(f"{word}{by}: “{cut}”" if is_part else f"{word}{by}")
    for number in _restructured(whole.checks):
        if number < len(plan.blocks):
            labels.setdefault(number, []).append("refused by structure")
    return {block: _shortened(told) for block, told in sorted(labels.items())}


def _restructured(checks: Sequence[Check]) -> Iterator[int]:
    """Blocks that the check of the whole paper names: they became something else."""
    for check in checks:
        if check.name == "structure" and check.verdict == "fail" and "joined" in check.detail:
            yield from dict.fromkeys(int(found[1]) for found in _KEY.finditer(check.detail))


def _shortened(told: Sequence[str]) -> tuple[str, ...]:
    rest = len(told) - _MOST_QUOTED
    return (*told[:_MOST_QUOTED], *([f"and {rest:,} more"] if rest > 0 else []))


def _speakers(checks: Sequence[Check]) -> dict[str, list[str]]:
    """Segment → checks that refuse it by its name."""
    speakers: dict[str, list[str]] = {}
    for check in checks:
        for key in dict.fromkeys(_named(check)) if check.verdict == "fail" else ():
            speakers.setdefault(key, []).append(check.name)
    return speakers


def _named(check: Check) -> Iterator[str]:
    return (found[0] for found in _KEY.finditer(check.detail))


def _marks(findings: Sequence[Findings], side: Literal["source", "result", "spans", "numbers"]) -> list[Mark]:
    return [mark for each in findings for mark in getattr(each, side)]
