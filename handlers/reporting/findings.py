"""What the gate's verdicts point at in a text, read out of their sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from handlers.models import Check, Paper
from handlers.tasks.masking import mask
from handlers.tasks.policy import has_words, source_language
from handlers.tasks.segment import segments

_NUMBERS = re.compile(
    r"(missing or changed|that the source has not): ([^:]{1,700}?)(?: and \d{1,6} more)?\.(?= In \"|$)"
)
_QUOTED = re.compile('“([^“”]{1,80})”|says? "([^"]{1,80})"|but "([^"]{1,80})"')
_PLACEHOLDER = re.compile(r"⟦(\d{1,6})⟧")
_SPAN = re.compile(r"[\w/]{1,40}: '([^']{1,60})' stands")
_MOST = 40


@dataclass(frozen=True)
class Mark:
    """``text`` is to be shown marked wherever it stands; ``check`` is the name of who saw it."""

    text: str
    check: str


@dataclass(frozen=True)
class Findings:
    """Marks for the source's side and the translation's. ``spans`` are formulas and other masked spans."""

    source: tuple[Mark, ...] = ()
    result: tuple[Mark, ...] = ()
    spans: tuple[Mark, ...] = ()


def findings(checks: Iterable[Check], paper: Paper, *, full_text: bool) -> Findings:
    """Of all checks that did not pass. What a verdict says without naming a piece of text marks nothing."""
    source: list[Mark] = []
    result: list[Mark] = []
    spans: list[Mark] = []
    for check in checks:
        if check.verdict == "pass":
            continue
        if check.name == "numbers":
            for what, listed in _NUMBERS.findall(check.detail):
                side = source if what.startswith("missing") else result
                side += (Mark(item, check.name) for item in listed.split(", ") if item)
        elif check.name in ("placeholders", "placeholder_order"):
            numbers = set(_PLACEHOLDER.findall(check.detail))
            spans += (Mark(span, check.name) for span in _spans(paper, numbers, full_text=full_text))
        elif check.name == "mathematics":
            spans += (Mark(span, check.name) for span in _SPAN.findall(check.detail))
        else:
            result += (Mark("".join(found), check.name) for found in _QUOTED.findall(check.detail))
    return Findings(tuple(source[:_MOST]), tuple(result[:_MOST]), tuple(spans[:_MOST]))


def _spans(paper: Paper, numbers: set[str], *, full_text: bool) -> list[str]:
    """The masked spans with these placeholder numbers; counted on through the segments that are sent."""
    language, first = source_language(paper), 1
    found: list[str] = []
    for segment in segments(paper, full_text) if numbers else ():
        masked = mask(segment.text, first)
        if not has_words(masked.text, language):
            continue
        found += (span for number, span in enumerate(masked.spans, start=first) if str(number) in numbers)
        first += len(masked.spans)
    return found
