"""The task file that the settings name, for every command that begins with a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.domain.tasks.reads import Reads
from handlers.flag_groups import names_in
from handlers.settings import Settings

if TYPE_CHECKING:
    from handlers.tasks.file_task.task_bundle import TaskBundle


def task_bundle(settings: Settings) -> TaskBundle | None:
    """What it is resolved into; None where papers are translated. UsageError has the file's line."""
    if settings.task is None:
        return None
    from handlers.tasks.file_task.load_task import load_task  # for such runs alone

    return load_task(settings.task, names_in(settings.allow_plugins))


def task_reads(settings: Settings) -> Reads | None:
    """What of a record the settings' task reads; None where papers are translated."""
    bundle = task_bundle(settings)
    return None if bundle is None else bundle.reads
