"""Whether a sentence is missing where no number tells: fewer sentences, and a text that is short for them."""

from __future__ import annotations

import re

_LATIN = re.compile(r"[.!?](?=[\"”’)\]]{0,2}(?:\s+[\"“(\[\x00]?[A-Z\x00]|\s*\Z))")
_CHINESE_ENDS = ("。", "！", "？")
_PAUSES = (*_CHINESE_ENDS, "；", "：", *(mark + after for mark in ".!?;:" for after in ' \n"”)\x00'))
_SHORT_FOR_CHINESE, _SHORT_FOR_OTHERS = 0.95, 0.85
"""Of the expected length. A translation from Chinese has as many stops as its source, or more: so all of the
reference pairs; one into Chinese joins sentences more freely."""


def fewer_sentences(source: str, answer: str, expected: float) -> tuple[int, int] | None:
    """Sentences of the source and stops of the answer if one seems to be missing. Texts are without
    placeholders; ``expected``: characters that the translation would have."""
    chinese = "。" in source
    if len(answer) >= expected * (_SHORT_FOR_CHINESE if chinese else _SHORT_FOR_OTHERS):
        return None
    wanted = sum(map(source.count, _CHINESE_ENDS)) if chinese else len(_LATIN.findall(source))
    if wanted < 2:
        return None
    there = sum(map(answer.count, _PAUSES)) + (answer[-1:] in tuple(".!?;:"))
    return (wanted, there) if there < wanted else None
