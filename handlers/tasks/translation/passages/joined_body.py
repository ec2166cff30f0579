"""A translated body: the source with its segments replaced, everything between them byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from handlers.tasks.translation.passages.body_segments import BodyPlan, BodySegment
from handlers.tasks.translation.segment import glue


@dataclass(frozen=True)
class JoinedBody:
    """``ends``: where each block of the source ends in the joined text."""

    text: str
    ends: tuple[int, ...]


def join_body(body: str, plan: BodyPlan, texts: Mapping[str, str]) -> JoinedBody:
    """``texts`` has translations by the segments' keys, spans put back; a segment without one is copied."""
    by_block: dict[int, list[BodySegment]] = {}
    for number, segment in plan.segments:
        by_block.setdefault(number, []).append(segment)
    written: list[str] = []
    ends: list[int] = []
    at = length = 0
    for number, block in enumerate(plan.blocks):
        piece = body[at : block.start] + _block(body, plan, number, by_block.get(number, []), texts)
        written.append(piece)
        length += len(piece)
        ends.append(length)
        at = block.end
    written.append(body[at:])
    return JoinedBody("".join(written), tuple(ends))


def _block(
    body: str, plan: BodyPlan, number: int, segments: list[BodySegment], texts: Mapping[str, str]
) -> str:
    """The pieces of a long text are put together with a space where words would run together; between cells
    stands what stood there."""
    block = plan.blocks[number]
    prose = block.kind not in ("html_table", "pipe_table")
    pieces: list[str] = []
    at = block.start
    for segment in segments:
        pieces.append(body[at : segment.start])
        source = body[segment.start : segment.end]
        pieces.append(texts.get(segment.same_as or segment.key, source))
        at = segment.end
    pieces.append(body[at : block.end])
    return glue(pieces) if prose and len(segments) > 1 else "".join(pieces)
