"""Counts of batches: absolute, of the batch's paper items after every change of one, and written on condition
that nobody counted in between; whoever changes a paper last counts last, and has seen all changes.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from handlers.adapters.dynamodb.table import Table, bucket_key
from handlers.adapters.dynamodb.values import Item, Key
from handlers.domain.batch import BatchMessage
from handlers.domain.paper import TERMINAL

FIGURES = ("settled", "cost", "calls", "busy_ms")
"""Sums over the batch's papers in a terminal state."""
_KNOWN = 512
"""Batches whose papers a process remembers."""


def batch_key(run_id: str, batch_id: str) -> Key:
    return bucket_key(run_id, batch_id), f"BATCH#{batch_id}"


def message_key(run_id: str, batch_id: str) -> Key:
    return bucket_key(run_id, batch_id), f"MESSAGE#{batch_id}"


def paper_key(run_id: str, paper_id: str) -> Key:
    return bucket_key(run_id, paper_id), f"PAPER#{_sortable(paper_id)}"


def _sortable(paper_id: str) -> str:
    """A sort key has at most 1,024 bytes; a longer id is cut and told apart by its digest."""
    encoded = paper_id.encode("utf-8", "surrogatepass")
    if len(encoded) <= 900:
        return paper_id
    return f"{encoded[:900].decode('utf-8', 'ignore')}#{hashlib.sha256(encoded).hexdigest()}"


class CountedBatch(NamedTuple):
    """The papers that a version of a batch's counts is of, by sort key."""

    version: int
    rows: dict[str, Counter[str]]


class BatchCounts:
    _table: Table
    _papers_of: dict[tuple[str, str], list[Key]]
    _counted: dict[tuple[str, str], CountedBatch]
    """Batches that this process counted last, as far as it knows."""
    _counting: threading.RLock

    def hold(self, run_id: str, batch_id: str, batch: Item) -> None:
        """Where no paper was counted yet, who leases the batch need not read them. One whose holder died
        before it was counted is counted once the batch is to be finished."""
        if batch["terminal"] == 0:
            with self._counting:
                self._remember(run_id, batch_id, CountedBatch(batch["version"], {}))

    def count_ended(self, run_id: str, batch_id: str, papers: Sequence[Item | None]) -> None:
        """Count papers that a commit has ended. Who counted the batch last knows what it counted: nothing is
        read unless somebody else has counted since, or one of the papers (None) was ended by another."""
        with self._counting:
            known = self._counted.pop((run_id, batch_id), None)
            if known is None or None in papers:
                self.count(run_id, batch_id)
                return
            rows = known.rows | {paper["sk"]: _weighed(paper) for paper in papers if paper is not None}
            if not self._write_counts(run_id, batch_id, rows, known.version):
                self.count(run_id, batch_id)

    def count(self, run_id: str, batch_id: str) -> bool:
        """Count the batch's papers anew; True if all are in a terminal state. Written even where nothing has
        changed: whoever knew other papers of the same sums knows by its version that they were counted."""
        key, tried = batch_key(run_id, batch_id), None
        while True:
            before = self._table.get(*key)
            if before is None:
                return False
            papers = self._table.get_many(self._paper_keys(run_id, batch_id))
            rows = {sk: _weighed(paper) for (_, sk), paper in papers.items() if paper["status"] in TERMINAL}
            counts, version = _sums(rows), before["version"]
            if tried == (version - 1, counts) and counts.items() <= before.items():
                return bool(before["terminal"] == before["papers"])  # a repeated request finds its own counts
            item = self._write_counts(
                run_id, batch_id, rows, version, open_again=counts["terminal"] < before["papers"]
            )
            if item is not None:
                return bool(item["terminal"] == item["papers"])
            tried = version, counts

    def _write_counts(
        self,
        run_id: str,
        batch_id: str,
        rows: dict[str, Counter[str]],
        version: int,
        *,
        open_again: bool = False,
    ) -> Item | None:
        """Absolute, on condition that nobody counted since ``version``; None if somebody did."""
        item = self._table.update(
            *batch_key(run_id, batch_id),
            values={**_sums(rows), **({"finished_at": None} if open_again else {}), "version": version + 1},
            condition="#version = :before",
            arguments={"before": version},
        )
        if item is None:
            return None
        self._remember(run_id, batch_id, CountedBatch(version + 1, rows))
        return item

    def _remember(self, run_id: str, batch_id: str, counted: CountedBatch) -> None:
        while len(self._counted) >= _KNOWN:
            self._counted.pop(next(iter(self._counted)), None)
        self._counted[run_id, batch_id] = counted

    def _paper_keys(self, run_id: str, batch_id: str) -> list[Key]:
        paper_keys = self._papers_of.get((run_id, batch_id))
        if paper_keys is None:
            item = self._table.get(*message_key(run_id, batch_id))
            ids = BatchMessage.model_validate_json(item["message"]).ids if item is not None else ()
            paper_keys = [paper_key(run_id, paper_id) for paper_id in ids]
            while len(self._papers_of) >= _KNOWN:
                self._papers_of.pop(next(iter(self._papers_of)), None)
            self._papers_of[run_id, batch_id] = paper_keys
        return paper_keys


def _sums(rows: dict[str, Counter[str]]) -> dict[str, int]:
    counts = dict.fromkeys((*TERMINAL, "reused", "terminal", *FIGURES), 0)
    for row in rows.values():
        for name, number in row.items():
            counts[name] += number
    return counts


def _weighed(paper: Item) -> Counter[str]:
    """What a paper in a terminal state adds to its batch's counts."""
    weight = paper["weight"]
    return Counter(
        {
            paper["status"]: weight,
            "terminal": weight,
            "reused": weight if paper["reused"] else 0,
            "settled": 1,
            "cost": paper["cost"],
            "calls": paper.get("calls", 0),
            "busy_ms": paper.get("busy_ms", 0),
        }
    )
