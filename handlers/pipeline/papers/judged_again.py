"""Results of an earlier run under another gate: what was answered then is judged by the present one."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from handlers.domain.call import CallRecord, ChatAnswer, ChatRequest
from handlers.domain.paper import Paper
from handlers.domain.result import PartLine, TaskResult
from handlers.pipeline.calls.thinking import is_whole
from handlers.ports import Task

logger = logging.getLogger(__name__)


class _NotAnsweredError(Exception):
    """The task asks what nobody was asked before."""


def is_of_another_gate(task: Task, line: PartLine) -> bool:
    """Whether a task of records judges otherwise than what judged the line. Translations are taken over as
    they are: what their gate let through stays."""
    return task.columns is not None and line.gate != task.gate


def judged_again(task: Task, paper: Paper, calls: Iterable[CallRecord]) -> TaskResult | None:
    """What the task makes of the paper with these answers alone; None if it does not come to be done."""
    known = {call.request: call for call in calls if is_whole(call)}

    def ask(request: ChatRequest) -> ChatAnswer:
        call = known.get(request.digest)
        if call is None:
            raise _NotAnsweredError
        return ChatAnswer(content=call.raw or "", finish_reason=call.finish_reason, usage=call.usage)

    try:
        result = task.run(paper, ask)
    except _NotAnsweredError:
        return None
    except Exception:  # its own run says what is the matter
        logger.warning("what paper %s was answered cannot be judged", paper.id, exc_info=True)
        return None
    return result if result.status == "done" else None
