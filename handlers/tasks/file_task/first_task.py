"""The task files that ``paperfleet task init`` writes."""

from __future__ import annotations

import re
from importlib import resources
from typing import Literal, get_args

from handlers.errors import UsageError
from handlers.tasks.file_task.task_tables import NAME

FirstKind = Literal["classify", "extract", "summarise", "score", "polish", "translate", "embed"]
FIRST_KINDS: tuple[FirstKind, ...] = get_args(FirstKind)


def first_file(name: str, kind: FirstKind) -> str:
    """The text of a file. UsageError for a name that a task cannot have."""
    if not re.fullmatch(NAME, name):
        raise UsageError(f"{name[:60]!r}: a task's name has letters, digits and dashes, up to 64")
    folder = resources.files("handlers.tasks.file_task.first_files")
    return folder.joinpath(f"{kind}.toml").read_text("utf-8").replace("NAME", name)
