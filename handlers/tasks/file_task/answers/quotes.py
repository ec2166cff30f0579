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


class QuotedSource:
    """Texts in which quotations are looked for. Linear in them and in each quotation."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._text = _BETWEEN.join(map(_squeezed, texts))

    def holds(self, quote: str) -> bool:
        """An empty quotation stands nowhere."""
        wanted = _squeezed(quote.replace(_BETWEEN, "")).strip(_TRIMMED)
        return bool(wanted) and wanted in self._text


def _squeezed(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text.translate(_PLAIN)).translate(_PLAIN).split())
