"""The run that settings want of a corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.corpus.ingest import IngestResult
from handlers.runs.specification import specification
from handlers.runs.submit import RunRequest
from handlers.settings import Settings

if TYPE_CHECKING:
    from handlers.tasks.file_task.task_bundle import TaskBundle


def run_request(settings: Settings, corpus: IngestResult, bundle: TaskBundle | None = None) -> RunRequest:
    """UsageError as ``specification``'s."""
    return RunRequest(
        run_id=settings.run_id,
        spec=specification(settings, corpus, bundle),
        papers=corpus.papers,
        same_as=corpus.same_as,
        budget=settings.budget_nano,
    )
