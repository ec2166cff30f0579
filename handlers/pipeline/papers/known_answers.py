"""Answers that are stored, to be judged again: nothing is asked."""

from __future__ import annotations

from collections.abc import Iterable

from handlers.domain.call import CallRecord, ChatAnswer, ChatRequest
from handlers.domain.call_errors import ContentFilteredError, TooLongError, UnansweredError
from handlers.domain.paper import Paper
from handlers.domain.result import TERMS, PassageResult, TaskResult
from handlers.pipeline.calls.thinking import is_whole
from handlers.ports import SampledTask, Task, WholePaperTask

_FILTERED, _TOO_LONG = "content_filter", "too_long"
_MENDING = ("repair", "split")


class KnownAnswers:
    """``ports.Ask`` that gives what was answered before, of several answers to a request the last.

    ``any_repair``: a repair is answered whole, so that one which was asked for in other words, after other
    faults, is one for this record too.
    """

    def __init__(self, calls: Iterable[CallRecord], *, any_repair: bool = False) -> None:
        calls = list(calls)
        self._repairs = [
            call for call in calls if any_repair and call.asked_as == "repair" and is_whole(call)
        ]
        self._known = {call.request: call for call in calls if is_whole(call)}
        self._refused = {call.request: call.code for call in calls if call.outcome == "refused"}
        self.given = 0
        """Answers that were asked for and known."""
        self.missed = 0
        """Others, but for those that only mend an answer."""

    def ask(self, request: ChatRequest) -> ChatAnswer:
        digest = request.digest
        known = self._known.get(digest) or self._repair(request)
        if known is not None:
            self._repairs = [each for each in self._repairs if each.id != known.id]
            self.given += 1
            return ChatAnswer(content=known.raw or "", finish_reason=known.finish_reason, usage=known.usage)
        if digest in self._refused:
            code = self._refused[digest] or _TOO_LONG
            raise (ContentFilteredError if code == _FILTERED else TooLongError)("refused before", code=code)
        self.missed += request.kind not in _MENDING
        raise UnansweredError("this was never answered", code=_TOO_LONG)

    def _repair(self, request: ChatRequest) -> CallRecord | None:
        return self._repairs[0] if request.kind == "repair" and self._repairs else None


def judged_again(
    task: Task, paper: Paper, answers: KnownAnswers, frame: dict[str, str] | None
) -> tuple[TaskResult, dict[str, PassageResult]]:
    """What the task makes of a paper by what is known alone, and of each of its passages, if it has any.
    ``frame``: the one that its body was asked with. Raises what the task raises."""
    if not (isinstance(task, WholePaperTask) and task.is_whole(paper)):
        if isinstance(task, SampledTask):
            return _sampled_again(task, paper, answers), {}
        return task.run(paper, answers.ask), {}
    works = [work for work in task.first(paper) if frame is None or work.key != TERMS]
    results = {work.key: work.run(answers.ask) for work in works}
    frame = dict(task.frame(paper, results)) if frame is None else frame
    results |= {work.key: work.run(answers.ask) for work in task.rest(paper, frame)}
    return task.result(paper, results), results


def _sampled_again(task: SampledTask, paper: Paper, answers: KnownAnswers) -> TaskResult:
    """Each stored answer is judged. Where those that pass do not decide, for others are refused, a retry asks
    for what is missing."""
    results: dict[str, PassageResult] = {}
    for work in task.samples(paper):
        missed = answers.missed
        try:
            results[work.key] = work.run(answers.ask)
        except UnansweredError:
            if (verdict := task.undecided(results)) is None:
                raise
            answers.missed = missed
            return verdict
        if (voted := task.voted(results)) is not None:
            return voted
    return task.run(paper, answers.ask)
