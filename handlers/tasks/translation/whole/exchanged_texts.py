"""Short texts of a passage, cells of a table above all, whose translations have changed places. What names a
text tells: its Latin words, which a translation keeps, and the terms of the glossary, whose translation is
known. Of texts without such marks nothing tells their translations apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_LATIN = re.compile(r"[A-Za-z][A-Za-z0-9]{1,30}")
_LONG = 5
_SHORT = 60
"""Characters of a text at most: a longer one may change words with the next, as a sentence runs on."""


def exchanged(
    sources: Mapping[str, str], targets: Mapping[str, Iterable[str]], answers: Mapping[str, str]
) -> dict[str, str]:
    """A sentence for each text that lacks a mark of its own, which stands in another's place, and has a mark
    that another lacks: a good translation drops or adds a word, and does not both. ``targets``: by key, what
    a text that is a term is to be called."""
    marks = {
        key: found
        for key, text in sources.items()
        if key in answers and len(text) <= _SHORT and (found := _marks(text, targets.get(key, ())))
    }
    if len(marks) < 2:
        return {}
    said = {key: f" {' '.join(_LATIN.findall(answers[key].casefold()))} " for key in marks}
    lost = {key: gone for key, found in marks.items() if (gone := _lost(found, said[key]))}
    moved = {key: _places(key, lost, said) for key in lost} if len(lost) > 1 else {}
    given = {place for places in moved.values() for place in places}
    return {
        key: f"stands what belongs to another text, and what belongs to it stands in {places[0]}"
        for key, places in moved.items()
        if places and key in given
    }


def _marks(source: str, targets: Iterable[str]) -> set[str]:
    """In small letters, the words of one with a space between them."""
    marks = set(_LATIN.findall(source.casefold()))
    return marks | {" ".join(_LATIN.findall(target.casefold())) for target in targets} - {""}


def _lost(marks: set[str], answer: str) -> set[str]:
    """Those that a translation has in no form: of longer ones the ending may be another."""
    return {
        mark for mark in marks if f" {mark}" not in answer or not (len(mark) >= _LONG or _has(answer, mark))
    }


def _has(answer: str, mark: str) -> bool:
    return f" {mark} " in answer or f" {mark}s " in answer or f" {mark}es " in answer


def _places(key: str, lost: Mapping[str, set[str]], said: Mapping[str, str]) -> list[str]:
    """Other texts without a mark of their own in whose translations one of this text's stands that is not
    theirs."""
    return [
        other
        for other, theirs in lost.items()
        if other != key and any(_has(said[other], mark) for mark in lost[key] - theirs)
    ]
