"""A run's control item, and sixteen copies of it that its jobs listen to.

One item decides. Whoever changes it writes the copies after it, each on condition that it is older; a writer
that dies in between is heard by those who ask the item itself, and they mend the copies.
"""

from __future__ import annotations

import zlib

from handlers.adapters.dynamodb.table import Table, run_key
from handlers.adapters.dynamodb.values import Item
from handlers.domain.run import Control
from handlers.errors import UnknownRunError

_COPIES = 16


class ControlItems:
    _table: Table
    _heard: dict[str, tuple[int, int]]
    """Run → the copy that this process listens to, and its version when it was read last."""

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
        if item is not None:
            self._table.map(lambda number: self._tell(run_id, number, item), range(_COPIES))

    def control(self, run_id: str) -> Control:
        item = self._table.get(run_key(run_id), "CONTROL")
        if item is None:
            raise UnknownRunError(f"no run {run_id!r} in table {self._table.name!r}")
        number, version = self._heard.get(run_id, (0, item.get("version", 0)))
        if version < item.get("version", 0):
            self._tell(run_id, number, item)
        return _control(item)

    def heard_control(self, run_id: str, listener: str) -> Control:
        number = zlib.crc32(listener.encode()) % _COPIES
        item = self._table.get(*_copy(run_id, number), consistent=False)
        if item is None:  # the run is of an earlier release
            return self.control(run_id)
        self._heard[run_id] = (number, item["version"])
        return _control(item)

    def _tell(self, run_id: str, number: int, item: Item) -> None:
        self._table.update(
            *_copy(run_id, number),
            values={name: item[name] for name in ("state", "reason", "at", "version")},
            condition="attribute_not_exists(#version) OR #version < :newer",
            arguments={"newer": item["version"]},
        )


def _copy(run_id: str, number: int) -> tuple[str, str]:
    return f"CONTROL#{run_id}#{number:02d}", "CONTROL"


def _control(item: Item) -> Control:
    return Control(item["state"], item["reason"], float(item["at"]))
