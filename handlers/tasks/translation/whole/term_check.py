"""Whether a passage calls its paper's terms as the frame does. It only warns: a word is bent, put in the
plural, or spoken of in a pronoun."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from handlers.domain.result import Check
from handlers.tasks.translation.glossary import Glossary

TERMS_CHECK = "terms"
_WORD = re.compile(r"\w+")
_STEM = 5
_MOST = 8


def term_check(
    glossary: Glossary, terms: Mapping[str, set[str]], answers: Mapping[str, str]
) -> tuple[Check, ...]:
    """One check, or none where no term occurs. ``terms``: those of the glossary in the sources, by key."""
    if not terms:
        return ()
    missing = list(_missing({key: glossary.of(found) for key, found in terms.items()}, answers))
    detail = " ".join(missing[:_MOST])
    return (Check(name=TERMS_CHECK, verdict="warn" if missing else "pass", detail=detail),)


def _missing(terms: Mapping[str, Mapping[str, str]], answers: Mapping[str, str]) -> Iterator[str]:
    """``terms``: those that occur in each text, by its key."""
    for key, found in terms.items():
        folded = answers.get(key, "").casefold()
        for term, target in found.items():
            if not all(_has_word(stem, folded) for stem in _stems(target)):
                yield f'In "{key}" {term[:40]} is not called {target[:80]}.'


@lru_cache(maxsize=256)
def _stems(target: str) -> tuple[str, ...]:
    return tuple(word[:_STEM] for word in _WORD.findall(target.casefold()))


def _has_word(stem: str, text: str) -> bool:
    """Whether a word of a folded text has this stem."""
    at = text.find(stem)
    while at >= 0:
        end = at + len(stem)
        if not _is_word(text[at - 1 : at]) and (len(stem) == _STEM or not _is_word(text[end : end + 1])):
            return True
        at = text.find(stem, at + 1)
    return False


def _is_word(character: str) -> bool:
    """As ``\\w`` has it."""
    return character.isalnum() or character == "_"
