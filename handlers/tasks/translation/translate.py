"""The task of translating papers: mask, ask, check, repair, unmask."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from handlers.domain.call import ChatRequest
from handlers.domain.paper import Paper
from handlers.domain.result import HEAD, PassageResult, TaskResult
from handlers.domain.run import RunSpec
from handlers.domain.value import sha256_of
from handlers.domain.writing_systems import scripts_of
from handlers.ports import Ask, PassageWork
from handlers.tasks.translation import policy
from handlers.tasks.translation.field_work import FieldWork, head_of
from handlers.tasks.translation.glossary import Glossary
from handlers.tasks.translation.identity import as_asked, identities
from handlers.tasks.translation.prompt import Prompter, capped
from handlers.tasks.translation.scripts import has_letters
from handlers.tasks.translation.segment import join
from handlers.tasks.translation.stored_verdict import GATE_VERSION

if TYPE_CHECKING:  # and where they are used: a run of abstracts needs nothing of whole papers
    from handlers.tasks.translation.whole.cut_paper import CutPaper

_KEPT = 256
"""Papers that are masked for their fingerprints and wait for a worker; beyond them they are masked again."""
_LARGEST_ANSWER = 8_192
"""Tokens: a user's cap below this is reached by passages, and so part of what is asked."""


_Head = tuple[str, str, tuple[str, ...], str]
"""Title, abstract, keywords and language."""


