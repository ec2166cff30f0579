"""Whether a passage calls its paper's terms as the frame does. It only warns: a word is bent, put in the
plural, or spoken of in a pronoun."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from handlers.domain.result import Check
from handlers.tasks.translation.glossary import Glossary

TERMS_CHECK = "terms"
_WORD = re.compile(r"\w+")
_STEM = 5
_MOST = 8


def term_check(
    glossary: Glossary, sources: Mapping[str, str], answers: Mapping[str, str]
) -> tuple[Check, ...]:
    """One check, or none where no term occurs."""
    terms = {key: found for key, source in sources.items() if (found := glossary.occurring([source]))}
    if not terms:
        return ()
    missing = list(_missing(terms, answers))
    detail = " ".join(missing[:_MOST])
    return (Check(name=TERMS_CHECK, verdict="warn" if missing else "pass", detail=detail),)


def _missing(terms: Mapping[str, Mapping[str, str]], answers: Mapping[str, str]) -> Iterator[str]:
    """``terms``: those that occur in each text, by its key."""
    for key, found in terms.items():
        stems = _stems(answers.get(key, ""))
        for term, target in found.items():
            if not _stems(target) <= stems:
                yield f'In "{key}" {term[:40]} is not called {target[:80]}.'


def _stems(text: str) -> frozenset[str]:
    return frozenset(word[:_STEM] for word in _WORD.findall(text.casefold()))
