"""``events/shard-task.json``: a run request with a task file, as this version makes it.

python -m tests.builders.task_event > events/shard-task.json
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from handlers.corpus.ingest import ingest
from handlers.corpus.sources.formats import open_source
from handlers.local.ingesting import SAMPLE
from handlers.runs.run_request import run_request
from handlers.settings import Settings
from handlers.tasks.file_task.load_task import load_task

EVENTS = Path(__file__).parents[2] / "events"
RUN, MODEL = "sample-task", "paperfleet-gloss"


def task_event(scratch: Path) -> dict[str, Any]:
    """Of the shipped corpus and ``events/subject.toml``."""
    bundle = load_task(EVENTS / "subject.toml")
    corpus = ingest(open_source(str(SAMPLE)), scratch, reads=bundle.reads)
    settings = Settings.model_validate({"run_id": RUN, "model": MODEL, "budget": 1, "state": scratch})
    return run_request(settings, corpus, bundle).model_dump(mode="json")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(json.dumps(task_event(Path(folder)), indent=2) + "\n")
