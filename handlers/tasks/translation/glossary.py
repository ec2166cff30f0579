"""Terms of a run's glossary that occur in a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping


class Glossary:
    """Finds terms of any number at the cost of reading the text: by its first two characters, then by
    length."""

    def __init__(self, terms: Mapping[str, str]) -> None:
        self._terms = {term: target for term, target in terms.items() if term.strip()}
        lengths: dict[str, set[int]] = {}
        follow: dict[str, set[str]] = {}
        for term in self._terms:
            lengths.setdefault(term[0], set()).add(len(term))
            follow.setdefault(term[0], set()).add(term[1:2])
        self._lengths = {first: sorted(sizes, reverse=True) for first, sizes in lengths.items()}
        self._begins = re.compile("|".join(_begin(first, second) for first, second in follow.items()))

    def occurring(self, texts: Iterable[str]) -> dict[str, str]:
        """The terms in these texts, in the glossary's order; inside a longer term none counts.

        A term that begins or ends in a Latin letter or digit has to stand as a word there.
        """
        return self.of(*map(self.terms_in, texts))

    def of(self, *terms: set[str]) -> dict[str, str]:
        """These of its terms with their targets, in the glossary's order."""
        found = set().union(*terms)
        return {term: target for term, target in self._terms.items() if term in found} if found else {}

    def terms_in(self, text: str) -> set[str]:
        """The terms in one text."""
        terms: set[str] = set()
        if not self._terms:
            return terms
        at = 0
        while (found := self._begins.search(text, at)) is not None:
            at = found.start()
            term = self._longest_at(text, at)
            if term:
                terms.add(term)
            at += len(term) or 1
        return terms

    def _longest_at(self, text: str, at: int) -> str:
        for length in self._lengths[text[at]]:
            term = text[at : at + length]
            if term in self._terms and _stands_alone(text, at, at + len(term)):
                return term
        return ""


def _begin(first: str, second: set[str]) -> str:
    """A pattern for the first character of terms, with the second ones where all of them have one."""
    follow = "" if "" in second else f"[{''.join(map(re.escape, sorted(second)))}]"
    return re.escape(first) + follow


def _stands_alone(text: str, start: int, end: int) -> bool:
    if not text[start].isascii() and not text[end - 1].isascii():
        return True
    before, after = text[start - 1 : start], text[end : end + 1]
    return not (_is_word(before) and _is_word(text[start])) and not (
        _is_word(after) and _is_word(text[end - 1])
    )


def _is_word(character: str) -> bool:
    return character.isascii() and character.isalnum()
