"""Records that are dropped, since their id and text stand in an earlier line: what else they say is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import from_json

from handlers.corpus.normalise import Prepared
from handlers.corpus.seen_papers import Known
from handlers.domain.tasks.reads import RECORD

_NAMED = 8
"""Fields that a sentence names."""
_SHOWN = 60
"""Characters of such a name."""


class OtherContent(NamedTuple):
    """A dropped record that is not the earlier one over again."""

    number: int
    reason: str


class Duplicates:
    """The dropped records of a chunk, set against the earlier ones once those are in the corpus's file."""

    def __init__(self) -> None:
        self._dropped: list[tuple[Prepared, Known]] = []

    def __len__(self) -> int:
        return len(self._dropped)

    def add(self, dropped: Prepared, earlier: Known) -> None:
        self._dropped.append((dropped, earlier))

    def with_other_content(self, corpus: Path) -> list[OtherContent]:
        """Those that differ in any field, in their order. ``corpus`` has the earlier lines by now."""
        found = []
        with corpus.open("rb") as lines:
            for dropped, earlier in self._dropped:
                lines.seek(earlier.offset)
                line = lines.read(earlier.length)
                if line != dropped.line and not line.startswith(dropped.line[:-2] + b',"same_as":'):
                    reason = _other(dropped, line)
                    if reason:
                        where = f"dropped, for its id and text stand in line {earlier.line}"
                        found.append(OtherContent(dropped.number, f"{where}; {reason}"))
        self._dropped.clear()
        return found


def _other(dropped: Prepared, line: bytes) -> str:
    """What the dropped record says besides; "" for the same in another order."""
    if dropped.refusal:
        return dropped.refusal
    mine, other = _fields(dropped.line), _fields(line)
    names = [name for name in {**other, **mine} if mine.get(name) != other.get(name)]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"other here: {', '.join(name[:_SHOWN] for name in names[:_NAMED])}{more}" if names else ""


def _fields(line: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = from_json(line)
    fields.pop("same_as", None)
    record = fields.pop(RECORD, None)
    return {**fields, **record} if isinstance(record, dict) else {**fields, RECORD: record}
