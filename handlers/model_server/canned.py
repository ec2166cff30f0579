"""Filler in place of Chinese, for load: about the right length, cheap, never the same word five times."""

from __future__ import annotations

import re
from collections.abc import Mapping

from handlers.domain.writing_systems import HAN_AND_MARKS
from handlers.model_server.gloss import narrowed
from handlers.model_server.number_words import to_english

_RUN = re.compile(f"[{HAN_AND_MARKS}]+")
_NOUNS = """
method data result model study system field sample value change water energy surface growth effect
soil region test process structure signal rate theory design plant light measure pattern factor
response image layer phase level network range cell matter source solution current carbon motion
index density pressure temperature function group control form state volume reaction estimate
observation
"""
_WORDS = _NOUNS.split()
_CYCLE = _WORDS * 2


class Filler:
    """Han runs become neutral nouns, chosen by position; placeholders, digits and Latin stay."""

    def translate(self, text: str, glossary: Mapping[str, str]) -> str:  # noqa: ARG002 - Translator's
        """Filler of about three characters for each Han character, loosely spaced: it is for load."""
        start = 0

        def filler(run: re.Match[str]) -> str:
            nonlocal start
            first, length = start, (run.end() - run.start() + 1) // 2
            start = (start + length) % len(_WORDS)
            return f" {_filler(first, length)} "

        return _RUN.sub(filler, to_english(narrowed(text))).strip()


def _filler(start: int, length: int) -> str:
    if length <= len(_WORDS):
        return " ".join(_CYCLE[start : start + length])
    return " ".join(
        _WORDS[(start + step * (1 + step // len(_WORDS))) % len(_WORDS)] for step in range(length)
    )
