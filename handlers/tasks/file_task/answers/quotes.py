"""Whether a quotation stands word for word in a text, whatever its white space, quotes, dashes and widths."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

_MARKS: dict[str, str] = dict.fromkeys("“”„‟«»‘’‚‛'`´‹›「」『』《》〈〉＂＇", '"') | dict.fromkeys(
    "‐‑‒–—―−﹣－_", "-"
)
_PLAIN = str.maketrans(_MARKS)
_BETWEEN = "\x00"
_TRIMMED = '".…,;'
_LEAST = 2
"""Letters and digits of a quotation: one stands in any text, and shows nothing."""
_LOOKED_AT = 200
"""Places of a quotation within longer words that are looked at."""


class QuotedSource:
    """Texts in which quotations are looked for. Linear in them and in each quotation."""

    def __init__(self, texts: Iterable[str]) -> None:
        pieces = [_squeezed(text) for text in texts]
        self._whole = {text for text, _ in pieces}
        self._text = _BETWEEN.join(text for text, _ in pieces)
        self._starts: set[int] = set()
        offset = 0
        for text, starts in pieces:
            self._starts.update(offset + start for start in starts)
            offset += len(text) + 1

    def holds(self, quote: str) -> bool:
        """Whether it stands there, beginning and ending where words do. An empty quotation stands nowhere,
        one of a single letter only where the text is no more."""
        wanted = _squeezed(quote.replace(_BETWEEN, ""))[0].strip(_TRIMMED)
        if not wanted or (sum(map(str.isalnum, wanted)) < _LEAST and wanted not in self._whole):
            return False
        at = -1
        for _ in range(_LOOKED_AT):
            at = self._text.find(wanted, at + 1)
            if at < 0 or (self._is_edge(at) and self._is_edge(at + len(wanted))):
                break
        return at >= 0 and self._is_edge(at) and self._is_edge(at + len(wanted))

    def _is_edge(self, place: int) -> bool:
        """Whether no word goes on from before a place to behind it."""
        if place in self._starts or not 0 < place < len(self._text):
            return True
        return not (_joins(self._text[place - 1]) and _joins(self._text[place]))


def _joins(character: str) -> bool:
    """Whether words are made of it and of what is beside it: ideographs and kana are words of their own."""
    if not character.isalnum():
        return unicodedata.category(character).startswith("M")
    return not any(low <= ord(character) <= high for low, high in _UNSPACED)


_UNSPACED = (
    (0x0E00, 0x0EFF), (0x0F00, 0x0FFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF),
    (0x3400, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF),
)  # fmt: skip
"""Scripts that write words without a space between them, or particles joined to them (Thai, Lao, Tibetan,
Burmese, Khmer, kana, Han, Hangul)."""


def _squeezed(text: str) -> tuple[str, list[int]]:
    """Without white space, and where in it the words begin that had some before them."""
    words = unicodedata.normalize("NFKC", text.translate(_PLAIN)).translate(_PLAIN).split()
    starts, at = [], 0
    for word in words:
        starts.append(at)
        at += len(word)
    return "".join(words), starts