class TranslateTask:
    """``ports.WholePaperTask``: title, abstract and keywords, with ``full_text`` the body too, by passages,
    into the target language.

    Pure but for ``ask``: the same paper and the same answers lead to the same requests and result.
    """

    name = "translate"
    reads = None
    columns = None
    carry: tuple[str, ...] = ()
    gate = GATE_VERSION
    notice = "Machine translation; not reviewed by the authors."

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self._glossary = Glossary(spec.glossary)
        self._as_asked = as_asked(spec)
        self._identity = identities(spec)
        self._lock = threading.Lock()
        self._masked: dict[_Head, FieldWork] = {}
        self._whole: dict[int, tuple[weakref.ref[Paper], CutPaper]] = {}

    def digest(self, paper: Paper) -> str:
        return paper.text_digest()

    def size(self, paper: Paper) -> float:
        return paper.text_size(full_text=self._spec.full_text)

    def skip_reason(self, paper: Paper) -> str | None:
        return policy.skip_reason(paper, self._spec)

    def fingerprint(self, paper: Paper) -> str:
        work = self._named(paper)
        digest = paper.text_digest(full_text=self._spec.full_text)
        return self._identity(self._with_body(paper, digest, work.fields.language), work.asked)

    def earlier_fingerprints(self, paper: Paper) -> tuple[str, ...]:
        """What earlier releases called it: they digested a body that nobody sent."""
        if self._spec.full_text or not paper.body:
            return ()
        return (self._identity(paper.text_digest(), self._named(paper).asked),)

    def _named(self, paper: Paper) -> FieldWork:
        """The head with its requests as a fingerprint digests them; kept for a worker."""
        key = _texts_of_head(paper)
        with self._lock:
            kept = self._masked.get(key)
        if kept is not None:
            return kept
        work = self._head(paper)
        named = FieldWork(HEAD, work.fields, self._prompter(work.fields.language, self._as_asked))
        work = work.asking(named.requests())
        with self._lock:
            while len(self._masked) >= _KEPT:
                del self._masked[next(iter(self._masked))]
            self._masked[key] = work
        return work

    def _to_ask(self, paper: Paper) -> FieldWork:
        """The head with its requests as they are sent, where they are made already."""
        with self._lock:
            work = self._masked.pop(_texts_of_head(paper), None)
        if work is None:
            return self._head(paper)
        sent = self._as_sent(work.asked)
        return work if sent is work.asked else work.asking(sent)

    def _with_body(self, paper: Paper, digest: str, language: str) -> str:
        """The digest with what else the requests for a body come of: they are not made for it, as cutting a
        body takes as long as asking for it."""
        if not self._spec.full_text or not paper.body:
            return digest
        cap = self._spec.max_tokens
        cap = cap if cap is not None and cap < _LARGEST_ANSWER else None
        terms = self._glossary.occurring([paper.title, paper.abstract, paper.body])
        return sha256_of([digest, self._spec.body_version, language, list(terms.items()), cap])

    def first_request(self, paper: Paper) -> ChatRequest:
        return next(self._head(paper).requests())

    def requests(self, paper: Paper) -> Iterator[ChatRequest]:
        if not self.is_whole(paper):
            yield from self._head(paper).requests()
            return
        for work in self._whole_of(paper).first():
            yield from work.requests()
        if not self._whole_of(paper).is_too_long:
            for passage in self._whole_of(paper).works({}):
                yield passage.request

    def run(self, paper: Paper, ask: Ask) -> TaskResult:
        """Of a whole paper: its passages one after the other."""
        if self.is_whole(paper):
            results = {work.key: work.run(ask) for work in self.first(paper)}
            frame = self.frame(paper, results)
            results |= {work.key: work.run(ask) for work in self.rest(paper, frame)}
            return self.result(paper, results)
        work = self._to_ask(paper)
        return self._unpassaged(paper, work, work.run(ask))

    def _unpassaged(self, paper: Paper, work: FieldWork, said: PassageResult) -> TaskResult:
        texts = {key: said.texts.get(key, "") for key in work.fields.parts}
        fields = join(paper, False, texts, self._spec.masking_version)
        if self._spec.full_text and paper.body:
            fields["body"] = paper.body
        return TaskResult(
            status="flagged" if said.status == "flagged" else "done",
            fields=fields if said.texts or not texts else {},
            checks=said.checks,
            error=said.error,
            faults=said.faults,
            gate=GATE_VERSION,
        )

    def is_whole(self, paper: Paper) -> bool:
        """Whether its body has a letter of its language. One that turns out to have none outside of what is
        kept is whole too, and has no passages in its second stage."""
        if not self._spec.full_text or not paper.body:
            return False
        return has_letters(paper.body, scripts_of(policy.source_language(paper)))

    def first(self, paper: Paper) -> Iterator[PassageWork]:
        return self._whole_of(paper).first()

    def frame(self, paper: Paper, results: Mapping[str, PassageResult]) -> dict[str, str]:
        from handlers.tasks.translation.whole.frame import frame_of

        return frame_of(self._whole_of(paper).asked_first, results, self._spec.glossary)

    def rest(self, paper: Paper, frame: Mapping[str, str]) -> Sequence[PassageWork]:
        whole = self._whole_of(paper)
        return () if whole.is_too_long else tuple(whole.works(frame))

    def result(self, paper: Paper, results: Mapping[str, PassageResult]) -> TaskResult:
        from handlers.tasks.translation.whole.paper_result import paper_result

        whole = self._whole_of(paper)
        result = paper_result(whole, tuple(whole.head.fields.parts), results)
        with self._lock:
            self._whole.pop(id(paper), None)
        return result

    def _head(self, paper: Paper) -> FieldWork:
        return head_of(paper, self._prompter(policy.source_language(paper), self._spec))

    def _prompter(self, language: str, spec: RunSpec) -> Prompter:
        return Prompter(spec, self._glossary, language)

    def _as_sent(self, asked: tuple[ChatRequest, ...]) -> tuple[ChatRequest, ...]:
        """The requests of a fingerprint as they are sent; none where those have other bytes."""
        if self._as_asked.target_language != self._spec.target_language:
            return ()
        cap = self._spec.max_tokens
        return asked if cap is None else tuple(capped(request, cap) for request in asked)

    def _whole_of(self, paper: Paper) -> CutPaper:
        """Reckoned once while the paper is worked on, and forgotten with it: without a lock, as it may die
        wherever one is held."""
        from handlers.tasks.translation.whole.cut_paper import CutPaper

        key = id(paper)
        with self._lock:
            kept = self._whole.get(key)
            if kept is None or kept[0]() is not paper:
                language, cut = policy.source_language(paper), paper.model_copy()
                whole = CutPaper(cut, self._spec, language, self._glossary, partial(self._to_ask, cut))
                kept = weakref.ref(paper, lambda _: self._whole.pop(key, None)), whole
                self._whole[key] = kept
            return kept[1]


def _texts_of_head(paper: Paper) -> _Head:
    return paper.title, paper.abstract, paper.keywords, policy.source_language(paper)
