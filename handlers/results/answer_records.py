"""Columns of a task's answers and their values: what its export has in place of a translation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Self

from pydantic_core import from_json, to_json

from handlers.corpus.sources.source_notes import named, shown
from handlers.domain.run import RunSpec
from handlers.domain.tasks.answer_types import VECTOR, Schema, kinds_of
from handlers.domain.tasks.reads import RECORD, Reads
from handlers.domain.tasks.vectors import numbers_of
from handlers.errors import UsageError
from handlers.ports import ObjectStore

if TYPE_CHECKING:
    from handlers.tasks.file_task.task_bundle import TaskBundle

_BEFORE = ("id", "status")
_AFTER = (
    "checks", "usage", "error", "reason", "same_as", "reused_from", "model", "task", "gate", "fingerprint",
    "cost_usd", "notice",
)  # fmt: skip
"""Columns that every task's export has, before and after its answers."""
SOURCE, ANSWER = "source_", "answer_"
OWN = "own"
"""Stands for all columns of the source."""
_LOOKED_AT, _NAMED = 1_000, 40
_TYPES = {
    VECTOR: "FLOAT[]",
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
}
_JSON = "JSON"
_ALWAYS = {"checks": _JSON, "usage": _JSON, "cost_usd": "DOUBLE"}
_LEARNED_FROM = 100
"""Records by whose fields a name is told that none has."""
_DEEPEST = 20
"""Levels of a type; what is below is JSON."""


