"""What becomes of a body before anything is asked: a line for each of its segments and kept blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from handlers.counted import counted
from handlers.reporting.plain import plain
from handlers.tasks.translation.passages.body_segments import BodyPlan, BodySegment
from handlers.tasks.translation.passages.passages import passages
from handlers.tasks.translation.passages.weights import weight

_EXCERPT = 40
_SHOWN = 200
"""Segments and kept blocks: more of them nobody reads."""


def segment_lines(body: str, plan: BodyPlan) -> Iterator[str]:
    """A head line, and then in reading order key, kind, tokens, and whether it is sent, in which passage, or
    kept by which rule, with the beginning of its text; of many the first, and how many more there are.
    Nothing of the text is more than text."""
    asked_in = {segment.key: each.key for each in passages(plan.sent) for segment in each.segments}
    coverage = plan.coverage
    passages_told = counted(len(set(asked_in.values())), "passage")
    kept = counted(sum(coverage.kept.values()), "block")
    yield f"body: {counted(len(plan.segments), 'segment')} in {passages_told}, {kept} kept"
    yield _line("segment", "kind", "tokens", "what becomes of it", "")
    yield from islice(_pieces(body, plan, asked_in), _SHOWN)
    if (more := len(plan.segments) + sum(coverage.kept.values()) - _SHOWN) > 0:
        yield f"  ... and {counted(more, 'segment or block', 'segments and blocks')} more"
    for name, count in plan.notes.items():
        yield f"odd in the source: {name} {count:,}"


def _pieces(body: str, plan: BodyPlan, asked_in: Mapping[str, str]) -> Iterator[str]:
    mine: dict[int, list[BodySegment]] = {}
    for number, segment in plan.segments:
        mine.setdefault(number, []).append(segment)
    for number, block in enumerate(plan.blocks):
        if plan.kept[number]:
            text, rule = body[block.start : block.end], plan.kept[number]
            yield _line(f"block {number}", block.kind, str(weight(text)), f"kept: {rule}", text)
        for segment in mine.get(number, ()):
            text = body[segment.start : segment.end]
            what = f"as {segment.same_as}" if segment.same_as else f"passage {asked_in[segment.key]}"
            yield _line(segment.key, block.kind, str(weight(segment.masked.text)), what, text)


def _line(key: str, kind: str, tokens: str, what: str, text: str) -> str:
    return f"  {key:14} {kind:12} {tokens:>6}  {what:22} {plain(text[:_EXCERPT])}".rstrip()
