"""What a task file of ``kind = "embed"`` may say, and what it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handlers.domain.run import EMBEDS
from handlers.domain.tasks.answer_types import VECTOR
from handlers.tasks.file_task.task_fault import TaskFault
from handlers.tasks.file_task.task_tables import OutputTable, TaskTables

EMBED_VERSION = EMBEDS + "1"
"""``prompt_version`` of a run whose answers are vectors."""
VECTOR_FIELD = "vector"
COLUMNS: Mapping[str, Mapping[str, Any]] = {VECTOR_FIELD: {"type": VECTOR}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {VECTOR_FIELD: {"type": "array", "items": {"type": "number"}}},
    "required": [VECTOR_FIELD],
    "additionalProperties": False,
}
"""As other tasks' answers have one; no prompt says it."""
NOT_OF_VECTORS = frozenset(("example", "check", "repair", "model"))
"""Tables that say something of answers in words."""


def check_embed(value: Mapping[str, Any], tables: TaskTables) -> None:
    """TaskFault for what says nothing of a vector: whoever writes it expects something of it."""
    for name in sorted(NOT_OF_VECTORS):
        if value.get(name):
            raise TaskFault((name,), 'a vector has none: it belongs to kind = "answer"')
    if tables.prompt.system is not None:
        why = "only one text is sent for a vector: put these words before the record's in user"
        raise TaskFault(("prompt", "system"), why)
    if tables.output != OutputTable(carry=tables.output.carry):
        raise TaskFault(("output",), "the answer is a vector: only carry is said here")
    if tables.input.unit != "record":
        raise TaskFault(("input", "unit"), "not available in this version: a vector is of a whole record")
    if tables.input.masking:
        raise TaskFault(("input", "masking"), "a vector of placeholders is none of the text")
