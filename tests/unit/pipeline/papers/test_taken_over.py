"""Answers of a run with other checks are judged by the present ones before anything is paid for again."""

from __future__ import annotations

from pathlib import Path

import pytest

from handlers.domain.call import CallRecord
from handlers.pipeline.papers.taken_over import is_of_another_gate, still_done
from handlers.tasks.file_task.file_task import FileTask
from handlers.tasks.translation.translate import TranslateTask
from tests.builders import values
from tests.builders.task_files import SUMMARY, paper, task_in

SHORT = "A summary of the work in a few words."


def asked(task: FileTask, text: str) -> CallRecord:
    digest = task.first_request(paper()).digest
    return values.call(request=digest, raw=text, finish_reason="stop")


@pytest.mark.parametrize(("most", "done"), [(60, True), (9, True), (3, False)])
def test_what_passes_the_present_checks_is_done(tmp_path: Path, most: int, done: bool) -> None:
    task = task_in(tmp_path, SUMMARY.replace("maximum = 60", f"maximum = {most}"))
    result = still_done(task, paper(), [asked(task, SHORT)])
    assert (result is not None) == done
    assert result is None or (result.fields, result.gate) == ({"summary": SHORT}, task.gate)


def test_what_was_asked_otherwise_is_not_taken(tmp_path: Path) -> None:
    task = task_in(tmp_path, SUMMARY)
    assert still_done(task, paper(title="Another"), [asked(task, SHORT)]) is None
    assert still_done(task, paper(), []) is None


def test_translations_are_taken_over_as_they_are(tmp_path: Path) -> None:
    task = task_in(tmp_path, SUMMARY)
    line = values.part_line("p1")
    assert is_of_another_gate(task, line)
    assert not is_of_another_gate(task, line.model_copy(update={"gate": task.gate}))
    spec = values.spec(prompt_version="1", masking_version="2")
    assert not is_of_another_gate(TranslateTask(spec), line)
