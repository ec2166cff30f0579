"""The task of translating papers: mask, ask, check, repair, unmask."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from handlers.domain.call import ChatRequest
from handlers.domain.paper import Paper
from handlers.domain.result import Check, TaskResult
from handlers.domain.run import RunSpec
from handlers.ports import Ask
from handlers.tasks.translation import policy
from handlers.tasks.translation.exchange import STOPS, Exchange, Reading, groups
from handlers.tasks.translation.glossary import Glossary
from handlers.tasks.translation.identity import as_asked, identities
from handlers.tasks.translation.masking.exactness import exactness
from handlers.tasks.translation.masking.masking import Masked, mask, unmask
from handlers.tasks.translation.prompt import Prompter, capped
from handlers.tasks.translation.segment import Segment, join, segments

_KEPT = 256
"""Papers that are masked for their fingerprints and wait for a worker; beyond them they are masked again."""

_NO_TEXT = Check(name="no_text", verdict="fail", detail="No answer had a text that could be read.")


@dataclass(frozen=True, slots=True)
class _Part:
    """A segment that is sent. ``first``: number of its first placeholder."""

    segment: Segment
    masked: Masked
    first: int


@dataclass(frozen=True, slots=True)
class _Work:
    """One paper, masked: its parts by key. Placeholders are numbered on through all of them."""

    language: str
    parts: dict[str, _Part]
    asked: tuple[ChatRequest, ...] = ()
    """Its first requests as ``identity.as_asked`` has them, once they were made."""

    @property
    def texts(self) -> dict[str, str]:
        return {key: part.masked.text for key, part in self.parts.items()}

    def spans(self) -> dict[str, str]:
        """Masked spans by placeholder number."""
        return {
            str(number): span
            for part in self.parts.values()
            for number, span in enumerate(part.masked.spans, start=part.first)
        }


class TranslateTask:
    """``ports.Task``: title, abstract and keywords (with ``full_text`` the body) into the target language.

    Pure but for ``ask``: the same paper and the same answers lead to the same requests and result.
    """

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self._glossary = Glossary(spec.glossary)
        self._as_asked = as_asked(spec)
        self._identity = identities(spec)
        self._lock = threading.Lock()
        self._masked: dict[int, tuple[Paper, _Work]] = {}

    def skip_reason(self, paper: Paper) -> str | None:
        return policy.skip_reason(paper, self._spec)

    def fingerprint(self, paper: Paper) -> str:
        work = self._work(paper)
        work = _Work(work.language, work.parts, tuple(self._requests(work, self._as_asked)))
        with self._lock:
            while len(self._masked) >= _KEPT:
                del self._masked[next(iter(self._masked))]
            self._masked[id(paper)] = (paper, work)
        return self._identity(paper.text_digest(), work.asked)

    def first_request(self, paper: Paper) -> ChatRequest:
        return next(self.requests(paper))

    def requests(self, paper: Paper) -> Iterator[ChatRequest]:
        yield from self._requests(self._work(paper), self._spec)

    def _requests(self, work: _Work, spec: RunSpec) -> Iterator[ChatRequest]:
        for texts in groups(work.texts) if work.parts else ({},):
            yield Prompter(spec, self._glossary, work.language).request(texts)

    def _first(self, work: _Work) -> Iterable[ChatRequest]:
        """The requests as they are sent; those of the fingerprint, where they have the same bytes."""
        if not work.asked or self._as_asked.target_language != self._spec.target_language:
            return self._requests(work, self._spec)
        return [capped(request, self._spec.max_tokens) for request in work.asked]

    def run(self, paper: Paper, ask: Ask) -> TaskResult:
        with self._lock:
            kept = self._masked.pop(id(paper), None)
        work = kept[1] if kept is not None and kept[0] is paper else self._work(paper)
        exchange = Exchange(Prompter(self._spec, self._glossary, work.language), work.spans(), ask)
        texts = work.texts
        readings = [
            exchange.translate(*group) for group in zip(groups(texts), self._first(work), strict=False)
        ]
        fields = {key: text for reading in readings for key, text in reading.fields.items()}
        error = next((reading.error for reading in readings if reading.error), None)
        said = checks = _checks(readings)
        if error is not None or any(reading.judged != frozenset(work.parts) for reading in readings):
            stored = {key: fields.get(key, "") for key in work.parts} if fields else {}
            checks = exchange.checks_of(texts, stored) if stored else (_NO_TEXT,)
        return self._result(paper, work, fields, _Verdict(checks, said, error))

    def _work(self, paper: Paper) -> _Work:
        language, masking = policy.source_language(paper), self._spec.masking_version
        work = _Work(language, {})
        number = 1
        for segment in segments(paper, self._spec.full_text, masking):
            masked = mask(segment.text, number, masking)
            if not policy.has_words(masked.text, language):
                continue
            work.parts[segment.key] = _Part(segment, masked, number)
            number += len(masked.spans)
        return work

    def _result(self, paper: Paper, work: _Work, fields: Mapping[str, str], verdict: _Verdict) -> TaskResult:
        texts = {
            key: unmask(fields[key], part.masked.spans, part.first) if key in fields else ""
            for key, part in work.parts.items()
        }
        exact = exactness(
            (key, part.segment.text, texts[key], part.masked)
            for key, part in work.parts.items()
            if key in fields
        )
        if verdict.checks != (_NO_TEXT,):
            verdict = replace(verdict, checks=(*verdict.checks, exact))
        return TaskResult(
            status="flagged" if verdict.failed else "done",
            fields=self._joined(paper, texts) if fields or not work.parts else {},
            checks=verdict.checks,
            error=verdict.error,
            faults=verdict.faults if verdict.failed else (),
        )

    def _joined(self, paper: Paper, texts: Mapping[str, str]) -> dict[str, Any]:
        return join(paper, self._spec.full_text, texts, self._spec.masking_version)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """``checks`` are of the texts as they are stored; ``said`` and ``stop`` are what the calls came to."""

    checks: tuple[Check, ...]
    said: tuple[Check, ...]
    stop: str | None

    @property
    def failed(self) -> tuple[str, ...]:
        return tuple(check.name for check in self.checks if check.verdict == "fail")

    @property
    def error(self) -> str | None:
        """Of a refused text: what ended its calls, where that is one of its faults or left no other text."""
        failed = self.failed
        return self.stop if failed and self.stop in (*failed, *STOPS) else next(iter(failed), None)

    @property
    def faults(self) -> tuple[Check, ...]:
        return tuple(check for check in self.said if check.verdict == "fail" and check not in self.checks)


def _checks(readings: list[Reading]) -> tuple[Check, ...]:
    """One verdict a check: the worst of all requests'."""
    worst: dict[str, Check] = {}
    for reading in readings:
        for check in reading.checks:
            if check.name not in worst or _SEVERITY[check.verdict] > _SEVERITY[worst[check.name].verdict]:
                worst[check.name] = check
    return tuple(worst.values())


_SEVERITY = {"pass": 0, "warn": 1, "fail": 2}
