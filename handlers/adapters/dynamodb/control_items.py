"""A run's control item, and sixteen copies of it that its jobs listen to: what people decided, and what jobs
tell all others.

One item decides. Whoever changes it writes the copies after it, each on condition that it is older; a writer
that dies in between is heard by those who ask the item itself, and they mend the copies.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

from handlers.adapters.dynamodb.table import Table, run_key
from handlers.adapters.dynamodb.values import Item
from handlers.domain.job import JobStats
from handlers.domain.run import Control
from handlers.errors import UnknownRunError

_COPIES = 16
_LEARNED = ("overrun", "room")
_COPIED = ("state", "reason", "at", "version", "short", *_LEARNED)


class Heard(NamedTuple):
    """The copy that a process listens to, and what it said last."""

    copy: int
    version: int
    short: bool


class ControlItems:
    _table: Table
    _heard: dict[str, Heard]
    """By run."""
    _learned: dict[tuple[str, str], int]
    """Run and what was learned → the most that this process knows that all know."""

    def create_control(self, run_id: str) -> None:
        values = {"state": "active", "reason": "", "at": 0.0, "version": 0}
        keys = [(run_key(run_id), "CONTROL"), *(_copy(run_id, number) for number in range(_COPIES))]
        self._table.map(lambda key: self._table.put_new({"pk": key[0], "sk": key[1], **values}), keys)

    def change_control(self, run_id: str, control: Control, *, condition: str) -> None:
        """In the condition ``:active`` is the state of that name."""
        item = self._table.update(
            run_key(run_id),
            "CONTROL",
            values={"state": control.state, "reason": control.reason, "at": control.at},
            plus={"version": 1},
            condition=condition,
            arguments={"active": "active"} if ":active" in condition else {},
        )
        self._tell_all(run_id, item)

    def say_short(self, run_id: str, heard: Heard | None) -> None:
        """The run's money is short, unless somebody has changed the item since this was ``heard``, before the
        money was asked for: then it may be no more."""
        if heard is None or heard.short:
            return
        item = self._table.update(
            run_key(run_id),
            "CONTROL",
            values={"short": True},
            plus={"version": 1},
            condition="#version = :version AND attribute_not_exists(#short)",
            arguments={"version": heard.version},
        )
        self._tell_all(run_id, item)

    def say_enough(self, run_id: str) -> None:
        condition = "attribute_exists(pk)"
        item = self._table.update(
            run_key(run_id), "CONTROL", values={"short": None}, plus={"version": 1}, condition=condition
        )
        self._tell_all(run_id, item)

    def say_learned(self, run_id: str, stats: JobStats) -> None:
        """Keep the most of what jobs have learned of the model, for all and for those to come."""
        for name in _LEARNED:
            tokens = getattr(stats, name)
            if tokens <= self._learned.get((run_id, name), 0):
                continue
            item = self._table.update(
                run_key(run_id),
                "CONTROL",
                values={name: tokens},
                plus={"version": 1},
                condition=f"attribute_exists(pk) AND (attribute_not_exists(#{name}) OR #{name} < :tokens)",
                arguments={"tokens": tokens},
            )
            self._tell_all(run_id, item)
            self._learned[run_id, name] = tokens

    def most_overrun(self, run_id: str) -> int:
        return self.control(run_id).overrun

    def most_room(self, run_id: str) -> int:
        return self.control(run_id).room

    def _tell_all(self, run_id: str, item: Item | None) -> None:
        if item is not None:
            self._table.map(lambda number: self._tell(run_id, number, item), range(_COPIES))

    def control(self, run_id: str) -> Control:
        item = self._control_item(run_id)
        heard = self._heard.get(run_id)
        if heard is not None and heard.version < item["version"]:
            self._tell(run_id, heard.copy, item)
        return _control(item)

    def _control_item(self, run_id: str) -> Item:
        item = self._table.get(run_key(run_id), "CONTROL")
        if item is None:
            raise UnknownRunError(f"no run {run_id!r} in table {self._table.name!r}")
        return item

    def heard_control(self, run_id: str, listener: str) -> Control:
        number = zlib.crc32(listener.encode()) % _COPIES
        item = self._table.get(*_copy(run_id, number), consistent=False)
        if item is None:  # who made the run died before he made the copies
            return self.control(run_id)
        self._heard[run_id] = Heard(number, item["version"], item.get("short", False))
        return _control(item)

    def _tell(self, run_id: str, number: int, item: Item) -> None:
        self._table.update(
            *_copy(run_id, number),
            values={name: item.get(name) for name in _COPIED},
            condition="attribute_not_exists(#version) OR #version < :newer",
            arguments={"newer": item["version"]},
        )


def _copy(run_id: str, number: int) -> tuple[str, str]:
    return f"CONTROL#{run_id}#{number:02d}", "CONTROL"


def _control(item: Item) -> Control:
    learned = (item.get(name, 0) for name in _LEARNED)
    return Control(item["state"], item["reason"], float(item["at"]), item.get("short", False), *learned)
