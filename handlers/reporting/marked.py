"""A text of a paper or a model as HTML: escaped, formulas as MathML, findings marked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

from handlers.reporting.findings import Mark
from handlers.reporting.mathml import is_formula, to_mathml
from handlers.tasks.masking import PLACEHOLDER, mask


def to_marked_html(text: str, marks: Sequence[Mark] = (), spans: Sequence[Mark] = ()) -> str:
    """HTML for the inside of a block. ``marks`` are looked for in the prose, ``spans`` among the formulas
    and other masked pieces. Nothing of the text comes out as markup.
    """
    masked = mask(text)
    by_span = {mark.text: mark.check for mark in spans}
    needles = _Needles(marks)
    pieces: list[str] = []
    at = 0
    for number, match in zip(range(len(masked.spans)), PLACEHOLDER.finditer(masked.text), strict=False):
        span = masked.spans[number]
        pieces += (needles.marked(masked.text[at : match.start()]), _span(span, _check_of(span, by_span)))
        at = match.end()
    pieces.append(needles.marked(masked.text[at:]))
    return "".join(pieces)


def _check_of(span: str, by_span: dict[str, str]) -> str | None:
    """A verdict quotes the first sixty characters of a long span."""
    return by_span.get(span) or by_span.get(span[:60])


def _span(span: str, check: str | None) -> str:
    inner = escape(span)
    if is_formula(span):
        formula = to_mathml(span)
        inner = formula if formula is not None else f'<code class="tex">{inner}</code>'
    return inner if check is None else f'<mark data-check="{escape(check)}">{inner}</mark>'


class _Needles:
    """Finds marks in prose, the longest first; numbers only where no digit touches them."""

    def __init__(self, marks: Sequence[Mark]) -> None:
        self._checks = {mark.text.lower(): mark.check for mark in marks if mark.text.strip()}
        texts = sorted(self._checks, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(_whole, texts)), re.IGNORECASE) if texts else None

    def marked(self, prose: str) -> str:
        if self._pattern is None or not prose:
            return escape(prose)
        return "".join(self._pieces(prose, self._pattern))

    def _pieces(self, prose: str, pattern: re.Pattern[str]) -> Iterator[str]:
        at = 0
        for match in pattern.finditer(prose):
            check = self._checks.get(match[0].lower(), "")
            yield escape(prose[at : match.start()])
            yield f'<mark data-check="{escape(check)}">{escape(match[0])}</mark>'
            at = match.end()
        yield escape(prose[at:])


def _whole(text: str) -> str:
    before = r"(?<![0-9.])" if text[0].isdigit() else ""
    after = r"(?![0-9])" if text[-1].isdigit() else ""
    return before + re.escape(text) + after
