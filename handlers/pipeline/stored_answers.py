"""What papers were answered before they ended: calls that are paid for and never made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handlers.domain.batch import BatchMessage
from handlers.domain.call import CallRecord
from handlers.domain.ledger import PaperRow
from handlers.domain.part_lines import decode
from handlers.domain.result import PartLine, PartPointer
from handlers.errors import DamagedObjectError
from handlers.ports import Ledger, ObjectStore


@dataclass(frozen=True)
class StoredCalls:
    """Of one paper, in the order in which they became durable. ``damaged``: a sentence for each line of them
    that cannot be read."""

    calls: tuple[CallRecord, ...]
    damaged: tuple[str, ...] = ()


def stored_calls(
    ledger: Ledger, store: ObjectStore, message: BatchMessage, papers: Mapping[str, PaperRow | None]
) -> dict[str, StoredCalls]:
    """Of those ``papers`` of a batch that have some, by id. ``papers``: what the ledger knows of each, which
    is pending; what it was answered before it was opened again does not count."""
    answers = ledger.answers(message.run_id, message.batch_id)
    found: dict[str, StoredCalls] = {}
    for paper_id, row in papers.items():
        opened = 0 if row is None else row.generation
        places = [each.pointer for each in answers.get(paper_id, ()) if each.generation >= opened]
        if row is not None and row.pointer is not None:  # all there is of an earlier release, on DynamoDB
            places.append(row.pointer)
        if places:
            found[paper_id] = _read(store, places)
    return found


def _read(store: ObjectStore, places: Sequence[PartPointer]) -> StoredCalls:
    """A call that lies in several lines is one: a line of an abstract says those before it again."""
    lines: list[PartLine] = []
    damaged: list[str] = []
    for where in dict.fromkeys(places):
        try:
            lines.append(decode(store.read(where.key, where.offset, where.length), where))
        except DamagedObjectError as error:
            damaged.append(str(error))
    lines.sort(key=lambda line: line.at)
    calls = {call.id: call for line in lines for call in line.carried + line.calls}
    return StoredCalls(tuple(calls.values()), tuple(damaged))
