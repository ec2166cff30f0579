"""A record that is asked several times over: each answer is durable before the next one is asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from handlers.domain.result import PartLine, PassageResult
from handlers.pipeline.run_paper import PaperAttempt, said_of
from handlers.ports import SampledTask


def sampled_outcome(attempt: PaperAttempt, task: SampledTask, put: Callable[[PartLine], None]) -> PartLine:
    """One answer after the other until they decide. ``put``: takes a line of the unfinished paper. Raises
    what the task and its calls raise; what was answered before is given again."""
    results: dict[str, PassageResult] = {}
    for work in task.samples(attempt.pending.paper):
        attempt.calls.keep = partial(_keep, attempt, work.key, put)
        result = results[work.key] = work.run(attempt.calls.ask)
        if (voted := task.voted(results)) is not None:
            return attempt.line_of(voted)
        if attempt.calls.records:
            passed = result.status == "done"
            why = None if passed else said_of(result) or result.error
            put(attempt.interim(work.key, passed=passed, reason=why))
            attempt.calls.set_down()
    return attempt.line_of(task.run(attempt.pending.paper, attempt.calls.ask))


def _keep(attempt: PaperAttempt, key: str, put: Callable[[PartLine], None]) -> None:
    """What of a sample was answered before it is repaired."""
    put(attempt.interim(key))
