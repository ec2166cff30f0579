"""A text of a paper or a model as HTML: escaped, formulas as MathML, findings marked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

from handlers.reporting.review.findings import Mark
from handlers.reporting.review.mathml import is_formula, to_mathml
from handlers.tasks.translation.gate.numbers import places
from handlers.tasks.translation.masking.masking import PLACEHOLDER, mask

_ONE = re.compile(r"(\$(?:[^$\\]|\\[^$]){1,2000}+\\?\$)")
_NUMBER = re.compile(r"[0-9.,]+")


def to_marked_html(
    text: str, marks: Sequence[Mark] = (), spans: Sequence[Mark] = (), numbers: Sequence[Mark] = ()
) -> str:
    """HTML for the inside of a block. ``marks`` are looked for in the prose, ``spans`` among the formulas
    and other masked pieces; ``numbers`` are found however they are written. Nothing of the text comes out
    as markup.
    """
    masked = mask(text)
    return Highlighter(marks, spans, numbers).html(masked.text, masked.spans)


class Highlighter:
    """Writes texts whose findings are known; see ``to_marked_html``."""

    def __init__(
        self, marks: Sequence[Mark] = (), spans: Sequence[Mark] = (), numbers: Sequence[Mark] = ()
    ) -> None:
        self._words = _pattern({mark.text.lower(): mark.check for mark in marks})
        self._checks = {mark.text.lower(): mark.check for mark in marks}
        self._spans = {mark.text: mark.check for mark in spans}
        self._numbers = {mark.text: mark.check for mark in numbers}

    def html(self, text: str, spans: Sequence[str]) -> str:
        """A masked text, or a piece of one; ``spans`` are those of the whole, numbered from 1."""
        prose = _Prose(text, self._stretches(text))
        pieces: list[str] = []
        at = 0
        for match in PLACEHOLDER.finditer(text):
            number = int(match[1]) if len(match[1]) < 9 else 0
            if not 1 <= number <= len(spans):
                continue
            span = spans[number - 1]
            pieces += (prose.marked(at, match.start()), _span(span, self._check_of(span)))
            at = match.end()
        pieces.append(prose.marked(at, len(text)))
        return "".join(pieces)

    def _check_of(self, span: str) -> str | None:
        """The check that speaks of a masked span; a verdict quotes sixty characters of a long one."""
        return self._spans.get(span) or self._spans.get(span[:60])

    def _stretches(self, text: str) -> list[tuple[int, int, str]]:
        """(start, end, check) of what is to be marked, in reading order: numbers before words."""
        found = list(_numbers(text, self._numbers)) if self._numbers else []
        for match in self._words.finditer(text) if self._words else ():
            found.append((match.start(), match.end(), self._checks.get(match[0].lower(), "")))
        return sorted(found, key=lambda stretch: stretch[0])


def _span(span: str, check: str | None) -> str:
    inner = _formula(span) if is_formula(span) else escape(span)
    return inner if check is None else _marked(inner, check)


def _formula(span: str) -> str:
    """Drawn, or its source where it cannot be; formulas that are masked together are drawn one by one."""
    parts = _ONE.split(span)
    drawn = [escape(part) if place % 2 == 0 else to_mathml(part) for place, part in enumerate(parts)]
    whole = to_mathml(span) if len(parts) < 5 else "".join(filter(None, drawn)) if None not in drawn else None
    return whole if whole is not None else f'<code class="tex">{escape(span)}</code>'


def _marked(html: str, check: str) -> str:
    return f'<mark data-check="{escape(check)}" title="{escape(check)}">{html}</mark>'


class _Prose:
    """A text with the stretches of it that are to be marked."""

    def __init__(self, text: str, stretches: list[tuple[int, int, str]]) -> None:
        self._text = text
        self._stretches = stretches
        self._next = 0

    def marked(self, start: int, end: int) -> str:
        """The text between two positions as HTML. To be asked for in reading order."""
        pieces: list[str] = []
        at = start
        for low, high, check in self._between(start, end):
            if low < at or high > end:  # lies in another mark, or reaches over a formula
                continue
            pieces += (escape(self._text[at:low]), _marked(escape(self._text[low:high]), check))
            at = high
        return "".join(pieces) + escape(self._text[at:end])

    def _between(self, start: int, end: int) -> Iterator[tuple[int, int, str]]:
        while self._next < len(self._stretches) and self._stretches[self._next][0] < end:
            stretch = self._stretches[self._next]
            self._next += 1
            if stretch[0] >= start:
                yield stretch


def _numbers(text: str, checks: dict[str, str]) -> Iterator[tuple[int, int, str]]:
    prose = PLACEHOLDER.sub(lambda match: "\x00" * len(match[0]), text)  # their digits are no numbers
    for start, end, mention in places(prose):
        check = checks.get(mention) or checks.get(mention[:80])  # as much of it as a verdict tells
        if check is not None:
            yield start, end, check
        elif (bare := _NUMBER.match(mention)) and bare[0] in checks:  # an earlier version left its unit out
            yield start, start + len(bare[0]), checks[bare[0]]


def _pattern(checks: dict[str, str]) -> re.Pattern[str] | None:
    """Finds the longest of the words."""
    known = sorted((word for word in checks if word.strip()), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, known)), re.IGNORECASE) if known else None
