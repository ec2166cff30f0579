"""Requests of the money protocols. A protocol is a generator of them, so that the same code runs on DynamoDB,
on a virtual clock and under a scheduler that lets it die between any two."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from handlers.adapters.dynamodb.values import Item, tagged

Comparison = tuple[str, Literal["=", "<", ">=", "absent"], Any]
"""Of an attribute with a value; "absent" compares with nothing."""
T = TypeVar("T")


@dataclass(frozen=True)
class Read:
    """Of one item, strongly consistent."""

    pk: str
    sk: str


@dataclass(frozen=True)
class Write:
    """Of one item, if all of ``when`` holds. ``plus`` is added to numbers, 0 where absent."""

    pk: str
    sk: str
    sets: Mapping[str, Any] = field(default_factory=dict)
    plus: Mapping[str, int] = field(default_factory=dict)
    when: Sequence[Comparison] = ()
    remove: Sequence[str] = ()

    def request(self) -> dict[str, Any]:
        """The clauses of DynamoDB's UpdateItem."""
        clauses = _Clauses()
        sets = [f"{clauses.name(name)} = {clauses.value(value)}" for name, value in self.sets.items()]
        for name, amount in self.plus.items():
            alias, zero = clauses.name(name), clauses.value(0)
            sets.append(f"{alias} = if_not_exists({alias}, {zero}) + {clauses.value(amount)}")
        removes = [clauses.name(name) for name in self.remove]
        update = f"SET {', '.join(sets)}" + (f" REMOVE {', '.join(removes)}" if removes else "")
        conditions = " AND ".join(clauses.condition(each) for each in self.when)
        return {
            "UpdateExpression": update,
            **({"ConditionExpression": conditions} if conditions else {}),
            "ExpressionAttributeNames": clauses.names,
            "ExpressionAttributeValues": clauses.values,
        }


class _Clauses:
    """Aliases of names and values: names hold colons."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: dict[str, Any] = {}
        self._aliases: dict[str, str] = {}

    def name(self, name: str) -> str:
        alias = self._aliases.setdefault(name, f"#n{len(self._aliases)}")
        self.names[alias] = name
        return alias

    def value(self, value: Any) -> str:
        alias = f":v{len(self.values)}"
        self.values[alias] = tagged(value)
        return alias

    def condition(self, comparison: Comparison) -> str:
        name, how, value = comparison
        if how == "absent":
            return f"attribute_not_exists({self.name(name)})"
        return f"{self.name(name)} {how} {self.value(value)}"


class Reply(NamedTuple):
    """``item`` as it is after a write that was taken, or as it stands where it was refused; None if there is
    none. A read is taken if it finds something."""

    taken: bool
    item: Item | None


Steps = Generator[Read | Write, Reply, T]


class StepTable(Protocol):
    """Where steps are done."""

    def get(self, pk: str, sk: str, *, consistent: bool = True) -> Item | None: ...

    def attempt(self, pk: str, sk: str, request: Mapping[str, Any]) -> tuple[bool, Item | None]: ...


def take_steps(table: StepTable, steps: Steps[T]) -> T:
    """Do one after the other; returns what the protocol returns."""
    try:
        step = next(steps)
        while True:
            step = steps.send(_done(table, step))
    except StopIteration as end:
        value: T = end.value
        return value


def _done(table: StepTable, step: Read | Write) -> Reply:
    if isinstance(step, Read):
        item = table.get(step.pk, step.sk)
        return Reply(item is not None, item)
    return Reply(*table.attempt(step.pk, step.sk, step.request()))


def same(item: Item, name: str) -> Comparison:
    """What ``item`` was read with."""
    return (name, "=", item[name]) if name in item else (name, "absent", None)
