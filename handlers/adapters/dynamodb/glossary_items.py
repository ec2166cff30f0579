"""A run's glossary, in items of its own: an item holds 400 KB, and a run's settings are read for each job."""

from __future__ import annotations

import hashlib
import json

from handlers.adapters.dynamodb.table import Table
from handlers.errors import DamagedObjectError

_CHUNK = 100_000
"""Characters of an item, of up to four bytes each; less than 400 KB."""


class GlossaryItems:
    """By the digest of their content, written once: runs with the same terms share them."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._known: dict[str, dict[str, str]] = {}

    def put(self, terms: dict[str, str]) -> str:
        """Durable when it returns the digest that finds them."""
        text = json.dumps(terms, ensure_ascii=False, separators=(",", ":"))
        digest = _digest(text)
        for number, start in enumerate(range(0, len(text), _CHUNK)):
            chunk = {"pk": _key(digest), "sk": f"PART#{number:06d}", "text": text[start : start + _CHUNK]}
            self._table.put_new(chunk)
        return digest

    def get(self, digest: str) -> dict[str, str]:
        """DamagedObjectError if some of it is gone."""
        if digest not in self._known:
            text = "".join(item["text"] for item in self._table.query(_key(digest), "PART#"))
            if _digest(text) != digest:
                raise DamagedObjectError(
                    f"the glossary of a run is gone from table {self._table.name!r} or damaged: start a run "
                    "with another --run-id: it reuses every result that can be read"
                )
            self._known = {digest: json.loads(text)}
        return self._known[digest]


def _key(digest: str) -> str:
    return f"GLOSSARY#{digest}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
