"""The run that settings want of a corpus."""

from __future__ import annotations

from handlers.corpus.ingest import IngestResult
from handlers.runs.specification import specification
from handlers.runs.submit import RunRequest
from handlers.settings import Settings


def run_request(settings: Settings, corpus: IngestResult) -> RunRequest:
    """UsageError as ``specification``'s."""
    return RunRequest(
        run_id=settings.run_id,
        spec=specification(settings, corpus),
        papers=corpus.papers,
        same_as=corpus.same_as,
        budget=settings.budget_nano,
    )
