"""The places in a text that the gate's verdicts speak of, read out of their sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from handlers.domain.paper import Paper
from handlers.domain.result import Check
from handlers.tasks.translation.masking.masking import MASKING_VERSION, mask
from handlers.tasks.translation.policy import has_words, source_language
from handlers.tasks.translation.segment import segments

_SENTENCE = re.compile(
    r'In "([a-z]{1,20}(?:/[0-9]{1,6}){0,2})" ((?:(?! In "[a-z/0-9]{1,34}" ).){1,2000})', re.DOTALL
)
_NUMBERS = re.compile(
    r"(missing or changed|that the source has not): ([^:]{1,700}?)(?: and \d{1,6} more)?\.?$"
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
    """What to mark on the source's side and the translation's."""

    source: tuple[Mark, ...] = ()
    """Numbers that the answer lacks, as ``numbers.places`` names them."""
    result: tuple[Mark, ...] = ()
    numbers: tuple[Mark, ...] = ()
    """Numbers that only the answer has."""
    spans: tuple[Mark, ...] = ()
    """Formulas and other masked pieces, on both sides."""
    whole: tuple[str, ...] = ()
    """Checks that speak of the text as a whole (too short, the source repeated ...)."""


def findings(
    checks: Iterable[Check], paper: Paper, *, full_text: bool, masking: str = MASKING_VERSION
) -> dict[str, Findings]:
    """By field (``title``, ``abstract``, ``keywords``, ``body``), of all checks that did not pass."""
    by_field: dict[str, _FieldFindings] = {}
    everywhere: list[Mark] = []
    for check in checks:
        if check.name in ("placeholders", "placeholder_order") and check.verdict != "pass":
            numbers = set(_PLACEHOLDER.findall(check.detail))
            everywhere += (Mark(span, check.name) for span in _spans(paper, numbers, full_text, masking))
        for key, name, sentence in _said(check):
            by_field.setdefault(key.partition("/")[0], _FieldFindings()).add(name, sentence)
        everywhere += _changed(check)
    spans = tuple(everywhere[:_MOST])
    names = ("title", "abstract", "keywords", "body")
    return {name: by_field.get(name, _FieldFindings()).findings(spans) for name in names}


def segment_findings(checks: Iterable[Check]) -> dict[str, Findings]:
    """By key of a body's segment, of all checks that did not pass."""
    by_key: dict[str, _FieldFindings] = {}
    everywhere: list[Mark] = []
    for check in checks:
        for key, name, sentence in _said(check):
            by_key.setdefault(key, _FieldFindings()).add(name, sentence)
        everywhere += _changed(check)
    return {key: found.findings(tuple(everywhere[:_MOST])) for key, found in by_key.items()}


def _said(check: Check) -> Iterator[tuple[str, str, str]]:
    """(key of the segment, check, what it says of it)."""
    if check.verdict != "pass" and check.name not in ("placeholders", "placeholder_order", "mathematics"):
        for key, sentence in _SENTENCE.findall(check.detail):
            yield key, check.name, sentence


def _changed(check: Check) -> Iterator[Mark]:
    """Formulas that an answer changed, which are marked on both sides."""
    if check.name == "mathematics" and check.verdict != "pass":
        yield from (Mark(span, check.name) for span in _SPAN.findall(check.detail))


class _FieldFindings:
    """What the checks say of one field."""

    def __init__(self) -> None:
        self._source: list[Mark] = []
        self._result: list[Mark] = []
        self._numbers: list[Mark] = []
        self._whole: list[str] = []

    def add(self, check: str, sentence: str) -> None:
        if check == "numbers":
            for what, listed in _NUMBERS.findall(sentence):
                side = self._source if what.startswith("missing") else self._numbers
                side += (Mark(item, check) for item in listed.split(", ") if item)
            return
        quoted = [Mark("".join(found), check) for found in _QUOTED.findall(sentence)]
        self._result += quoted
        if not quoted and check not in self._whole:
            self._whole.append(check)

    def findings(self, spans: tuple[Mark, ...]) -> Findings:
        source, result, numbers = (
            tuple(marks[:_MOST]) for marks in (self._source, self._result, self._numbers)
        )
        return Findings(source, result, numbers, spans, tuple(self._whole))


def _spans(paper: Paper, numbers: set[str], full_text: bool, masking: str) -> Iterator[str]:
    """The masked spans with these placeholder numbers; counted on through the segments that are sent."""
    language, first = source_language(paper), 1
    for segment in segments(paper, full_text, masking) if numbers else ():
        masked = mask(segment.text, first, masking)
        if not has_words(masked.text, language):
            continue
        yield from (span for number, span in enumerate(masked.spans, start=first) if str(number) in numbers)
        first += len(masked.spans)
