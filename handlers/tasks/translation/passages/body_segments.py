"""A body as the texts that are translated by themselves, and what of it is kept by which rule.

A segment is a block less what is structure: marks of headings, lists and quotes, white space at both ends.
Each is masked by itself, so that a stray dollar costs its own segment's reading and no other's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from handlers.domain.coverage import Coverage
from handlers.tasks.translation.masking.masking import MASKING_VERSION, Masked, mask, unmask
from handlers.tasks.translation.passages.blocks import Block, blocks
from handlers.tasks.translation.passages.reference_rule import (
    ends_in_references_heading,
    is_reference,
    is_references_heading,
)
from handlers.tasks.translation.passages.table_cells import cell_texts, is_half
from handlers.tasks.translation.passages.weights import pieces_of_weight
from handlers.tasks.translation.policy import has_words

_BY_KIND = {"mathematics": "mathematics", "environment": "mathematics", "image": "image", "code": "code"}
_TABLES = ("html_table", "pipe_table")
_DOLLAR = re.compile(r"\\.|\$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class BodySegment:
    """A text of the body from ``start`` to ``end``. ``key``: ``body/17`` for block 17, ``body/17/0`` ... for
    pieces of a long one and for cells of a table. Placeholders are numbered from 1."""

    key: str
    start: int
    end: int
    masked: Masked
    same_as: str = ""
    """Key of an earlier cell with the same text, which is sent in its place."""


@dataclass(frozen=True)
class BodyPlan:
    """What becomes of a body: its blocks, the rule by which each is kept ("" where something of it is sent),
    and the segments in reading order, each with the number of its block."""

    blocks: tuple[Block, ...]
    kept: tuple[str, ...]
    segments: tuple[tuple[int, BodySegment], ...]
    notes: dict[str, int] = field(default_factory=dict)

    @property
    def sent(self) -> list[BodySegment]:
        return [segment for _, segment in self.segments if not segment.same_as]

    @property
    def coverage(self) -> Coverage:
        kept = Counter(rule for rule in self.kept if rule)
        return Coverage(translated=len(self.segments), kept=dict(sorted(kept.items())), notes=self.notes)


def plan_body(body: str, language: str, masking: str = MASKING_VERSION) -> BodyPlan:
    """Cut a body in the source ``language`` (a BCP 47 tag) into kept blocks and segments. Linear.
    ``masking``: the run's version of it."""
    reader = _Reader(body, language, masking)
    found = blocks(body)
    listed = False
    kept: list[str] = []
    segments: list[tuple[int, BodySegment]] = []
    notes: Counter[str] = Counter()
    for number, block in enumerate(found):
        text = body[block.inner : block.inner_end]
        if block.kind == "heading" or is_references_heading(text):
            listed = is_references_heading(text)
        elif ends_in_references_heading(text):
            listed = True
        mine: list[BodySegment] = []
        rule = _BY_KIND.get(block.kind, "")
        if not rule and block.kind in _TABLES:
            mine, rule = list(reader.cells(block, f"body/{number}")), "table"
            notes["half_table"] += is_half(body, block)
        elif not rule and _is_entry(body, block, listed=listed):
            rule = "reference"
        elif not rule:
            mine, rule = list(reader.pieces(text, block, f"body/{number}")), "other_language"
            notes["odd_dollars"] += bool(mine) and _odd_dollars(text)
        kept.append("" if mine else rule)
        segments += [(number, segment) for segment in mine]
    odd = {name: count for name, count in sorted(notes.items()) if count}
    return BodyPlan(tuple(found), tuple(kept), tuple(segments), odd)


class _Reader:
    """Finds the segments of one body's blocks."""

    def __init__(self, body: str, language: str, masking: str) -> None:
        self._body = body
        self._language = language
        self._masking = masking
        self._cells: dict[str, str] = {}
        """Key of the first cell by its text."""

    def pieces(self, text: str, block: Block, key: str) -> Iterator[BodySegment]:
        """The block's text, in pieces where it is too long for one passage."""
        masked = self._masked(text)
        if not has_words(masked.text, self._language):
            return
        parts = pieces_of_weight(masked.text)
        start = block.inner
        for number, part in enumerate(parts):
            end = start + len(unmask(part, masked.spans))
            source = self._body[start:end]
            left = len(source) - len(source.lstrip())
            piece = masked if len(parts) == 1 else self._masked(source.strip())
            if has_words(piece.text, self._language):
                name = key if len(parts) == 1 else f"{key}/{number}"
                yield BodySegment(name, start + left, start + len(source.rstrip()), piece)
            start = end

    def cells(self, block: Block, key: str) -> Iterator[BodySegment]:
        """Cells with words; of equal ones the first alone is sent, in the whole paper."""
        for number, (start, end) in enumerate(cell_texts(self._body, block)):
            text = self._body[start:end]
            masked = self._masked(text)
            if has_words(masked.text, self._language):
                name = f"{key}/{number}"
                first = self._cells.setdefault(text, name)
                yield BodySegment(name, start, end, masked, "" if first == name else first)

    def _masked(self, text: str) -> Masked:
        return mask(text, version=self._masking)


def _is_entry(body: str, block: Block, *, listed: bool) -> bool:
    """Whether a block is one of a bibliography, its number included, which may be a list's mark."""
    return block.kind != "heading" and is_reference(body[block.start : block.inner_end], listed=listed)


def _odd_dollars(text: str) -> bool:
    return "$" in text and sum(match[0] == "$" for match in _DOLLAR.finditer(text)) % 2 == 1
