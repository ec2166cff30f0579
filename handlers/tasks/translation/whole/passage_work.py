"""One passage of a body: asked, mended and judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from handlers.domain.call import ChatRequest
from handlers.domain.result import PassageResult
from handlers.own_property import own_property
from handlers.ports import Ask
from handlers.tasks.translation.exchange import LOOKS, Exchange, Look
from handlers.tasks.translation.masking.exactness import Exact, exactness_check, inexact
from handlers.tasks.translation.masking.masking import PLACEHOLDER, unmask
from handlers.tasks.translation.passages.body_segments import BodySegment
from handlers.tasks.translation.passages.passages import Passage
from handlers.tasks.translation.prompt import Prompter
from handlers.tasks.translation.stored_verdict import NO_TEXT, StoredVerdict
from handlers.tasks.translation.whole.exchanged_texts import exchanged
from handlers.tasks.translation.whole.structure import (
    LENGTH,
    STRUCTURE,
    added_structure,
    lost_words,
    one_line,
)
from handlers.tasks.translation.whole.term_check import term_check

BODY_LOOKS: Mapping[str, Look] = MappingProxyType({**LOOKS, STRUCTURE: added_structure, LENGTH: lost_words})
_FORMULAS = "$\\"


@dataclass(frozen=True)
class PassageOfBody:
    """``ports.PassageWork``. ``sources``: the segments' texts in the body, by key."""

    passage: Passage
    sources: Mapping[str, str]
    prompter: Prompter

    @property
    def key(self) -> str:
        return self.passage.key

    @property
    def weight(self) -> int:
        return self.passage.weight

    @own_property
    def request(self) -> ChatRequest:
        """What it asks first."""
        terms = self.prompter.glossary.of(*self._terms.values())
        return self.prompter.request(self._masked, terms=terms)

    @own_property
    def _terms(self) -> dict[str, set[str]]:
        """Of the glossary, by the keys of the texts they stand in."""
        terms_in = self.prompter.glossary.terms_in
        return {key: found for key, text in self._masked.items() if (found := terms_in(text))}

    @own_property
    def _masked(self) -> dict[str, str]:
        return self.passage.texts()

    def run(self, ask: Ask) -> PassageResult:
        spans = self.passage.spans()
        numbered = {str(number): span for number, span in enumerate(spans, start=1)}
        exchange = Exchange(self.prompter, numbered, ask, BODY_LOOKS, set(), {STRUCTURE: self._exchanged})
        reading = exchange.translate(self._masked, self.request)
        answers = {key: text for key, text in reading.fields.items() if key in self._masked}
        checks, bad = reading.checks, reading.bad
        if not answers:
            checks, bad = (NO_TEXT,), frozenset(self._masked)
        elif reading.error is not None or reading.judged != frozenset(self._masked):
            stored = {key: answers.get(key, "") for key in self._masked}
            checks, bad = exchange.verdict_of(self._masked, stored)
        fit = {key: text for key, text in answers.items() if key not in bad or self._fits(key, text)}
        texts = {key: unmask(one_line(text), spans) for key, text in fit.items()}
        wrong = {key: said for key, said in self._inexact(texts) if key not in bad}
        terms = term_check(self.prompter.glossary, self._terms, answers) if not bad else ()
        checks = (*checks, exactness_check(wrong.values()), *terms) if answers else checks
        return self._result(
            texts, StoredVerdict(checks, reading.checks, reading.error), bad | frozenset(wrong)
        )

    def _exchanged(self, sources: Mapping[str, str], answers: Mapping[str, str]) -> dict[str, str]:
        """By terms of texts that are nothing else: of longer ones a translation may say it otherwise."""
        whole = {key: terms & {self._masked[key].strip()} for key, terms in self._terms.items()}
        targets = {key: self.prompter.glossary.of(terms).values() for key, terms in whole.items() if terms}
        return exchanged(sources, targets, answers)

    def _fits(self, key: str, answer: str) -> bool:
        """Whether a text may be put in its source's place, refused or not: it brings nothing along, and each
        formula and citation stands in it."""
        source = self._masked[key]
        if any(look(source, answer) for look in BODY_LOOKS.values()):
            return False
        same = sorted(PLACEHOLDER.findall(answer)) == sorted(PLACEHOLDER.findall(source))
        return same and _strays(answer) <= _strays(source)

    def _inexact(self, texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        for segment in self.passage.segments:
            if segment.key in texts and segment.masked.spans:
                for said in inexact(self._exact(segment, texts[segment.key]), _FORMULAS):
                    yield segment.key, said

    def _exact(self, segment: BodySegment, text: str) -> Exact:
        return segment.key, self.sources[segment.key], text, segment.masked

    def _result(self, texts: dict[str, str], verdict: StoredVerdict, bad: frozenset[str]) -> PassageResult:
        failed = bool(verdict.failed)
        return PassageResult(
            key=self.key,
            status="flagged" if failed else "done",
            texts=texts,
            flagged=tuple(key for key in self._masked if key in bad or key not in texts) if failed else (),
            checks=verdict.checks,
            error=verdict.error,
            faults=verdict.faults if failed else (),
        )


def _strays(masked: str) -> int:
    """Brackets that belong to no placeholder."""
    return masked.count("⟦") + masked.count("⟧") - 2 * len(PLACEHOLDER.findall(masked))
