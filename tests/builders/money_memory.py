"""Items of the budget's tree in memory, which do the steps of its protocols and say what each is billed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from handlers.adapters.dynamodb.money.money_steps import Comparison, Read, Reply, Steps, T, Write
from handlers.adapters.dynamodb.values import Item, Key


class MoneyMemory:
    def __init__(self, heard: Callable[[Key, str, float], None] = lambda *_: None) -> None:
        """``heard`` is told of each step's key, its kind ("R" or "W") and its units."""
        self.items: dict[Key, Item] = {}
        self._heard = heard

    def do(self, step: Read | Write) -> Reply:
        key = (step.pk, step.sk)
        item = self.items.get(key)
        if isinstance(step, Read):
            self._heard(key, "R", math.ceil(size_of(item or {}) / 4096))
            return Reply(item is not None, None if item is None else dict(item))
        if not all(_holds(item or {}, each) for each in step.when):
            self._heard(key, "W", math.ceil(size_of(item or {}) / 1024))
            return Reply(False, None if item is None else dict(item))
        changed = dict(item or {}) | step.sets
        for name, amount in step.plus.items():
            changed[name] = changed.get(name, 0) + amount
        for name in step.remove:
            del changed[name]
        self.items[key] = changed
        self._heard(key, "W", math.ceil(max(size_of(changed), size_of(item or {})) / 1024))
        return Reply(True, dict(changed))

    def run(self, steps: Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                step = steps.send(self.do(step))
        except StopIteration as end:
            value: T = end.value
            return value


def size_of(item: Item) -> int:
    """Bytes, as DynamoDB counts them, of an item with a key of 40."""
    return 40 + sum(len(name) + _size(value) for name, value in item.items())


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    digits = len(str(abs(int(value))).rstrip("0")) or 1
    return 1 + (digits + 1) // 2 + (value < 0)


def _holds(item: Item, comparison: Comparison) -> bool:
    name, how, value = comparison
    there = item.get(name)
    if how == "absent" or there is None:
        return how == "absent" and there is None
    return bool({"=": there == value, "<": there < value, ">=": there >= value}[how])
