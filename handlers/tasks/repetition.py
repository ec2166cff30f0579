"""Loops, as small or badly sampled models fall into: a run of one character, a phrase or a sentence again
and again. Linear: a loop is an n-gram that comes back several times at the same distance."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_RUN = 23
_CHARACTER_RUN = re.compile(rf"(\S)\1{{{_RUN}}}")
_WORDS, _CHARACTERS = 3, 12
_RETURNS = 4
"""Equal distances in a row that make a loop: the n-gram stands there one time more."""
_LONG_WORD = 80
_MOST_WORDS, _MOST_CHARACTERS = 200_000, 60_000
"""No more than this is looked at."""


def loop_in(text: str) -> str | None:
    """A stretch of the loop, or None. Distances of 1 count too (``very very very ...``)."""
    words = text.split()
    longest = max(map(len, words), default=0)
    if longest > _RUN and (run := _CHARACTER_RUN.search(text)):
        return run[0]
    if found := _loop(words[:_MOST_WORDS], _WORDS):
        return " ".join(found)
    if longest > _LONG_WORD and (found := _loop(text[:_MOST_CHARACTERS], _CHARACTERS)):
        return "".join(found)
    return None


def _loop(units: Sequence[str], size: int) -> Sequence[str] | None:
    most = len(units) - size + 1
    if most - len(set(_grams(units, size))) < _RETURNS:
        return None
    return _at_equal_distance(units, size)


def _grams(units: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    return zip(*(units[start:] for start in range(size)), strict=False)


def _at_equal_distance(units: Sequence[str], size: int) -> Sequence[str] | None:
    last: dict[tuple[str, ...], int] = {}
    distance: dict[tuple[str, ...], int] = {}
    returns: dict[tuple[str, ...], int] = {}
    for place, gram in enumerate(_grams(units, size)):
        if gram in last:
            gap = place - last[gram]
            returns[gram] = returns.get(gram, 0) + 1 if distance.get(gram) == gap else 1
            distance[gram] = gap
            if returns[gram] >= _RETURNS:
                return units[place : place + max(size, min(gap, 12))]
        last[gram] = place
    return None
