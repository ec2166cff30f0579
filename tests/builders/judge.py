"""A task whose gate refuses other papers than its own would, for stored answers that are judged again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from handlers.domain.paper import Paper
from handlers.domain.result import Check, TaskResult

Gate = Callable[[str], bool]
"""Whether a paper of this id is refused."""


class Judge:
    """``ports.Task``, whole papers' too where the task within is one."""

    gate = "strict"

    def __init__(self, task: Any, refuses: Gate) -> None:
        self._task, self._refuses = task, refuses

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def run(self, paper: Paper, *arguments: Any) -> TaskResult:
        return self._judged(paper, self._task.run(paper, *arguments))

    def result(self, paper: Paper, *arguments: Any) -> TaskResult:
        return self._judged(paper, self._task.result(paper, *arguments))

    def _judged(self, paper: Paper, result: TaskResult) -> TaskResult:
        if result.status == "flagged" or not self._refuses(paper.id):
            return result
        refused = Check(name="strict", verdict="fail", detail="It is not to be.")
        said = {"status": "flagged", "error": "strict", "checks": (*result.checks, refused)}
        return result.model_copy(update=said)
