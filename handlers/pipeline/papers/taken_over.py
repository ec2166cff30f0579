"""Results of an earlier run under another gate: what was answered then is judged by the present one."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from handlers.domain.call import CallRecord, ChatAnswer, ChatRequest
from handlers.domain.call_errors import UnansweredError
from handlers.domain.paper import Paper
from handlers.domain.result import PartLine, TaskResult
from handlers.pipeline.papers.known_answers import KnownAnswers
from handlers.ports import Task

logger = logging.getLogger(__name__)


def is_of_another_gate(task: Task, line: PartLine) -> bool:
    """Whether a task of records judges otherwise than what judged the line. Translations are taken over as
    they are: what their gate let through stays."""
    return task.columns is not None and line.gate != task.gate


def still_done(task: Task, paper: Paper, calls: Iterable[CallRecord]) -> TaskResult | None:
    """What the task makes of the paper with these answers alone; None if it does not come to be done."""
    try:
        result = task.run(paper, KnownAnswers(calls).ask)
    except Exception:  # its own run says what is the matter
        logger.warning("what paper %s was answered cannot be judged", paper.id, exc_info=True)
        return None
    return result if result.status == "done" else None


@dataclass
class _Lacking:
    """``ports.Ask`` of what is known, which remembers whether anything else was asked."""

    known: KnownAnswers
    lacks: bool = False

    def ask(self, request: ChatRequest) -> ChatAnswer:
        try:
            return self.known.ask(request)
        except UnansweredError:
            self.lacks = True
            raise


def still_flagged(task: Task, paper: Paper, calls: Iterable[CallRecord]) -> TaskResult | None:
    """The verdict on answers that were refused, by the present gate; None if the task would ask anything
    besides."""
    asked = _Lacking(KnownAnswers(calls))
    try:
        result = task.run(paper, asked.ask)
    except Exception:  # its own run says what is the matter
        logger.warning("what paper %s was answered cannot be judged", paper.id, exc_info=True)
        return None
    return None if asked.lacks else result
