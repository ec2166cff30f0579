"""The task of a task file: fill in the prompt, ask, read, check, repair."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Self

from handlers.domain.call import CallKind, ChatRequest, Message
from handlers.domain.call_errors import ContentFilteredError, RejectedError, TooLongError
from handlers.domain.language_names import primary_subtag
from handlers.domain.licenses import refusal_to_derive
from handlers.domain.paper import Paper
from handlers.domain.result import OF_FILE, Check, TaskResult
from handlers.domain.run import RunSpec
from handlers.domain.tasks.reads import is_filled
from handlers.domain.token_estimate import expected_tokens
from handlers.domain.value import canonical_json, sha256_of_text
from handlers.errors import UsageError
from handlers.ports import Ask
from handlers.tasks.file_task.answer_form import MOST_TOKENS, most_tokens, usual_tokens
from handlers.tasks.file_task.answers.answer_checks import SentRecord
from handlers.tasks.file_task.answers.answer_judge import Judged, judge
from handlers.tasks.file_task.answers.answer_places import mapped
from handlers.tasks.file_task.task_bundle import TaskBundle, masking_version
from handlers.tasks.translation.masking.masking import mask, unmask
from handlers.tasks.translation.prompt import capped

_SPARE = 200
"""Tokens of an answer beyond three usual ones."""
_TOLD_BACK = 8_000
"""Characters of a refused answer that are sent back."""


@dataclass(frozen=True)
class RecordWork:
    """One record as it is sent. ``spans``: what its placeholders stand for, from 1."""

    request: ChatRequest
    record: SentRecord
    characters: int
    spans: tuple[str, ...] = ()


class FileTask:
    """``ports.Task`` of a bundle. Pure but for ``ask``."""

    notice = "Made by a language model; not reviewed."

    def __init__(self, bundle: TaskBundle, spec: RunSpec) -> None:
        self._bundle = bundle
        self._spec = spec
        self._rules = bundle.tables.input
        self.name = bundle.tables.name
        self.reads = bundle.reads
        self.columns: Mapping[str, Mapping[str, Any]] = bundle.columns
        self.carry = tuple(bundle.tables.output.carry)
        self.gate = bundle.gate
        self._most = most_tokens(bundle.schema.schema)

    @classmethod
    def of_run(cls, bundle: TaskBundle, spec: RunSpec) -> Self:
        """UsageError if another version would ask otherwise, or the bundle is not the run's."""
        asked = spec.prompt_version, spec.masking_version
        here = bundle.version, masking_version(bundle)
        if asked != here or spec.task_asks != bundle.asks:
            raise UsageError(
                f"the run was made for prompt {asked[0]} and masking {asked[1]} of its task, this version has"
                f" {here[0]} and {here[1]}: use one version everywhere, or give another --run-id"
            )
        return cls(bundle, spec)

    def with_settings(self, spec: RunSpec) -> Self:
        """The same of a run with other settings."""
        return type(self)(self._bundle, spec)

    def digest(self, paper: Paper) -> str:
        return self.reads.digest(paper)

    def size(self, paper: Paper) -> float:
        return self.reads.size(paper)

    def skip_reason(self, paper: Paper) -> str | None:
        values = self.reads.values(paper)
        for name in self._bundle.required:
            if not is_filled(values[name]):
                return f"no {name}"
        if not any(map(is_filled, values.values())):
            return "no text"
        if self._rules.skip_no_derivatives and (refusal := refusal_to_derive(paper.license)):
            return refusal
        languages = self._rules.languages
        if languages is None or paper.language is None:
            return None
        known = primary_subtag(paper.language)
        return None if known in set(map(primary_subtag, languages)) else f"in {paper.language}"

    @cached_property
    def _fixed(self) -> str:
        """What of the settings decides an answer, and is not in the messages."""
        spec = self._spec
        temperature = None if spec.temperature is None else float(spec.temperature)
        return canonical_json(
            [self._bundle.asks, spec.extra_body, spec.model, temperature, spec.max_tokens_field]
        )

    def fingerprint(self, paper: Paper) -> str:
        """``f1:`` and the sha256 of the first request's digest, the cap where it is below what the answer
        might take, and what of the settings decides an answer. Checks are not in it: they judge again."""
        request, cap = self._work(paper, capped_too=False).request, self._spec.max_tokens
        said = cap if cap is not None and cap < request.max_tokens else None
        return OF_FILE + sha256_of_text(canonical_json([request.digest, said]) + self._fixed)

    def earlier_fingerprints(self, paper: Paper) -> tuple[str, ...]:
        del paper
        return ()

    def first_request(self, paper: Paper) -> ChatRequest:
        return self._work(paper).request

    def requests(self, paper: Paper) -> Iterator[ChatRequest]:
        yield self.first_request(paper)

    def run(self, paper: Paper, ask: Ask) -> TaskResult:
        work = self._work(paper)
        if work.characters > self._rules.most_characters:
            most = f"the record has {work.characters:,} characters, over {self._rules.most_characters:,}"
            return self._flagged("too_long", most)
        try:
            return self._result(work, self._answered(work, ask))
        except (TooLongError, ContentFilteredError) as error:
            return self._flagged(
                "too_long" if isinstance(error, TooLongError) else "content_filter", str(error)
            )

    def _answered(self, work: RecordWork, ask: Ask) -> Judged:
        """The best answer, repairs among them."""
        judged = self._asked(work, work.request, ask)
        for _ in range(self._bundle.tables.repair.tries):
            if judged.passes or not judged.problems:
                break
            try:
                later = self._asked(work, self._repair(work, judged), ask)
            except RejectedError:  # what was answered before stands
                break
            if later.weight <= judged.weight:
                judged = later
        return judged

    def _asked(self, work: RecordWork, request: ChatRequest, ask: Ask) -> Judged:
        answer = ask(request)
        judged = judge(self._bundle, answer.content, answer.finish_reason, work.record)
        return replace(judged, request=request)

    def _flagged(self, error: str, why: str) -> TaskResult:
        check = Check(name=error, verdict="fail", detail=why[:500])
        return TaskResult(status="flagged", fields={}, checks=(check,), error=error, gate=self.gate)

    def _result(self, work: RecordWork, judged: Judged) -> TaskResult:
        fields = judged.fields or {}
        if work.spans:
            fields = mapped(fields, lambda text: unmask(text, work.spans))
        return TaskResult(
            status="done" if judged.passes else "flagged",
            fields=fields,
            checks=judged.checks,
            error=None if judged.passes else judged.error,
            gate=self.gate,
        )

    def _work(
        self, paper: Paper, *, capped_too: bool = True, more: Mapping[str, object] = MappingProxyType({})
    ) -> RecordWork:
        """``more``: values that are no fields of the record, and go before those."""
        reads, bundle = self.reads, self._bundle
        values: dict[str, object] = {
            path: more[path] if path in more else reads.value(paper, path) for path in bundle.user.paths
        }
        spans: list[str] = []
        if self._rules.masking:
            values = mapped(values, _masker(spans))
        user = Message(role="user", content=bundle.user.render(values.get))
        record = SentRecord({path: bundle.user.shown(path, value) for path, value in values.items()})
        request = self._request((*bundle.head, user), "ask", user.content, capped_too=capped_too)
        return RecordWork(request, record, len(user.content), tuple(spans))

    def _request(
        self,
        messages: tuple[Message, ...],
        kind: CallKind,
        source: str,
        *,
        twice: bool = False,
        capped_too: bool = True,
    ) -> ChatRequest:
        size = expected_tokens(len(source), len(source.encode("utf-8", "surrogatepass")))
        guess = usual_tokens(self._bundle.schema.schema, size)
        most = int(min(self._most, 3 * guess + _SPARE, MOST_TOKENS)) * (2 if twice else 1)
        made = ChatRequest(
            messages=messages, max_tokens=max(16, most), kind=kind, form=self._bundle.form, answer_guess=guess
        )
        return capped(made, self._spec.max_tokens) if capped_too else made

    def _repair(self, work: RecordWork, judged: Judged) -> ChatRequest:
        """The refused answer and its faults follow as two messages."""
        again = "with the text alone" if self._bundle.text_field else "with the whole JSON object"
        told = "\n".join(f"- {each}" for each in judged.problems)
        messages = (
            *work.request.messages,
            Message(role="assistant", content=judged.raw[:_TOLD_BACK] or "(nothing)"),
            Message(role="user", content=f"This answer is refused:\n{told}\nAnswer again, {again}."),
        )
        made = self._request(messages, "repair", work.request.messages[-1].content, twice=judged.cut)
        sample = work.request.sample
        return made.model_copy(update={"sample": sample}) if sample else made


def _masker(spans: list[str]) -> Callable[[str], str]:
    """Masks one text after the other, numbering on."""

    def masked(text: str) -> str:
        made = mask(text, len(spans) + 1)
        spans.extend(made.spans)
        return made.text

    return masked
