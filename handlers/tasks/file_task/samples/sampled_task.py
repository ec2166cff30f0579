"""A task that asks each record several times over, until no later answer can change what most say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from handlers.domain.call import ChatRequest
from handlers.domain.call_errors import ContentFilteredError, TooLongError, UnansweredError
from handlers.domain.paper import Paper
from handlers.domain.result import Check, PassageResult, TaskResult
from handlers.ports import Ask
from handlers.tasks.file_task.answers.answer_judge import weight_of
from handlers.tasks.file_task.file_task import FileTask, RecordWork
from handlers.tasks.file_task.plugins.plugin_verdict import BROKEN
from handlers.tasks.file_task.samples.ballots import AGREEMENT, ballot_of, is_decided, leader

_ANSWER = "answer"
"""In the texts of a sample's result, its fields as JSON."""
_FEW = 0.5
"""Share of the answers under which they are said to disagree."""


@dataclass(frozen=True)
class RecordSample:
    """``ports.PassageWork``: one answer to a record, with its repairs."""

    task: SampledFileTask
    work: RecordWork
    number: int

    @property
    def key(self) -> str:
        return f"sample/{self.number}"

    @property
    def weight(self) -> int:
        return round(self.work.request.expected_tokens[0])

    def run(self, ask: Ask) -> PassageResult:
        request = self.work.request.model_copy(update={"sample": self.number})
        return self.task.sampled(self.key, replace(self.work, request=request), ask)


class SampledFileTask(FileTask):
    """``ports.SampledTask``. All answers are asked for in the same words: more of them keep what there is."""

    def requests(self, paper: Paper) -> Iterator[ChatRequest]:
        """As many as there may be: a plan does not count on answers that agree."""
        first = self.first_request(paper)
        for number in range(self._bundle.samples):
            yield first.model_copy(update={"sample": number})

    def samples(self, paper: Paper) -> Sequence[RecordSample]:
        work = self._work(paper)
        if work.characters > self._rules.most_characters:
            return ()
        return [RecordSample(self, work, number) for number in range(self._bundle.samples)]

    def sampled(self, key: str, work: RecordWork, ask: Ask) -> PassageResult:
        """One answer, mended where the checks refuse it. What the endpoint refuses has no vote."""
        try:
            result = self._result(work, self._answered(work, ask))
        except UnansweredError:
            raise
        except (TooLongError, ContentFilteredError) as error:
            code = "too_long" if isinstance(error, TooLongError) else "content_filter"
            result = self._flagged(code, str(error))
        return PassageResult(
            key=key,
            status=result.status,
            texts={_ANSWER: json.dumps(result.fields, ensure_ascii=False)},
            checks=result.checks,
            error=result.error,
        )

    def run(self, paper: Paper, ask: Ask) -> TaskResult:
        results: dict[str, PassageResult] = {}
        for sample in self.samples(paper):
            results[sample.key] = sample.run(ask)
            if (voted := self.voted(results)) is not None:
                return voted
        return super().run(paper, ask)  # too long: nothing is asked

    def voted(self, results: Mapping[str, PassageResult]) -> TaskResult | None:
        ordered = list(results.values())
        fields = [_fields_of(each) for each in ordered]
        ballots = [
            ballot_of(said, self._bundle.voted_on) if each.status == "done" else None
            for each, said in zip(ordered, fields, strict=True)
        ]
        if _is_hopeless(ordered):
            return self._refused(ordered, fields)
        if not is_decided(ballots, self._bundle.samples):
            return None
        first = leader(ballots)
        if first is None:
            return self._refused(ordered, fields)
        place, votes = ballots.index(first), ballots.count(first)
        share = votes / len(ballots)
        checks = (*ordered[place].checks, _agreement(share, votes, len(ballots)))
        said = {**fields[place], AGREEMENT: round(share, 4)}
        return TaskResult(status="done", fields=said, checks=checks, gate=self.gate)

    def undecided(self, results: Mapping[str, PassageResult]) -> TaskResult | None:
        refused = [each for each in results.values() if each.status != "done"]
        return self._refused(refused, list(map(_fields_of, refused))) if refused else None

    def _refused(self, ordered: list[PassageResult], fields: list[dict[str, Any]]) -> TaskResult:
        """No answer passes: the one with least wrong is shown."""
        best = min(range(len(ordered)), key=lambda place: weight_of(ordered[place].checks))
        return TaskResult(
            status="flagged",
            fields=fields[best],
            checks=ordered[best].checks,
            error=ordered[best].error,
            gate=self.gate,
        )


def _is_hopeless(ordered: Sequence[PassageResult]) -> bool:
    """Whether the first answer says that no other will pass: a record over the model's context stays so, and
    a plugin that is broken."""
    return len(ordered) == 1 and ordered[0].error in ("too_long", BROKEN)


def _fields_of(result: PassageResult) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(result.texts.get(_ANSWER, "{}"))
    return fields


def _agreement(share: float, votes: int, asked: int) -> Check:
    if share >= _FEW:
        return Check(name="agreement", verdict="pass")
    return Check(name="agreement", verdict="warn", detail=f"{votes} of {asked} answers say so.")
