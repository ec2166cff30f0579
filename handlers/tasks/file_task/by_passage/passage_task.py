"""A task that asks the same of each passage of a body, and joins the answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from handlers.domain.call import ChatRequest
from handlers.domain.call_errors import ContentFilteredError, TooLongError, UnansweredError
from handlers.domain.paper import Paper
from handlers.domain.result import Check, PassageResult, TaskResult
from handlers.domain.tasks.reads import texts_of
from handlers.domain.value import canonical_json, sha256_of_text
from handlers.ports import Ask
from handlers.tasks.file_task.by_passage.body_cut import BodyStretch, body_stretches
from handlers.tasks.file_task.by_passage.joined_answers import joined_answers
from handlers.tasks.file_task.file_task import FileTask, RecordWork
from handlers.tasks.file_task.task_bundle import BODY
from handlers.tasks.translation.passages.weights import MOST_PASSAGES
from handlers.tasks.translation.policy import source_language

_ANSWER = "answer"
"""In the texts of a passage's result, its fields as JSON."""
_MOST_CHECKS = 60
"""Of a record, those of all its passages that say something."""


@dataclass(frozen=True)
class StretchWork:
    """``ports.PassageWork``: the question about one passage."""

    task: PassageFileTask
    paper: Paper
    stretch: BodyStretch

    @property
    def key(self) -> str:
        return self.stretch.key

    @property
    def weight(self) -> int:
        return self.stretch.weight

    @cached_property
    def work(self) -> RecordWork:
        return self.task.passage_work(self.paper, self.stretch)

    def run(self, ask: Ask) -> PassageResult:
        result = self.task.asked(self.work, ask)
        return PassageResult(
            key=self.key,
            status=result.status,
            texts={_ANSWER: json.dumps(result.fields, ensure_ascii=False)},
            flagged=() if result.status == "done" else (self.key,),
            checks=result.checks,
            error=result.error,
        )


class PassageFileTask(FileTask):
    """``ports.WholePaperTask`` of one stage: a record's passages are asked side by side."""

    def fingerprint(self, paper: Paper) -> str:
        """By all that is read of it: its requests are made when they are asked, as cutting takes long."""
        cap = self._spec.max_tokens
        said = [self.digest(paper), cap if cap is not None and cap < self._most else None]
        return "f1:" + sha256_of_text(canonical_json(said) + self._fixed)

    def first_request(self, paper: Paper) -> ChatRequest:
        """Of a body without passages, one that asks about nothing."""
        empty = BodyStretch("body/0", "", "", 0)
        return self.passage_work(paper, next(self._stretches(paper), empty)).request

    def requests(self, paper: Paper) -> Iterator[ChatRequest]:
        for work in self._works(paper):
            yield work.work.request

    def is_whole(self, paper: Paper) -> bool:
        return bool(self._body(paper).strip())

    def first(self, paper: Paper) -> Sequence[StretchWork]:
        return self._works(paper)

    def frame(self, paper: Paper, results: Mapping[str, PassageResult]) -> dict[str, str]:
        del paper, results
        return {}

    def rest(self, paper: Paper, frame: Mapping[str, str]) -> Sequence[StretchWork]:
        del paper, frame
        return ()

    def run(self, paper: Paper, ask: Ask) -> TaskResult:
        return self.result(paper, {work.key: work.run(ask) for work in self._works(paper)})

    def result(self, paper: Paper, results: Mapping[str, PassageResult]) -> TaskResult:
        """Done only if every passage is; else with what those that passed said."""
        keys = [each.key for each in islice(self._stretches(paper), MOST_PASSAGES + 1)]
        if len(keys) > MOST_PASSAGES:
            return self._flagged("too_long", f"its body makes more than {MOST_PASSAGES:,} passages")
        there = [results[key] for key in keys if key in results]
        refused = [each.error or each.status for each in there if each.status != "done"]
        refused += ["failed"] if len(there) < len(keys) else []
        passed = [(each.key, _fields_of(each)) for each in there if each.status == "done"]
        unique = [each.steps for each in self._bundle.checks if each.table.kind == "unique"]
        properties: Mapping[str, Mapping[str, Any]] = self._bundle.schema.schema["properties"]
        return TaskResult(
            status="flagged" if refused else "done",
            fields=joined_answers(passed, properties, unique) if passed or not refused else {},
            checks=_collected(there),
            error=next(iter(refused), None),
            gate=self.gate,
        )

    def passage_work(self, paper: Paper, stretch: BodyStretch) -> RecordWork:
        return self._work(paper, more={"passage": stretch.text, "section": stretch.section})

    def asked(self, work: RecordWork, ask: Ask) -> TaskResult:
        """Of one passage."""
        if work.characters > self._rules.most_characters:
            most = f"the passage has {work.characters:,} characters, over {self._rules.most_characters:,}"
            return self._flagged("too_long", most)
        try:
            return self._result(work, self._answered(work, ask))
        except UnansweredError:
            raise
        except (TooLongError, ContentFilteredError) as error:
            code = "too_long" if isinstance(error, TooLongError) else "content_filter"
            return self._flagged(code, str(error))

    def _works(self, paper: Paper) -> Sequence[StretchWork]:
        """None of a body that makes too many."""
        found = list(islice(self._stretches(paper), MOST_PASSAGES + 1))
        return [StretchWork(self, paper, each) for each in found] if len(found) <= MOST_PASSAGES else []

    def _stretches(self, paper: Paper) -> Iterator[BodyStretch]:
        return body_stretches(self._body(paper), source_language(paper))

    def _body(self, paper: Paper) -> str:
        return "\n\n".join(texts_of(self.reads.value(paper, BODY)))


def _fields_of(result: PassageResult) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(result.texts.get(_ANSWER, "{}"))
    return fields


def _collected(results: Sequence[PassageResult]) -> tuple[Check, ...]:
    """Each check once where every passage passes it, else with the passages that it speaks of."""
    names = dict.fromkeys(check.name for each in results for check in each.checks)
    said = [
        check.model_copy(update={"detail": f"{each.key}: {check.detail}"[:2_000]})
        for each in results
        for check in each.checks
        if check.verdict != "pass"
    ]
    worse = {check.name for check in said}
    passed = [Check(name=name, verdict="pass") for name in names if name not in worse]
    return (*passed, *said[:_MOST_CHECKS])
