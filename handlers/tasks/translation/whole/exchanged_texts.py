"""Short texts of a passage, cells of a table above all, whose translations have changed places. What names a
text tells: its Latin words, which a translation keeps, and the terms of the glossary, whose translation is
known. Of texts without such marks nothing tells their translations apart.

A word is the same in either case, in any width, with a hyphen before its number, a space or nothing:
``IL-6``, ``IL6``, ``il 6``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

_LATIN = re.compile(r"[a-z]{1,32}(?:[-‐‑‒–−]?[0-9]{1,8}(?:\.[0-9]{1,8})?[a-z]{0,32}){0,8}")
_APART = re.compile(r"(?<=[A-Za-z])[ \u00a0](?=[0-9])")
_HYPHENS = str.maketrans("", "", "-‐‑‒–−")
_LONG = 5
_SHORT = 60
"""Characters of a text at most: a longer one may change words with the next, as a sentence runs on."""


def exchanged(
    sources: Mapping[str, str], targets: Mapping[str, Iterable[str]], answers: Mapping[str, str]
) -> dict[str, str]:
    """A sentence for each text that lacks a mark of its own, which stands in another's place and is none of
    that one's marks, and has such a mark itself: a good translation drops or adds a word, and does not both.
    ``targets``: by key, what a text that is a term is to be called."""
    marks = {
        key: found
        for key, text in sources.items()
        if key in answers and len(text) <= _SHORT and (found := _marks(text, targets.get(key, ())))
    }
    if len(marks) < 2:
        return {}
    said = {key: _said(answers[key]) for key in marks}
    lost = {key: gone for key, found in marks.items() if (gone := _lost(found, said[key]))}
    if len(lost) < 2:
        return {}
    places = _places(marks, lost, said)
    given = {place for found in places.values() for place in found}
    return {
        key: f"stands what belongs to another text, and what belongs to it stands in {where}"
        for key, gone in lost.items()
        if key in given
        and (where := next((place for mark in sorted(gone) for place in places.get(mark, ())), None))
    }


def _words(text: str) -> list[str]:
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return [word.translate(_HYPHENS) for word in _LATIN.findall(plain.lower())]


def _marks(source: str, targets: Iterable[str]) -> set[str]:
    """In small letters, the words of one with a space between them."""
    marks = {word for word in _words(source) if len(word) > 1}
    return marks | {" ".join(_words(target)) for target in targets} - {""}


def _said(answer: str) -> str:
    """The words of a translation, those that a space parts from their number joined with it once more."""
    joined = _APART.sub("", answer)
    words = _words(answer) if joined is answer else [*_words(answer), *_words(joined)]
    return f" {' '.join(words)} "


def _lost(marks: set[str], answer: str) -> set[str]:
    """Those that a translation has in no form: of longer ones the ending may be another."""
    return {
        mark for mark in marks if f" {mark}" not in answer or not (len(mark) >= _LONG or _has(answer, mark))
    }


def _has(answer: str, mark: str) -> bool:
    return any(f" {mark}{end} " in answer for end in ("", "s", "es"))


def _places(
    marks: Mapping[str, set[str]], lost: Mapping[str, set[str]], said: Mapping[str, str]
) -> dict[str, list[str]]:
    """By mark that a text has lost: the texts without a mark of their own in whose translations it stands
    though it is none of theirs. Each translation is read once."""
    sought = {mark for gone in lost.values() for mark in gone}
    lengths = {mark.count(" ") + 1 for mark in sought}
    places: dict[str, list[str]] = {}
    for key in lost:
        for mark in {each for each in _phrases(said[key].split(), lengths) if each in sought}:
            if mark not in marks[key]:
                places.setdefault(mark, []).append(key)
    return places


def _phrases(words: list[str], lengths: Iterable[int]) -> Iterator[str]:
    """Neighbouring words, so many at a time, the last one without the ending of a plural too."""
    for length in lengths:
        for first in range(len(words) - length + 1):
            phrase = " ".join(words[first : first + length])
            yield phrase
            yield phrase.removesuffix("s")
            yield phrase.removesuffix("es")
