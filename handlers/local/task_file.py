"""The task file that the settings name, for every command that begins with a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic_core import from_json, to_json

from handlers.domain.tasks.reads import BY_DIGEST, RECORD, Reads
from handlers.settings import Settings

if TYPE_CHECKING:
    from handlers.tasks.file_task.task_bundle import TaskBundle


def task_bundle(settings: Settings) -> TaskBundle | None:
    """What it is resolved into; None where papers are translated. UsageError has the file's line."""
    if settings.task is None:
        return None
    from handlers.tasks.file_task.load_task import load_task  # for such runs alone

    return load_task(settings.task)


def task_reads(settings: Settings) -> Reads | None:
    """What of a record the settings' task reads; None where papers are translated."""
    bundle = task_bundle(settings)
    return None if bundle is None else bundle.reads


def as_source(line: bytes, reads: Reads | None) -> bytes:
    """A line of a corpus as a source has it, which makes the same line when it is ingested again."""
    if reads is None or reads.shape != "record":
        return line
    whole = from_json(line)
    record = whole[RECORD]
    if reads.id != BY_DIGEST and reads.id not in record:
        record[reads.id] = whole["id"]  # --map said which field it is
    return to_json(record) + b"\n"


def ingested_again(reads: Reads | None) -> Reads | None:
    """What is read of lines that ``as_source`` gives: papers have their id by its own name by then."""
    if reads is None or reads.shape == "record":
        return reads
    return reads.model_copy(update={"id": "id"})
