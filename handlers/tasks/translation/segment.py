"""A paper as the texts that are translated one by one, and back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from handlers.domain.paper import Paper
from handlers.rare_pattern import rare_pattern
from handlers.tasks.translation.masking.masking import MASKING_VERSION, mask, unmask

LONGEST = 6_000
"""Characters of one segment, masked; only bodies and freak abstracts are longer than this and cut."""

_END = rare_pattern(r"\n\s*+|[。！？；]+|[.!?;]+\s++|[,，、]\s*+|\s++")
_INSIDE = re.compile(r".?[0-9A-Za-z][0-9A-Za-z].?|[0-9][.,][0-9].?|.?[0-9][.,][0-9]", re.DOTALL)
"""Two characters before a place and two after it, within a word or a number."""
_RANK = {"\n": 5, "。": 4, "！": 4, "？": 4, ".": 3, "!": 3, "?": 3, "；": 2, ";": 2}


@dataclass(frozen=True)
class Segment:
    """``key``: ``title``, ``abstract``, ``keywords/0`` ...; a field that is cut has ``abstract/0``,
    ``abstract/1`` ... whose texts one after the other are the field's text."""

    key: str
    text: str


def segments(paper: Paper, full_text: bool, masking: str = MASKING_VERSION) -> tuple[Segment, ...]:
    """What could be translated of a paper, in reading order; empty fields are left out."""
    return tuple(segment for _, segment in _segments(paper, full_text, masking))


def join(
    paper: Paper, full_text: bool, texts: Mapping[str, str], masking: str = MASKING_VERSION
) -> dict[str, Any]:
    """Fields of a result: ``title``, ``abstract``, ``keywords`` (as many as the source has), ``body``.

    ``texts`` has the translations by key; a segment without one is copied from the paper.
    """
    pieces: dict[str, list[str]] = {}
    for name, segment in _segments(paper, full_text, masking):
        pieces.setdefault(name, []).append(texts.get(segment.key, segment.text))
    whole = {name: glue(parts) for name, parts in pieces.items()}
    fields: dict[str, Any] = {name: whole.get(name, "") for name in ("title", "abstract")}
    fields["keywords"] = [whole.get(f"keywords/{i}", word) for i, word in enumerate(paper.keywords)]
    if "body" in whole:
        fields["body"] = whole["body"]
    return fields


def _segments(paper: Paper, full_text: bool, masking: str) -> Iterator[tuple[str, Segment]]:
    """(field, segment) pairs; a keyword is a field ``keywords/0``."""
    fields = {"title": paper.title, "abstract": paper.abstract}
    fields |= {f"keywords/{index}": word for index, word in enumerate(paper.keywords)}
    if full_text and paper.body:
        fields["body"] = paper.body
    for name, text in fields.items():
        for segment in _field(name, text, masking):
            yield name, segment


def _field(name: str, text: str, masking: str) -> Iterator[Segment]:
    if not text.strip():
        return
    if len(text) <= LONGEST:
        yield Segment(name, text)
        return
    masked = mask(text, version=masking)
    for index, piece in enumerate(cut(masked.text, LONGEST)):
        yield Segment(f"{name}/{index}", unmask(piece, masked.spans))


def cut(text: str, longest: int, *, whole_words: bool = False) -> list[str]:
    """Pieces of at most ``longest`` characters, cut at the best place in the second half of each.

    The pieces one after the other are the text. No placeholder is cut through, and with ``whole_words`` no
    number and no word in Latin letters, unless it alone fills half a piece.
    """
    pieces: list[str] = []
    start = 0
    while len(text) - start > longest:
        end = _best_end(text, start + longest // 2, start + longest)
        if whole_words:
            end = _before_word(text, start + longest // 2, end)
        pieces.append(text[start:end])
        start = end
    pieces.append(text[start:])
    return pieces


def _before_word(text: str, low: int, end: int) -> int:
    """Where the word or number begins that a cut at ``end`` would go through: after ``low``, else ``end``."""
    at = end
    while at > low and _INSIDE.fullmatch(text, at - 2, at + 2):
        at -= 1
    return at if at > low else end


def halves(text: str) -> tuple[str, str] | None:
    """The text in two, at the best place in its middle third; None if it is too short for that."""
    third = len(text) // 3
    if third < 20:
        return None
    end = _best_end(text, third, len(text) - third)
    return text[:end], text[end:]


def sentences(text: str) -> list[str]:
    """Cut after each full stop, question or exclamation mark and line break."""
    pieces: list[str] = []
    start = 0
    for match in _END.finditer(text):
        if _RANK.get(match[0][0], 0) >= 3:
            pieces.append(text[start : match.end()])
            start = match.end()
    return [*pieces, text[start:]] if start < len(text) else pieces


def glue(pieces: Sequence[str]) -> str:
    """Translated pieces in one text, with a space where two words would run together."""
    joined: list[str] = []
    for piece in pieces:
        if joined and piece and _run_together(joined[-1][-1], piece[0]):
            joined.append(" ")
        if piece:
            joined.append(piece)
    return "".join(joined)


def _run_together(left: str, right: str) -> bool:
    return (left.isascii() and not left.isspace() and left not in "([{\"'/-") and (
        right.isascii() and (right.isalnum() or right in "([")
    )


def _best_end(text: str, low: int, high: int) -> int:
    """Position of the cut in (low, high]: after a line break, else a sentence, else anything."""
    best, rank = high, -1
    for match in _END.finditer(text, low, high):
        this_rank = _RANK.get(match[0][0], 1)
        if this_rank >= rank and match.end() > low:
            best, rank = match.end(), this_rank
    if rank < 0:
        opened = text.rfind("⟦", low, high)
        if opened > low and "⟧" not in text[opened:high]:
            best = opened
    return best
