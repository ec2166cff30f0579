"""Other verdicts on papers that have ended."""

from __future__ import annotations

from collections.abc import Mapping

from handlers.adapters.dynamodb.batch_counts import batch_key, paper_key
from handlers.adapters.dynamodb.paper_items import PaperItems
from handlers.domain.ledger import Commit, LedgerEntry, PaperRow


class RejudgingItems(PaperItems):
    def rejudge(self, commit: Commit, before: Mapping[str, PaperRow]) -> set[str]:
        """The batch's generation first, then answers and papers, counts last. What other runs may not take
        over any more is forgotten before the paper's row says so: a crash in between leaves too little known,
        never too much."""
        ended = [entry for entry in commit.entries if entry.status != "pending"]
        if ended:
            latest = max(entry.generation for entry in ended)
            self._table.update(
                *batch_key(commit.run_id, commit.batch_id),
                values={"generation": latest},
                condition="#generation < :generation",
                arguments={"generation": latest},
            )
        self._put_answers([commit])
        outcomes = self._table.map(lambda entry: self._move(commit, entry, before[entry.paper_id]), ended)
        taken = [entry for entry, was_taken in zip(ended, outcomes, strict=True) if was_taken]
        self._put_fingerprints([(commit, entry) for entry in taken])
        self.count(commit.run_id, commit.batch_id)
        return {entry.paper_id for entry in taken}

    def _move(self, commit: Commit, entry: LedgerEntry, row: PaperRow) -> bool:
        old = row.pointer
        if old is None:
            return False
        if row.status == "done" and entry.fingerprint:
            self.forget_result(entry.fingerprint, old)
        new = {"key": entry.pointer.key, "offset": entry.pointer.offset, "length": entry.pointer.length}
        said = {"generation": entry.generation, "status": entry.status, "error": entry.error, **new}
        key = paper_key(commit.run_id, entry.paper_id)
        item = self._table.update(
            *key,
            values=said | {"flags": entry.flags, "segments": entry.segments or None},
            condition="#status = :status AND #generation = :before AND #key = :key AND #offset = :offset",
            arguments={
                "status": row.status, "before": row.generation, "key": old.key, "offset": old.offset,
            },
        )  # fmt: skip
        if item is not None:
            return True
        now = self._table.get(*key)  # a repeated request finds its own change
        return now is not None and all(now.get(name) == value for name, value in new.items())
