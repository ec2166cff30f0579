"""What the callers of the bench are asked to do: papers for Paperfleet, the same requests for its peers."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handlers.domain.call import ChatRequest
from handlers.domain.paper import Paper
from handlers.tasks.translation.translate import TranslateTask
from tests.builders import values
from tests.builders.command import corpus, whole_papers
from tests.builders.task_files import SUBJECT, task_in, written
from tests.builders.whole_papers import whole_spec

_PARAGRAPHS = 16
_CALLS_OF_A_PAPER = 10
"""Of a body of so many paragraphs, with its head and its terms."""


@dataclass(frozen=True)
class Work:
    """``papers``: a file of papers that take about so many calls. ``requests``: those of a paper, folder for
    what they read. ``flags``: of ``run``, with a folder likewise."""

    papers: Callable[[Path, int], Path]
    requests: Callable[[Path], Callable[[Paper], Iterable[ChatRequest]]]
    flags: Callable[[Path], list[object]]


def _abstracts(folder: Path) -> Callable[[Paper], Iterable[ChatRequest]]:
    task = TranslateTask(values.spec())
    return lambda paper: [task.first_request(paper)]


def _bodies(folder: Path) -> Callable[[Paper], Iterable[ChatRequest]]:
    return TranslateTask(whole_spec()).requests


def _records(folder: Path) -> Callable[[Paper], Iterable[ChatRequest]]:
    return task_in(folder, SUBJECT).requests


def _whole(path: Path, calls: int) -> Path:
    return whole_papers(path, max(1, calls // _CALLS_OF_A_PAPER), paragraphs=_PARAGRAPHS)


ABSTRACTS = Work(corpus, _abstracts, lambda folder: [])
WHOLE = Work(_whole, _bodies, lambda folder: ["--full-text"])
SCHEMA = Work(corpus, _records, lambda folder: ["--task", written(folder, SUBJECT)])


def prompts(work: Work, papers: Path, target: Path) -> int:
    """Write the requests that Paperfleet would send for these papers, if all are answered well, equal ones
    once: ``id``, ``messages`` and ``form``, what else of the body says of the answer's form. Returns how
    many."""
    seen: set[str] = set()
    with (
        tempfile.TemporaryDirectory() as folder,
        papers.open(encoding="utf-8") as source,
        target.open("w", encoding="utf-8") as file,
    ):
        requests = work.requests(Path(folder))
        for line in source:
            for request in requests(Paper.model_validate_json(line)):
                if request.digest in seen:
                    continue
                messages = [message.model_dump() for message in request.messages]
                row = {"id": str(len(seen)), "messages": messages, "form": _form(request)}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                seen.add(request.digest)
    return len(seen)


def _form(request: ChatRequest) -> dict[str, Any]:
    if request.form is None or request.form.bounds is None:
        return {}
    schema = {"name": request.form.name, "strict": True, "schema": request.form.bounds}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}
