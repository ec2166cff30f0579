"""Whether a passage calls its paper's terms as the frame does. It only warns: a word is bent, put in the
plural, or spoken of in a pronoun."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from handlers.domain.result import Check
from handlers.tasks.translation.glossary import Glossary

TERMS_CHECK = "terms"
_STEM = re.compile(r"(\w{1,5})\w*+")
"""The first letters of a word."""
_MOST = 8


def term_check(
    glossary: Glossary, sources: Mapping[str, str], answers: Mapping[str, str]
) -> tuple[Check, ...]:
    """One check, or none where no term occurs."""
    occurring = glossary.occurring(sources.values())
    if not occurring:
        return ()
    terms = {
        key: glossary.occurring([source])
        for key, source in sources.items()
        if any(map(source.__contains__, occurring))
    }
    missing = list(_missing(terms, answers))
    detail = " ".join(missing[:_MOST])
    return (Check(name=TERMS_CHECK, verdict="warn" if missing else "pass", detail=detail),)


def _missing(terms: Mapping[str, Mapping[str, str]], answers: Mapping[str, str]) -> Iterator[str]:
    """``terms``: those that occur in each text, by its key."""
    for key, found in terms.items():
        folded = answers.get(key, "").casefold()
        stems: set[str] = set()
        for term, target in found.items():
            wanted = _stems_of_term(target)
            if all(map(folded.__contains__, wanted)):
                stems = stems or set(_STEM.findall(folded))
                if wanted <= stems:
                    continue
            yield f'In "{key}" {term[:40]} is not called {target[:80]}.'


@lru_cache(maxsize=256)
def _stems_of_term(target: str) -> frozenset[str]:
    return frozenset(_STEM.findall(target.casefold()))
