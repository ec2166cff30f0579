"""The tables of a task file. A stored bundle has the same, with all files and short forms in them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from handlers.tasks.file_task.answers.check_kinds import StrictTable

NAME = r"^[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?$"
_Field = Annotated[str, Field(min_length=1, max_length=200)]
_Fields = Annotated[list[_Field], Field(min_length=1, max_length=200)]
_Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
_Stop = Annotated[str, Field(min_length=1, max_length=100)]
MOST_PROMPT = 256 * 1024
ANSWER, EMBED = "answer", "embed"
"""Kinds of tasks."""
MOST_EXAMPLES = 50


class InputTable(StrictTable):
    """What of a record is read, and which records are asked about."""

    shape: Literal["paper", "record"] = "paper"
    id: _Field = "id"
    title: _Field | None = None
    fields: _Fields | None = None
    require: list[_Field] | None = None
    languages: list[_Language] | None = None
    masking: bool = False
    unit: Literal["record", "passage"] = "record"
    """``passage``: the task is asked of each passage of the field ``body``."""
    most_characters: int = Field(default=60_000, ge=1, le=2_000_000)
    skip_no_derivatives: bool = True


class PromptTable(StrictTable):
    """The system prompt is the same for all records; the user's is made of a record's fields."""

    system: str | None = None
    user: str | None = None
    system_file: str | None = None
    user_file: str | None = None
    describe: bool = True


class ExampleTable(StrictTable):
    input: dict[str, Any]
    output: dict[str, Any] | str


class OutputTable(StrictTable):
    text: str | None = Field(default=None, min_length=1, max_length=100)
    fields: dict[str, Any] | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    schema_file: str | None = None
    carry: list[_Field] = Field(default=[], max_length=50)


class RepairTable(StrictTable):
    tries: int = Field(default=1, ge=0, le=3)


class ModelTable(StrictTable):
    """Defaults of how is asked; never which model, where, or what it costs."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=1, le=10_000)
    min_p: float | None = Field(default=None, ge=0, le=1)
    seed: int | None = Field(default=None, ge=0, lt=2**53)
    stop: _Stop | Annotated[list[_Stop], Field(min_length=1, max_length=4)] | None = None
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    enable_thinking: bool | None = None
    samples: int = 1
    """Answers to each record, of which most decide."""


class EmbedTable(StrictTable):
    """Of the vectors that ``kind = "embed"`` asks for."""

    dimensions: int | None = Field(default=None, ge=1, le=65_536)
    normalise: bool = False
    """Exports have them at length 1; what is asked and stored stays as it came."""


class TaskTables(StrictTable):
    """The whole file but its checks, which are read by their kinds."""

    v: Literal[1]
    name: str = Field(pattern=NAME)
    description: str = Field(default="", max_length=2_000)
    kind: str = "answer"
    input: InputTable = InputTable()
    prompt: PromptTable
    example: list[ExampleTable] = Field(default=[], max_length=MOST_EXAMPLES)
    output: OutputTable = OutputTable()
    embed: EmbedTable = EmbedTable()
    check: list[dict[str, Any]] = Field(default=[])
    repair: RepairTable = RepairTable()
    model: ModelTable = ModelTable()