@dataclass(frozen=True)
class AnswerColumns:
    """One description, from which every format has its names and types. ``fields``: an answer's fields and
    their types in JSON Schema's words."""

    fields: Mapping[str, Schema]
    carry: tuple[str, ...] = ()
    reads: Reads = field(default_factory=lambda: Reads(fields=("title",)))
    task: str = ""
    normalise: bool = False
    """Vectors get length 1."""

    @classmethod
    def of_run(cls, spec: RunSpec, store: ObjectStore) -> Self | None:
        """None for a translation, whose columns are its own. DamagedObjectError if nothing tells any more
        what the run asked."""
        if spec.task_bundle is None:
            return None
        from handlers.tasks.file_task.stored_bundle import stored_bundle  # for such runs alone

        return cls.of_bundle(stored_bundle(spec.task_bundle, store))

    @classmethod
    def of_bundle(cls, bundle: TaskBundle) -> Self:
        tables = bundle.tables
        carry = tuple(tables.output.carry)
        return cls(bundle.columns, carry, bundle.reads, tables.name, tables.embed.normalise)

    @cached_property
    def answers(self) -> dict[str, str]:
        """Column → field of the answer: one that is called as another column, case aside, says that it is the
        answer's."""
        taken, found = {*_BEFORE, *_AFTER, OWN}, {}
        for name in self.fields:
            column = name
            while column.casefold() in taken:
                column = ANSWER + column
            taken.add(column.casefold())
            found[column] = name
        return found

    @cached_property
    def names(self) -> tuple[str, ...]:
        """In their order, without what is written only where it is asked for."""
        return (*_BEFORE, *self.answers, *(SOURCE + name for name in self.carry), *_AFTER)

    @property
    def common(self) -> tuple[str, ...]:
        """Columns that say nothing of the source."""
        return (*_BEFORE, *self.answers, *_AFTER)

    def source_field(self, column: str) -> str:
        """The field of the source that a column has."""
        return column.removeprefix(SOURCE)

    def types(self, columns: tuple[str, ...]) -> dict[str, str]:
        """DuckDB's type of each column."""
        typed = {column: duckdb_type(self.fields[name]) for column, name in self.answers.items()}
        return {name: typed.get(name, _ALWAYS.get(name, "VARCHAR")) for name in columns}

    def values(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """An answer's, by column."""
        values = {column: fields.get(name) for column, name in self.answers.items()}
        for column in self.vectors:
            if isinstance(stored := values[column], str):
                values[column] = numbers_of(stored, normalise=self.normalise)
        return values

    @cached_property
    def vectors(self) -> tuple[str, ...]:
        """Columns of vectors."""
        return tuple(
            column for column, name in self.answers.items() if kinds_of(self.fields[name]) == {VECTOR}
        )

    def of_source(self, column: str, paper: Mapping[str, Any]) -> Any:
        """What the source has, as it came."""
        return self.reads.value_of(paper, self.source_field(column))

    def chosen(self, columns: tuple[str, ...] | None, lines: Iterable[bytes]) -> tuple[str, ...]:
        """The columns that are asked for, ``own`` standing for all of the source's by the first thousand of
        ``lines``; without any, the usual ones. UsageError for one that there is not."""
        if columns is None:
            return self.names
        wanted = [name for name in columns if name != OWN and name not in self.names]
        looked_at = lines if wanted or OWN in columns else ()
        own: dict[str, None] = {}
        missing = set(wanted)
        for number, line in enumerate(looked_at):
            paper = from_json(line)
            if number >= _LOOKED_AT and not missing:
                break
            own |= dict.fromkeys(self.own(paper)) if number < _LOOKED_AT else {}
            missing -= {name for name in missing if self.of_source(name, paper) is not None}
        if missing:
            wrong = next(name for name in wanted if name in missing)
            there = ", ".join((*self.names, *list(own)[:_NAMED]))
            raise UsageError(f"--columns: there is no column {wrong!r}; there are {there}, and {OWN}")
        found = [list(own) if name == OWN else [name] for name in columns]
        return tuple(dict.fromkeys(chain.from_iterable(found)))

    def carried_by_none(self, lines: Iterable[bytes]) -> list[str]:
        """A sentence for each field of ``carry`` that no line has, with the nearest that one of the first
        hundred has. Lines that do not have its name are not parsed."""
        waiting = {name: _name_within(name) for name in self.carry}
        there: dict[str, None] = {}
        for number, line in enumerate(lines):
            if number >= _LEARNED_FROM and not any(name in line for name in waiting.values()):
                continue
            paper = from_json(line)
            there |= dict.fromkeys(map(self.source_field, self.own(paper))) if number < _LEARNED_FROM else {}
            waiting = {n: each for n, each in waiting.items() if self.of_source(n, paper) is None}
            if not waiting:
                break
        return [_no_record_has(name, list(there)) for name in waiting]

    def left_out(self, lines: Iterable[bytes]) -> tuple[str, ...]:
        """Fields of the first hundred lines, where a task file says of none that exports have it."""
        if self.carry:
            return ()
        papers = map(from_json, islice(lines, _LEARNED_FROM))
        there = dict.fromkeys(chain.from_iterable(map(self.own, papers)))
        return tuple(name for name in map(self.source_field, there) if name not in ("id", "language"))

    def own(self, paper: Mapping[str, Any]) -> Iterator[str]:
        """Columns for all fields of the source."""
        record = paper.get(RECORD)
        yield from (SOURCE + name for name in (record if isinstance(record, dict) else paper))


def _name_within(name: str) -> bytes:
    """What every line has that has the field."""
    return to_json(name.partition(".")[0])[1:-1]


def _no_record_has(name: str, there: Sequence[str]) -> str:
    near = get_close_matches(name, there, n=1, cutoff=0.5)
    hint = f"nearest: {shown(near[0])}" if near else f"the source has {named(there)}"
    return f"output.carry: no record has {shown(name)!r}, its column is empty; {hint}"


def duckdb_type(schema: Schema, depth: int = 0) -> str:
    """``VARCHAR``, ``BIGINT``, ``DOUBLE``, ``BOOLEAN``, lists and structs of them; ``JSON`` for what may be
    of several types. Null is a value of every type."""
    kinds = kinds_of(schema)
    if len(kinds) != 1 or depth >= _DEEPEST:
        return "DOUBLE" if kinds == {"integer", "number"} else _JSON
    (kind,) = kinds
    if kind == "array" and isinstance(schema.get("items"), Mapping):
        return f"{duckdb_type(schema['items'], depth + 1)}[]"
    parts = schema.get("properties", {}) if kind == "object" else {}
    if parts and len({name.casefold() for name in parts}) == len(parts):
        typed = {name: duckdb_type(each, depth + 1) for name, each in parts.items()}
        return f"STRUCT({', '.join(f'{_quoted(name)} {each}' for name, each in typed.items())})"
    return _TYPES.get(kind, _JSON)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
