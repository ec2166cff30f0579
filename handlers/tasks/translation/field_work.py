"""Title, abstract and keywords, or a paper's terms: asked under one prompt, judged together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from handlers.domain.call import ChatRequest
from handlers.domain.call_errors import RejectedError
from handlers.domain.paper import Paper
from handlers.domain.result import HEAD, TERMS, PassageResult
from handlers.ports import Ask
from handlers.tasks.translation.exchange import Exchange, groups
from handlers.tasks.translation.masked_fields import MaskedFields, masked_fields
from handlers.tasks.translation.masking.exactness import exactness, inexact
from handlers.tasks.translation.passages.weights import weight
from handlers.tasks.translation.prompt import Prompter
from handlers.tasks.translation.segment import segments
from handlers.tasks.translation.stored_verdict import NO_TEXT, StoredVerdict, worst


@dataclass(frozen=True, slots=True)
class FieldWork:
    """``ports.PassageWork``: the calls for all of ``fields``. ``key``: ``head`` or ``terms``."""

    key: str
    fields: MaskedFields
    prompter: Prompter
    asked: tuple[ChatRequest, ...] = ()
    """Its first requests, where they are made already."""

    @property
    def weight(self) -> int:
        return sum(map(weight, self.fields.texts.values()))

    def requests(self) -> Iterator[ChatRequest]:
        """The first ones; one without texts where there is none."""
        for texts in groups(self.fields.texts) if self.fields.parts else ({},):
            yield self.prompter.request(texts)

    def asking(self, requests: Iterable[ChatRequest]) -> FieldWork:
        """The same, with these as its first requests."""
        return FieldWork(self.key, self.fields, self.prompter, tuple(requests))

    def run(self, ask: Ask) -> PassageResult:
        """Terms never flag a paper: those that are refused are left out of its frame."""
        if self.key != TERMS:
            return self._run(ask)
        try:
            return self._run(ask).model_copy(update={"status": "done", "error": None})
        except RejectedError:
            return PassageResult(key=self.key, status="done", texts={}, flagged=tuple(self.fields.parts))

    def _run(self, ask: Ask) -> PassageResult:
        exchange = Exchange(self.prompter, self.fields.spans(), ask)
        texts = self.fields.texts
        readings = [
            exchange.translate(*group)
            for group in zip(groups(texts), self.asked or self.requests(), strict=False)
        ]
        answers = {key: text for reading in readings for key, text in reading.fields.items()}
        error = next((reading.error for reading in readings if reading.error), None)
        said = checks = worst(check for reading in readings for check in reading.checks)
        if error is not None or any(reading.judged != texts.keys() for reading in readings):
            stored = {key: answers.get(key, "") for key in texts} if answers else {}
            checks = exchange.checks_of(texts, stored) if stored else (NO_TEXT,)
        return self._result(answers, StoredVerdict(checks, said, error), exchange)

    def _result(
        self, answers: Mapping[str, str], verdict: StoredVerdict, exchange: Exchange
    ) -> PassageResult:
        parts = self.fields.parts
        texts = {key: part.unmasked(answers[key]) for key, part in parts.items() if key in answers}
        if not any(check is NO_TEXT for check in verdict.checks[:1]):
            masked = (parts[key].exact(text) for key, text in texts.items() if parts[key].masked.spans)
            verdict = StoredVerdict((*verdict.checks, exactness(masked)), verdict.said, verdict.stop)
        failed = bool(verdict.failed)
        return PassageResult(
            key=self.key,
            status="flagged" if failed else "done",
            texts=texts,
            flagged=tuple(self._refused(answers, texts, exchange)) if failed else (),
            checks=verdict.checks,
            error=verdict.error if failed else None,
            faults=verdict.faults if failed else (),
        )

    def _refused(
        self, answers: Mapping[str, str], texts: Mapping[str, str], exchange: Exchange
    ) -> Iterator[str]:
        """Keys of what has no text or a refused one."""
        _, bad = exchange.verdict_of(self.fields.texts, answers)
        for key, part in self.fields.parts.items():
            if key not in texts or key in bad or any(inexact(part.exact(texts[key]))):
                yield key


def head_of(paper: Paper, prompter: Prompter) -> FieldWork:
    """Title, abstract and keywords."""
    masking = prompter.spec.masking_version
    fields = masked_fields(segments(paper, False, masking), prompter.language, masking)
    return FieldWork(HEAD, fields, prompter)
