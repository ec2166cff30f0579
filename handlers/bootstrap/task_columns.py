"""Of what form a run's answers are, where its task says so."""

from __future__ import annotations

from handlers.bootstrap.wiring import task_of
from handlers.domain.run import RunSpec
from handlers.ports import ObjectStore
from handlers.results.answer_records import AnswerColumns


def answer_columns(spec: RunSpec, store: ObjectStore) -> AnswerColumns | None:
    """None for a translation. A report or an export needs nothing else of the task."""
    if spec.task == "translate":
        return None
    return AnswerColumns.of(task_of(spec, store))
