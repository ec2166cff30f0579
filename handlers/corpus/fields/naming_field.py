"""Which field of a record may be the one that names it, for a message: a guess that nobody acts on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice

_LOOKED_AT, _LONGEST = 100, 100
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\dA-Za-z_]+")
_ID = frozenset({"id", "ids", "uuid", "guid"})
_OTHERS = frozenset(
    ["identifier", "identifiant", "identificador", "kennung", "key", "pk", "number", "no", "num", "nr",
     "nummer", "numero", "número", "numéro", "номер", "doi", "pmid", "pmcid", "arxiv", "accession", "asin",
     "isbn", "sku", "handle", "slug", "code", "index"]
)  # fmt: skip
_NONE = 4
"""Rank of a field that is not called so."""
_MARKS = ("编号", "編號", "序号", "序號", "标识", "標識", "号码", "番号", "번호")


def naming_field(record: Mapping[str, object]) -> str | None:
    """The first field that is called as one that names (``review_id``, ``Review ID``, ``ticketNumber``), and
    holds a word or a number; None without one."""
    ranked = [(_rank(name, value), name) for name, value in islice(record.items(), _LOOKED_AT)]
    best, name = min(ranked, key=lambda each: each[0], default=(_NONE, ""))
    return name if best < _NONE else None


def _rank(name: str, value: object) -> int:
    if len(name) > _LONGEST or not isinstance(value, str | int) or not str(value).strip():
        return _NONE
    words = [word.casefold() for word in _WORD.findall(name)]
    if words and words[-1] in _ID:
        return 0
    if not _ID.isdisjoint(words) or any(mark in name for mark in _MARKS):
        return 1
    if name.casefold().endswith("id") and any(c.isdigit() for c in str(value)[:_LONGEST]):
        return 2
    return _NONE if _OTHERS.isdisjoint(words) else 3
