"""What is remembered of endpoints."""

from __future__ import annotations

from handlers.adapters.dynamodb.table import Table

_SK = "NOTE"


class EndpointItems:
    _table: Table

    def recall(self, key: str) -> str | None:
        item = self._table.get(_pk(key), _SK)
        return None if item is None else str(item["text"])

    def note(self, key: str, text: str, *, known: str | None) -> bool:
        free = "attribute_not_exists(pk)" if known is None else "#text = :known"
        arguments = {} if known is None else {"known": known}
        values = {"text": text}
        changed = self._table.update(_pk(key), _SK, values=values, condition=free, arguments=arguments)
        return changed is not None or self.recall(key) == text  # a repeated request finds its own work done


def _pk(key: str) -> str:
    return f"ENDPOINT#{key}"
