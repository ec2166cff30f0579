"""``[[check]]``: the kinds that a task file may ask for, each with keys of its own."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from handlers.tasks.file_task.task_fault import Path, TaskFault, nearest
from handlers.wrong_value import wrong_value

Table = TypeVar("Table", bound="StrictTable")

MOST_CHECKS = 64
_Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9_.-]+$")]
_Texts = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=2_000)]], Field(min_length=1, max_length=200)
]


class StrictTable(BaseModel):
    """A table of a task file: strangers and other types are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=True
    )


class CheckTable(StrictTable):
    """What every check has."""

    kind: str
    field: str = "*"
    """Where in the answer: every text, ``a.b``, ``list[].quote``."""
    severity: Literal["fail", "warn"] = "fail"
    message: str | None = Field(default=None, min_length=1, max_length=1_000)
    name: _Name | None = None


class AlwaysCheck(CheckTable):
    """``refusal`` and ``repetition`` are on; this changes how severe they are."""


class LengthCheck(CheckTable):
    unit: Literal["characters", "words", "sentences"] = "characters"
    minimum: int | None = Field(default=None, ge=0)
    maximum: int | None = Field(default=None, ge=0)


class RegexCheck(CheckTable):
    pattern: str


class TextsCheck(CheckTable):
    texts: _Texts
    any_of: bool = False
    """One of them is enough (``contains``)."""


class UniqueCheck(CheckTable):
    pass


class SourceCheck(CheckTable):
    """Compared with what the record says in ``source``; in all that the prompt uses where none is named."""

    source: str | None = None


class NumbersCheck(CheckTable):
    source: str
    missing: bool = True
    """Whether a number of the source may not be missing."""


class MathematicsCheck(CheckTable):
    source: str


class LanguageCheck(CheckTable):
    language: str = Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")


class PluginCheck(CheckTable):
    """Code of an installed distribution. Which one, and its version, is pinned where the file is read, and is
    nothing that a file says."""

    plugin: _Name
    options: dict[str, Any] = {}
    distribution: str
    version: str


KINDS: dict[str, type[CheckTable]] = {
    "refusal": AlwaysCheck,
    "repetition": AlwaysCheck,
    "length": LengthCheck,
    "regex": RegexCheck,
    "contains": TextsCheck,
    "absent": TextsCheck,
    "unique": UniqueCheck,
    "no_copy": SourceCheck,
    "same_numbers": NumbersCheck,
    "mathematics": MathematicsCheck,
    "language": LanguageCheck,
    "quotes_source": SourceCheck,
    "plugin": PluginCheck,
}
_ORDER = {"extra_forbidden": 0, "missing": 2}
"""A key that is not known comes first: it may be the one that is missing."""
_SAID = {"model_type": "a table is wanted", "dict_type": "a table is wanted", "list_type": "a list is wanted"}
_ALWAYS = ("finish", "json", "schema", "agreement", "plugin_error")


def read_checks(tables: list[dict[str, Any]]) -> tuple[CheckTable, ...]:
    """The checks of a file, each with a name. TaskFault names what is wrong."""
    if len(tables) > MOST_CHECKS:
        raise TaskFault(("check", MOST_CHECKS), f"a task has {MOST_CHECKS} checks at most")
    checks = [_read(table, ("check", place)) for place, table in enumerate(tables)]
    kinds = [each.kind for each in checks]
    named = [
        each.model_copy(update={"name": each.name or _usual_name(each, kinds.count(each.kind) > 1)})
        for each in checks
    ]
    names = [each.name for each in named]
    for place, each in enumerate(named):
        if names.index(each.name) < place or each.name in _ALWAYS:
            raise TaskFault(("check", place), f"another check is called {each.name!r}: give a name")
    return tuple(named)


def _usual_name(check: CheckTable, again: bool) -> str:
    if isinstance(check, PluginCheck):
        return check.plugin
    return f"{check.kind} {check.field}" if again and check.field != "*" else check.kind


def _read(table: dict[str, Any], path: Path) -> CheckTable:
    kind = table.get("kind")
    if kind in _ALWAYS:
        raise TaskFault((*path, "kind"), f"{kind}: always on, and always fails the record")
    if not isinstance(kind, str) or kind not in KINDS:
        what = f"unknown kind {kind[:40]!r}" if isinstance(kind, str) else "a check has a kind"
        raise TaskFault((*path, "kind"), what + nearest(str(kind or ""), KINDS))
    check = read_table(KINDS[kind], table, path)
    if isinstance(check, LengthCheck) and check.minimum is None and check.maximum is None:
        raise TaskFault(path, "length: a minimum, a maximum or both are wanted")
    if isinstance(check, LengthCheck) and check.maximum is not None and (check.minimum or 0) > check.maximum:
        raise TaskFault(path, f"{check.minimum} is more than {check.maximum}: nothing can be between them")
    return check


def read_table(model: type[Table], table: object, path: Path) -> Table:
    """One table of the file. TaskFault names its first fault, and of an unknown key the nearest known one."""
    try:
        return model.model_validate(table)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        first = min(faults, key=lambda each: _ORDER.get(each["type"], 1))
        where = (*path, *first["loc"])
        if first["type"] == "extra_forbidden":
            known = _names_at(model, first["loc"][:-1])
            raise TaskFault(where, "unknown" + nearest(str(first["loc"][-1]), known)) from None
        if first["type"] == "missing":
            raise TaskFault(where, "it is missing") from None
        if said := _SAID.get(first["type"]):
            raise TaskFault(where, said) from None
        if first is not faults[0] or first["type"] == "string_pattern_mismatch":
            raise TaskFault(where, first["msg"][:300]) from None
        raise TaskFault(where, wrong_value(error)[1][:300]) from None


def _names_at(model: type[BaseModel], loc: Path) -> list[str]:
    """What may stand in the table that a path leads to."""
    for part in loc:
        field = model.model_fields.get(part) if isinstance(part, str) else None
        inner = [field.annotation, *get_args(field.annotation)] if field is not None else [model]
        model = next(
            (each for each in inner if isinstance(each, type) and issubclass(each, BaseModel)), model
        )
    return [field.alias or name for name, field in model.model_fields.items()]
