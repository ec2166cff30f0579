"""Neighbouring segments asked in one request: the unit of work of a body."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from handlers.tasks.translation.masking.masking import PLACEHOLDER
from handlers.tasks.translation.passages.body_segments import BodySegment
from handlers.tasks.translation.passages.weights import (
    MOST_PLACEHOLDERS,
    MOST_SEGMENTS,
    PASSAGE_WEIGHT,
    placeholders,
    weight,
)


@dataclass(frozen=True)
class Passage:
    """``key``: ``body/0``, ``body/1`` ... in reading order. Placeholders are numbered from 1 through all
    its segments."""

    key: str
    segments: tuple[BodySegment, ...]
    weight: int

    def texts(self) -> dict[str, str]:
        """Masked texts by the segments' keys, as they are asked."""
        texts: dict[str, str] = {}
        before = 0
        for segment in self.segments:
            texts[segment.key] = _numbered_from(segment.masked.text, before)
            before += len(segment.masked.spans)
        return texts

    def spans(self) -> tuple[str, ...]:
        """What placeholder 1 stands for, and 2 ..."""
        return tuple(span for segment in self.segments for span in segment.masked.spans)


def passages(segments: Iterable[BodySegment]) -> Iterator[Passage]:
    """The segments in order, each in one passage: as many as weigh about a thousand tokens."""
    group: list[BodySegment] = []
    total = marks = number = 0
    for segment in segments:
        its_weight, its_marks = weight(segment.masked.text), placeholders(segment.masked.text)
        full = len(group) >= MOST_SEGMENTS or marks + its_marks > MOST_PLACEHOLDERS
        if group and (full or total + its_weight > PASSAGE_WEIGHT):
            yield _passage(number, group, total)
            group, total, marks, number = [], 0, 0, number + 1
        group.append(segment)
        total, marks = total + its_weight, marks + its_marks
    if group:
        yield _passage(number, group, total)


def _passage(number: int, group: Sequence[BodySegment], total: int) -> Passage:
    return Passage(f"body/{number}", tuple(group), total)


def _numbered_from(masked: str, before: int) -> str:
    if not before or "⟦" not in masked:
        return masked
    return PLACEHOLDER.sub(lambda match: f"⟦{int(match[1]) + before}⟧", masked)
