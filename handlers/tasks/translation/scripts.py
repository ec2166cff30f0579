"""Writing systems of languages: what of the source's script may stand in a translation, and what may not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from handlers.domain.writing_systems import CHARACTERS, scripts_of
from handlers.rare_pattern import rare_pattern

_OPENING = "(（[\"'“‘「『《〈"
_QUOTED = rare_pattern("[“‘「『\"'《]([^\\W\\d_])[”’」』\"'》]")
"""One letter in quotes: a character that a text is about."""
_MAX_BARE_RUN = 1
_MAX_BARE = 3
_MAX_BRACKETED_RUN = 12
_MAX_SHARE = 0.2
_MOST_RUNS = 200
"""More are not looked at: so many are never tolerable."""


@dataclass(frozen=True)
class Leftover:
    """Source script found in an answer. ``tolerable``: a term given in brackets or quotes beside its
    translation, or a single character that is spoken of: the source quotes it."""

    runs: tuple[str, ...]
    share: float
    """Of the answer's letters."""
    tolerable: bool


def letters(text: str, scripts: tuple[str, ...]) -> int:
    """Characters of these scripts."""
    if text.isascii() and "latin" not in scripts:
        return 0
    return sum(map(len, _pattern(scripts, "+").findall(text)))


def has_letters(text: str, scripts: tuple[str, ...]) -> bool:
    """Whether there is a character of these scripts."""
    return _pattern(scripts, "").search(text) is not None


def leftover(text: str, source_language: str, target_language: str, source: str = "") -> Leftover | None:
    """What is left of the source's script in a text without placeholders; None if nothing is, or if
    the two languages share it. Latin is never left over: names and units are written in it."""
    if text.isascii():
        return None
    kept = (*scripts_of(target_language), "latin")
    scripts = tuple(script for script in scripts_of(source_language) if script not in kept)
    if not scripts or not has_letters(text, scripts):
        return None
    found = list(islice(_pattern(scripts, "+").finditer(text), _MOST_RUNS))
    bare = [run for run in found if not _is_bracketed(text, run)]
    if len(bare) > _MAX_BARE:
        quoted = set(_QUOTED.findall(source))
        bare = [run for run in bare if run[0] not in quoted]
    total = sum(len(run[0]) for run in found)
    share = total / max(1, sum(map(str.isalpha, text)))
    tolerable = (
        all(len(run[0]) <= _MAX_BARE_RUN for run in bare)
        and len(bare) <= _MAX_BARE
        and all(len(run[0]) <= _MAX_BRACKETED_RUN for run in found)
        and share <= _MAX_SHARE
        and len(found) < _MOST_RUNS
    )
    return Leftover(tuple(run[0][:20] for run in sorted(found, key=_length)[:3]), share, tolerable)


def is_foreign(text: str, target_language: str) -> bool:
    """Whether a text of some length has hardly a letter of the target language's script."""
    scripts = scripts_of(target_language)
    if "latin" in scripts:
        return False
    total = sum(map(str.isalpha, text))
    return total > 20 and letters(text, scripts) < 0.2 * total


def _length(run: re.Match[str]) -> int:
    return -len(run[0])


def _is_bracketed(text: str, run: re.Match[str]) -> bool:
    return run.start() > 0 and text[run.start() - 1] in _OPENING


@lru_cache(maxsize=64)
def _pattern(scripts: tuple[str, ...], repeat: str) -> re.Pattern[str]:
    return re.compile(f"[{''.join(CHARACTERS[script] for script in scripts)}]{repeat}")
