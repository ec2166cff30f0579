"""How long a translation may be, in characters, whether it visibly breaks off, and whether it has fewer
sentences than its source."""

from __future__ import annotations

import re
from functools import lru_cache

from handlers.domain.language_names import primary_subtag
from handlers.domain.writing_systems import scripts_of
from handlers.rare_pattern import rare_pattern
from handlers.tasks.translation.scripts import letters

_PER_IDEA = {"zh": 1.0, "yue": 1.0, "ja": 1.6, "ko": 1.9, "th": 3.6, "he": 3.3, "ar": 3.5, "en": 4.2}
"""Characters for what one Chinese character says; measured on 60 reference pairs for English (3.5 to 5.9
an abstract, spaces included), estimated for the others."""
_OTHER = 4.6
_split = str.split
_BAND = rare_pattern(r"染色体(?:[长短]臂)?[0-9一二三四]{0,2}区?[0-9一二三四五六七八]{0,2}(?:带|区)?")
"""``第7号染色体长臂3区1带`` is ``7q31``."""
_SHORTEST, _LONGEST = 0.6, 2.5
_SLACK_BELOW, _SLACK_ABOVE = 14.0, 60.0
_ENDS = "。.!?！？…"
_CLOSING = " \t\n\"'”’)）]】」』》>"
_DANGLING = frozenset(
    _split(
        "a an the of and or in on at to for from with by as is are was were be that which than into between "
        "both such its their this these et de la le les und der die das"
    )
)
_KEPT = re.compile(r"[A-Za-z0-9]+")
_LAST_WORD = re.compile(r"([A-Za-z]+)\W*\Z")
_LATIN = re.compile(r"[.!?](?=[\"”’)\]]{0,2}(?:\s+[\"“(\[\x00]?[A-Z\x00]|\s*\Z))")
_CHINESE_ENDS = ("。", "！", "？")
_PAUSES = (*_CHINESE_ENDS, "；", "：", *(mark + after for mark in ".!?;:" for after in ' \n"”)\x00'))
_SHORT_FOR_CHINESE, _SHORT_FOR_OTHERS = 0.95, 0.85
"""Of the expected length. A translation from Chinese has as many stops as its source, or more: so all of the
reference pairs; one into Chinese joins sentences more freely."""
_BREAKS = ",;:，；：、（(-–—"


def expected_length(source: str, source_language: str, target_language: str) -> float:
    """Characters that a translation of a text without placeholders would have. What is not in the
    source's script (Latin names, digits) stays as long as it is."""
    scripts = scripts_of(source_language)
    if "染色体" in source and "臂" in source:
        source = _BAND.sub("染", source)
    own = letters(source, scripts)
    ratio = _density(target_language) / _density(source_language)
    if "latin" in scripts:
        return len(source) * ratio
    return own * ratio + sum(map(len, _KEPT.findall(source)))


def bounds(expected: float) -> tuple[float, float]:
    """Shortest and longest length that is believed; wide for short texts."""
    return _SHORTEST * expected - _SLACK_BELOW, _LONGEST * expected + _SLACK_ABOVE


def breaks_off(source: str, text: str, expected: float) -> bool:
    """The source ends its sentence and the answer does not: in the middle of a phrase, or early."""
    if not _ends(source) or _ends(text):
        return False
    tail = text.rstrip()[-40:]
    if tail.endswith(tuple(_BREAKS)):
        return True
    word = _LAST_WORD.search(tail)
    return len(text) < 0.8 * expected or (word is not None and word[1].lower() in _DANGLING)


def fewer_sentences(source: str, answer: str, expected: float) -> tuple[int, int] | None:
    """Sentences of the source and stops of the answer if one seems to be missing. Texts are without
    placeholders; ``expected``: characters that the translation would have."""
    chinese = "。" in source
    if len(answer) >= expected * (_SHORT_FOR_CHINESE if chinese else _SHORT_FOR_OTHERS):
        return None
    wanted = sum(map(source.count, _CHINESE_ENDS)) if chinese else len(_LATIN.findall(source))
    if wanted < 2 or answer.count(". ") >= wanted:
        return None
    there = sum(map(answer.count, _PAUSES)) + (answer[-1:] in tuple(".!?;:"))
    return (wanted, there) if there < wanted else None


def _ends(text: str) -> bool:
    return text[-40:].rstrip(_CLOSING).endswith(tuple(_ENDS))


@lru_cache(maxsize=256)
def _density(language: str) -> float:
    return _PER_IDEA.get(primary_subtag(language), _OTHER)
