"""A body cut into stretches of its own text, each for one request, by the blocks that translation finds.

A formula, a table, code or an environment is one block and never cut through; prose that is too long for a
passage is cut at the ends of sentences. Bibliographies and bare images are left out. The text is the body's
own, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from handlers.tasks.translation.masking.masking import mask, unmask
from handlers.tasks.translation.passages.blocks import Block
from handlers.tasks.translation.passages.body_segments import plan_body
from handlers.tasks.translation.passages.weights import PASSAGE_WEIGHT, pieces_of_weight, weight

_LEFT_OUT = ("reference", "image")
_WHOLE = frozenset({"mathematics", "environment", "code", "image", "html_table", "pipe_table"})
_SECTION = 200
"""Characters of a heading."""
_NEARLY_FULL = 0.6
"""Of a passage, from which on a heading begins the next one."""


@dataclass(frozen=True)
class BodyStretch:
    """``key``: ``body/0``, ``body/1`` ... in reading order. ``section``: the heading that it stands under."""

    key: str
    text: str
    section: str
    weight: int


@dataclass
class _Open:
    """A passage that is being filled: its pieces by (start, end) in the body."""

    spans: list[tuple[int, int]] = field(default_factory=list)
    section: str = ""
    weight: int = 0
    has_text: bool = False
    """Whether more than headings is in it."""


def body_stretches(body: str, language: str) -> Iterator[BodyStretch]:
    """Those with a word in them beside headings. ``language``: a BCP 47 tag. Linear in the body."""
    number = 0
    for each in _filled(body, language):
        text = _text_of(body, each.spans)
        if each.has_text and any(map(str.isalpha, text)):
            yield BodyStretch(f"body/{number}", text, each.section, each.weight)
            number += 1


def _filled(body: str, language: str) -> Iterator[_Open]:
    section, open_now = "", _Open()
    for block, span in _pieces(body, language):
        size = weight(body[span[0] : span[1]])
        begins = block.kind == "heading" and open_now.weight > _NEARLY_FULL * PASSAGE_WEIGHT
        if open_now.spans and (begins or open_now.weight + size > PASSAGE_WEIGHT):
            yield open_now
            open_now = _Open()
        if block.kind == "heading":
            section = body[block.inner : block.inner_end].strip()[:_SECTION]
        if not open_now.spans:
            open_now.section = section
        open_now.spans.append(span)
        open_now.weight += size
        open_now.has_text = open_now.has_text or block.kind != "heading"
    if open_now.spans:
        yield open_now


def _pieces(body: str, language: str) -> Iterator[tuple[Block, tuple[int, int]]]:
    """What is asked about, in order, each piece with its block."""
    plan = plan_body(body, language)
    for block, kept in zip(plan.blocks, plan.kept, strict=True):
        if kept in _LEFT_OUT:
            continue
        text = body[block.start : block.end]
        if block.kind in _WHOLE or weight(text) <= PASSAGE_WEIGHT:
            yield block, (block.start, block.end)
            continue
        masked = mask(text)
        start = block.start
        for part in pieces_of_weight(masked.text):
            end = start + len(unmask(part, masked.spans))
            yield block, (start, end)
            start = end


def _text_of(body: str, spans: list[tuple[int, int]]) -> str:
    """As it stands in the body; between stretches of it that something was left out of, an empty line."""
    joined: list[list[int]] = []
    for start, end in spans:
        if joined and not body[joined[-1][1] : start].strip():
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return "\n\n".join(body[start:end].strip("\n") for start, end in joined)
