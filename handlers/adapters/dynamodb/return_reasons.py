"""Why messages went back to the queue, kept beside the ledger: SQS's own dead letters do not say."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from handlers.adapters.dynamodb.table import Table
from handlers.ports import Clock

_LONGEST = 2000


class DynamoDbReasons:
    def __init__(self, client: Any, table: str, clock: Clock) -> None:
        self._table = Table(client, table, clock)

    def put(self, body: str, reason: str) -> None:
        self._table.update(_key(body), "REASON", values={"reason": reason[:_LONGEST]})

    def of(self, bodies: Iterable[str]) -> dict[str, str]:
        keys = {_key(body): body for body in bodies}
        items = self._table.get_many([(key, "REASON") for key in keys])
        return {keys[pk]: str(item["reason"]) for (pk, _), item in items.items()}


def _key(body: str) -> str:
    return f"MESSAGE#{hashlib.sha256(body.encode('utf-8', 'surrogatepass')).hexdigest()}"
