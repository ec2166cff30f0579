"""What a text weighs in a request: whole numbers, so that every machine cuts alike."""

from __future__ import annotations

from handlers.tasks.translation.masking.masking import PLACEHOLDER
from handlers.tasks.translation.segment import cut

PASSAGE_WEIGHT = 1_000
"""Tokens of one passage, about: with twice as many a paper costs 5% less and a call takes twice as long, with
half as many it costs 11% more."""
MOST_PLACEHOLDERS = 80
MOST_SEGMENTS = 60
MOST_PASSAGES = 2_000
"""Of one paper; a body of more is refused before its first call."""
_WIDE, _NARROW, _PLACEHOLDER, _KEY = 75, 28, 600, 800
"""Hundredths of a token: of a character that takes three bytes in UTF-8, of another, of ⟦1⟧, of a key."""


def weight(masked: str) -> int:
    """Tokens that a masked text with its key is reckoned to take, rounded up."""
    prose, count = PLACEHOLDER.subn("", masked) if "⟦" in masked else (masked, 0)
    size, length = len(prose.encode("utf-8", "surrogatepass")), len(prose)
    wide = min(length, (size - length) // 2)
    return -(-(wide * _WIDE + (length - wide) * _NARROW + count * _PLACEHOLDER + _KEY) // 100)


def placeholders(masked: str) -> int:
    return masked.count("⟧") if "⟦" in masked else 0


def pieces_of_weight(masked: str) -> list[str]:
    """The text in pieces that each fit a passage, cut at the ends of sentences where there are some. The
    pieces one after the other are the text, and no placeholder is cut through."""
    parts = max(-(-weight(masked) // PASSAGE_WEIGHT), -(-placeholders(masked) // MOST_PLACEHOLDERS))
    if parts <= 1:
        return [masked]
    pieces = cut(masked, max(40, -(-len(masked) // parts)), whole_words=True)
    if len(pieces) == 1:
        return pieces
    return [small for piece in pieces for small in pieces_of_weight(piece)]
