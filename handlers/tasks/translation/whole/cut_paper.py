"""One paper with a body: cut into passages, its frame, and its parts put together again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from handlers.domain.paper import Paper
from handlers.domain.result import TERMS
from handlers.domain.run import RunSpec
from handlers.own_property import own_property
from handlers.tasks.translation.field_work import FieldWork
from handlers.tasks.translation.glossary import Glossary
from handlers.tasks.translation.masked_fields import MaskedFields, masked_fields
from handlers.tasks.translation.masking.masking import PLACEHOLDER, mask
from handlers.tasks.translation.passages.body_segments import BodyPlan, BodySegment, plan_body
from handlers.tasks.translation.passages.passages import Passage, passages
from handlers.tasks.translation.passages.weights import MOST_PASSAGES, MOST_SEGMENTS
from handlers.tasks.translation.prompt import Prompter
from handlers.tasks.translation.segment import Segment
from handlers.tasks.translation.whole.candidate_terms import candidate_terms
from handlers.tasks.translation.whole.passage_work import PassageOfBody

_PAPER, _SECTION, _BEFORE = 300, 200, 200
"""Characters of context."""
_MOST_MASKED = 20 * _BEFORE
"""Of a text's end that is looked at: more than its placeholders take."""


@dataclass(frozen=True)
class CutPaper:
    """What is reckoned once of a paper while it is worked on. ``language``: its own, a BCP 47 tag."""

    paper: Paper
    spec: RunSpec
    language: str
    glossary: Glossary
    """Of the run."""
    to_ask: Callable[[], FieldWork]
    """Its head."""

    @property
    def body(self) -> str:
        return self.paper.body or ""

    @own_property
    def plan(self) -> BodyPlan:
        return plan_body(self.body, self.language, self.spec.masking_version)

    @own_property
    def passages(self) -> tuple[Passage, ...]:
        """One more than may be asked, at most."""
        return tuple(islice(passages(self.plan.sent), MOST_PASSAGES + 1))

    @property
    def is_too_long(self) -> bool:
        return len(self.passages) > MOST_PASSAGES

    @own_property
    def terms(self) -> list[Segment]:
        """Words that are asked for before the body, beside the keywords."""
        known = {*self.spec.glossary, *self.paper.keywords}
        heads = (mask(text, version=self.spec.masking_version).text for text in self._head_texts())
        text = "\n".join([*heads, *(segment.masked.text for segment in self.plan.sent)])
        return [Segment(f"terms/{number}", term) for number, term in enumerate(candidate_terms(text, known))]

    @own_property
    def head(self) -> FieldWork:
        return self.to_ask()

    def first(self) -> Iterator[FieldWork]:
        """What is asked before the body and has something to ask. Most bodies are not cut before the head is
        taken: it can be under way meanwhile."""
        if not self._is_surely_short and self.is_too_long:
            return
        if self.head.fields.parts:
            yield self.head
        if self._terms.fields.parts:
            yield self._terms

    @property
    def _is_surely_short(self) -> bool:
        """Two neighbouring passages hold more segments together than one may, or marks or tokens of as many
        characters at least: else they were one."""
        return len(self.body) < MOST_PASSAGES // 2 * MOST_SEGMENTS

    @own_property
    def _terms(self) -> FieldWork:
        terms = masked_fields(self.terms, self.language, self.spec.masking_version)
        return FieldWork(TERMS, terms, self.head.prompter)

    @property
    def asked_first(self) -> dict[str, MaskedFields]:
        """What the first stage asks for, by its passages' keys."""
        return {work.key: work.fields for work in self.first()}

    def _head_texts(self) -> tuple[str, str]:
        return self.paper.title, self.paper.abstract

    def works(self, frame: Mapping[str, str]) -> Iterator[PassageOfBody]:
        """The body's passages, each with its context and the terms; the run's go before the frame's."""
        run = self.spec.glossary
        glossary = Glossary({**run, **{term: target for term, target in frame.items() if term not in run}})
        title = self._shown(self.paper.title)[:_PAPER]
        sent, at = self.plan.sent, 0
        for passage in self.passages:
            context = {"paper": title, "section": self._section(passage), "before": _before(sent, at)}
            prompter = Prompter(self.spec, glossary, self.language, context)
            yield PassageOfBody(passage, self._sources(passage), prompter)
            at += len(passage.segments)

    def _sources(self, passage: Passage) -> dict[str, str]:
        return {segment.key: self.body[segment.start : segment.end] for segment in passage.segments}

    @own_property
    def _headings(self) -> list[tuple[int, int, int]]:
        """(start, start and end of its text) of each."""
        found = (block for block in self.plan.blocks if block.kind == "heading")
        return [(block.start, block.inner, block.inner_end) for block in found]

    def _section(self, passage: Passage) -> str:
        """The heading that the passage stands under; of one that begins with a heading none."""
        first = passage.segments[0].start
        number = bisect_left(self._headings, (first,)) - 1
        if number < 0 or self._headings[number][1] == first:
            return ""
        _, start, end = self._headings[number]
        return self._shown(self.body[start:end])[:_SECTION]

    def _shown(self, text: str) -> str:
        return PLACEHOLDER.sub("…", mask(text, version=self.spec.masking_version).text).strip()


def _before(sent: list[BodySegment], at: int) -> str:
    """The end of what is sent before the segment of this number."""
    pieces: list[str] = []
    size = 0
    while at and size < _BEFORE:
        at -= 1
        pieces.append(PLACEHOLDER.sub("…", sent[at].masked.text[-_MOST_MASKED:]))
        size += len(pieces[-1]) + 1
    return " ".join(reversed(pieces))[-_BEFORE:]
