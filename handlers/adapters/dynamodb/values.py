"""Plain values as DynamoDB wants them, and the clauses of an update."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

_SERIALIZER, _DESERIALIZER = TypeSerializer(), TypeDeserializer()
_NAME = re.compile(r"#(\w+)")

Item = dict[str, Any]
Key = tuple[str, str]


class Expression:
    """Gathers the clauses of an update and the names and values that they use."""

    def __init__(self, aliases: dict[str, str]) -> None:
        self._aliases = aliases
        self.names: dict[str, str] = {}
        self.values: dict[str, Any] = {}
        self.sets: list[str] = []
        self.removes: list[str] = []

    def name(self, name: str) -> str:
        self.names[f"#{name}"] = self._aliases.get(name, name)
        return f"#{name}"

    def named(self, clause: str) -> str:
        for name in _NAME.findall(clause):
            self.name(name)
        return clause

    def assign(self, name: str, value: Any) -> None:
        if value is None:
            self.removes.append(self.name(name))
        else:
            self.values[f":set_{name}"] = tagged(value)
            self.sets.append(f"{self.name(name)} = :set_{name}")

    def add(self, name: str, amount: int) -> None:
        self.values[":zero"] = tagged(0)
        self.values[f":add_{name}"] = tagged(amount)
        self.sets.append(f"{self.name(name)} = if_not_exists(#{name}, :zero) + :add_{name}")

    def request(self, condition: str | None, arguments: Mapping[str, Any]) -> dict[str, Any]:
        clauses = [f"SET {', '.join(self.sets)}"] if self.sets else []
        clauses += [f"REMOVE {', '.join(self.removes)}"] if self.removes else []
        request: dict[str, Any] = {"UpdateExpression": " ".join(clauses)}
        if condition is not None:
            request["ConditionExpression"] = self.named(condition)
        values = self.values | {f":{name}": tagged(value) for name, value in arguments.items()}
        if self.names:
            request["ExpressionAttributeNames"] = self.names
        if values:
            request["ExpressionAttributeValues"] = values
        return request


def key_of(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def tagged_item(item: Item) -> dict[str, Any]:
    return {name: tagged(value) for name, value in item.items() if value is not None}


def tagged(value: Any) -> dict[str, Any]:
    exact = Decimal(repr(value)) if isinstance(value, float) else value
    return cast("dict[str, Any]", _SERIALIZER.serialize(exact))


def plain(item: Mapping[str, Any]) -> Item:
    return {name: _plain(_DESERIALIZER.deserialize(tagged)) for name, tagged in item.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value
