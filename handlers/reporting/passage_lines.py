"""Lines of whole papers' passages: they hold calls, and are no papers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence

from handlers.domain.call import CallRecord
from handlers.domain.ledger import StoredAnswer
from handlers.domain.part_lines import decode
from handlers.domain.result import PartLine, PartPointer
from handlers.errors import DamagedObjectError
from handlers.ports import Ledger, ObjectStore

_BATCHES = 64
"""Whose answers are remembered: neighbours in the corpus are of one batch, by their ids of a few."""


class PassageLines:
    """Asks the ledger by batch, and remembers a few batches' answers."""

    def __init__(self, ledger: Ledger, store: ObjectStore, run_id: str) -> None:
        self._ledger, self._store, self._run_id = ledger, store, run_id
        self._batches: OrderedDict[str, Mapping[str, Sequence[StoredAnswer]]] = OrderedDict()

    def calls(self, line: PartLine, *, since: int = 0) -> list[CallRecord]:
        """Those of all passages of the line's paper, each once, from generation ``since`` on."""
        answers = self._answers(line.batch_id).get(line.id, ())
        places = dict.fromkeys(each.pointer for each in answers if each.generation >= since)
        calls = {call.id: call for place in places for call in self._calls(place)}
        return list((calls | {call.id: call for call in line.calls}).values())

    def _answers(self, batch_id: str) -> Mapping[str, Sequence[StoredAnswer]]:
        if batch_id not in self._batches:
            while len(self._batches) >= _BATCHES:
                self._batches.popitem(last=False)
            self._batches[batch_id] = self._ledger.answers(self._run_id, batch_id)
        self._batches.move_to_end(batch_id)
        return self._batches[batch_id]

    def _calls(self, where: PartPointer) -> Iterator[CallRecord]:
        try:
            yield from decode(self._store.read(where.key, where.offset, where.length), where).calls
        except DamagedObjectError:
            return
