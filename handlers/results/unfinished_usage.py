"""What papers have taken that have not ended: each passage of a whole paper has a line of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from handlers.domain.call import CallTotals
from handlers.domain.ledger import PaperRow, StoredAnswer
from handlers.domain.part_lines import decode
from handlers.domain.result import PartLine, PartPointer
from handlers.errors import DamagedObjectError
from handlers.ports import Ledger, ObjectStore


class UnfinishedUsage:
    """Asks the ledger once for neighbours in the corpus, which are of one batch."""

    def __init__(self, ledger: Ledger, store: ObjectStore, run_id: str) -> None:
        self._ledger, self._store, self._run_id = ledger, store, run_id
        self._batch = ""
        self._answers: Mapping[str, Sequence[StoredAnswer]] = {}

    def calls(self, row: PaperRow) -> CallTotals | None:
        """Sums over the lines of its passages; None of a paper that is asked as one, whose last line says
        all, or whose lines cannot be read."""
        if row.status != "pending" or row.pointer is None:
            return None
        line = self._line(row.pointer)
        if line is None or not line.passage:
            return None
        if self._batch != line.batch_id:
            self._batch, self._answers = line.batch_id, self._ledger.answers(self._run_id, line.batch_id)
        places = [each.pointer for each in self._answers.get(row.paper_id, ())
                  if each.generation >= row.generation]  # fmt: skip
        lines = filter(None, map(self._line, dict.fromkeys([*places, row.pointer])))
        return CallTotals.of(list({call.id: call for each in lines for call in each.calls}.values()))

    def _line(self, where: PartPointer) -> PartLine | None:
        try:
            return decode(self._store.read(where.key, where.offset, where.length), where)
        except DamagedObjectError:
            return None
