"""The events of a run that its watchers have sent: an item an event, put if absent."""

from __future__ import annotations

from typing import Any

from handlers.adapters.dynamodb.table import Table, run_key
from handlers.ports import Clock


class DynamoDbSentEvents:
    """Remembers events over restarts and over all machines that work on a run."""

    def __init__(self, client: Any, table: str, clock: Clock, *, run_id: str, owner: str) -> None:
        """``owner``: of this process alone."""
        self._table = Table(client, table, clock)
        self._run_id = run_id
        self._owner = owner
        self._claimed: set[str] = set()

    def claim(self, key: str) -> bool:
        """True for exactly one caller a key, also if the answer to the request that won was lost."""
        if key in self._claimed:
            return False
        pk, sk = run_key(self._run_id), f"TOLD#{key}"
        mine = self._table.put_new({"pk": pk, "sk": sk, "owner": self._owner})
        if not mine:
            there = self._table.get(pk, sk)
            mine = there is not None and there["owner"] == self._owner
        self._claimed.add(key)
        return mine
