"""Loops, as small or badly sampled models fall into: a run of one character, a phrase or a sentence again
and again. Linear in the text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

_RUN = 23
_TOO_SHORT = 15
"""Characters below which a text has neither eight words nor a run."""
_CHARACTER_RUN = re.compile(rf"(\S)\1{{{_RUN}}}")
_WORDS, _CHARACTERS = 3, 12
_TIMES = 5
"""A stretch that stands there this often in a row is a loop."""
_SHORTEST = 6
_IN_A_ROW = bytes([True] * (_SHORTEST + _WORDS - 1))
_AGAIN = len(_IN_A_ROW) - 2
"""Of eight words in a row that each stand four times in a text at least so many stood there before."""
_GRAMS_IN_A_ROW = bytes([True] * (_SHORTEST + 1))
"""So many n-grams of words in a row, each of them frequent, are in every loop of words."""
_LONG_WORD = 80
_MOST_WORDS, _MOST_CHARACTERS = 200_000, 60_000
"""No more than this is looked at."""


def loop_in(text: str) -> str | None:
    """A stretch of the loop, or None. Distances of 1 count too (``very very very ...``)."""
    if len(text) < _TOO_SHORT:
        return None
    words = text.split()
    longest = max(map(len, words), default=0)
    if longest > _RUN and (run := _CHARACTER_RUN.search(text)):
        return run[0]
    words = words[:_MOST_WORDS]
    if _may_loop(words) and (found := _loop(words, _WORDS)):
        return " ".join(found)
    if longest > _LONG_WORD and (found := _loop(text[:_MOST_CHARACTERS], _CHARACTERS)):
        return "".join(found)
    return None


def _may_loop(words: list[str]) -> bool:
    """Whether several words in a row are all frequent. Cheap, and hardly a text without a loop has it."""
    if len(words) - len(set(words)) < _AGAIN:
        return False
    frequent = {word for word, count in Counter(words).items() if count >= _TIMES - 1}
    return _IN_A_ROW in bytes(map(frequent.__contains__, words)) if frequent else False


def _loop(units: Sequence[str], size: int) -> Sequence[str] | None:
    grams = list(_grams(units, size))
    counts = Counter(grams)
    if max(counts.values(), default=0) < _TIMES:
        return None
    if size == _WORDS:
        frequent = {gram for gram, count in counts.items() if count >= _TIMES - 1}
        if _GRAMS_IN_A_ROW not in bytes(map(frequent.__contains__, grams)):
            return None
    return _repeated_stretch(units, grams, size)


def _grams(units: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    return zip(*(units[start:] for start in range(size)), strict=False)


def _repeated_stretch(units: Sequence[str], grams: list[tuple[str, ...]], size: int) -> Sequence[str] | None:
    """A stretch that follows upon itself: every n-gram in it was last seen at the same distance.
    Lists (``30 cases in group A, 30 cases in group B``) repeat words and not stretches."""
    last: dict[tuple[str, ...], int] = {}
    distance = streak = 0
    for place, gram in enumerate(grams):
        gap = place - last.get(gram, place)
        streak = streak + 1 if gap and gap == distance else int(gap > 0)
        distance = gap
        if gap and streak >= max(_SHORTEST, (_TIMES - 1) * gap - size):
            return units[place : place + max(size, min(gap, 12))]
        last[gram] = place
    return None
