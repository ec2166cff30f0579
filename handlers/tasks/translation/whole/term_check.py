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
    terms = glossary.occurring(sources.values())
    if not terms:
        return ()
    missing = list(_missing(Glossary(terms), sources, answers))
    detail = " ".join(missing[:_MOST])
    return (Check(name=TERMS_CHECK, verdict="warn" if missing else "pass", detail=detail),)


def _missing(glossary: Glossary, sources: Mapping[str, str], answers: Mapping[str, str]) -> Iterator[str]:
    for key, source in sources.items():
        terms = glossary.occurring([source])
        stems = _stems(answers.get(key, "")) if terms else frozenset()
        for term, target in terms.items():
            if not _stems(target) <= stems:
                yield f'In "{key}" {term[:40]} is not called {target[:80]}.'


def _stems(text: str) -> frozenset[str]:
    return frozenset(word[:_STEM] for word in _WORD.findall(text.casefold()))
