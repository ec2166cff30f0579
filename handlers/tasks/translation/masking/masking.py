"""What must come back byte for byte is taken out of the text before a model sees it.

A masked span is replaced by ``⟦N⟧``. Nested constructs are one span, the outermost. Each finder
lists its constructs in one linear pass; overlaps go to the one that starts first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from handlers.tasks.translation.masking import markup
from handlers.tasks.translation.masking.dollars import Span, dollar_spans

MASKING_VERSION = "2"
FIRST_MASKING = "1"
"""Runs that it began go on with it. It knows few prices in dollars, no tags of JATS or namespaces, and
no address right after an ideograph; all other texts are masked the same."""
MASKINGS = (MASKING_VERSION, FIRST_MASKING)

_MAX_DIGITS = 9
PLACEHOLDER = re.compile(r"⟦(\d+)⟧", re.ASCII)


@dataclass(frozen=True, slots=True)
class Masked:
    """``spans[i]`` stands in ``text`` as placeholder ``first + i``, in reading order."""

    text: str
    spans: tuple[str, ...]


def mask(text: str, first: int = 1, version: str = MASKING_VERSION) -> Masked:
    """Replace mathematics, citations, references, links, code and tags by numbered placeholders.

    What is left of hostile or broken markup stays text. Linear in the text; ``unmask`` undoes it
    for every string.
    """
    if "$" not in text and not markup.SIGNS.search(text):  # most titles and keywords
        return Masked(text, ())
    pieces: list[str] = []
    spans: list[str] = []
    at = 0
    for number, (start, end) in enumerate(_outermost(text, version), start=first):
        pieces += (text[at:start], f"⟦{number}⟧")
        spans.append(text[start:end])
        at = end
    pieces.append(text[at:])
    return Masked("".join(pieces), tuple(spans))


def unmask(text: str, spans: Sequence[str], first: int = 1) -> str:
    """Put the spans back. Placeholders with a number that was not given out are left as they are."""
    if not spans:
        return text

    def span(match: re.Match[str]) -> str:
        # A long text is put back piece by piece: a table of all its spans for each would be a square.
        number = match[1]
        place = int(number) - first if len(number) <= _MAX_DIGITS else -1
        return spans[place] if 0 <= place < len(spans) and str(place + first) == number else match[0]

    return PLACEHOLDER.sub(span, text)


def _outermost(text: str, version: str) -> Iterator[Span]:
    """Disjoint spans in reading order: of two that overlap, the one that starts first, then the longer."""
    reached = 0
    for start, end in sorted((start, -end) for start, end in _constructs(text, version)):
        if start >= reached:
            yield start, -end
            reached = -end


def _constructs(text: str, version: str) -> Iterator[Span]:
    is_first = version == FIRST_MASKING
    if "$" in text:
        yield from dollar_spans(text, prices=not is_first)
    for finder in markup.FIRST_FINDERS if is_first else markup.FINDERS:
        for sign in finder.signs:
            if sign in text:
                yield from finder.spans(text)
                break
