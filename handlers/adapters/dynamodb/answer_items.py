"""Answers of unfinished papers: lines of parts, any number a paper.

``ANSWER#<part>#<line>`` lies with its batch, whose name a part's begins with: one query a lease, and no item
grows with its paper.
"""

from __future__ import annotations

from collections.abc import Sequence

from handlers.adapters.dynamodb.table import Table, bucket_key
from handlers.adapters.dynamodb.values import Item
from handlers.domain.ledger import Commit, StoredAnswer
from handlers.domain.result import PartPointer


class AnswerItems:
    _table: Table

    def answers(self, run_id: str, batch_id: str) -> dict[str, list[StoredAnswer]]:
        answers: dict[str, list[StoredAnswer]] = {}
        for item in self._table.query(bucket_key(run_id, batch_id), f"ANSWER#{batch_id}/"):
            if item["batch"] == batch_id:
                where = PartPointer(key=item["key"], offset=item["offset"], length=item["length"])
                answers.setdefault(item["id"], []).append(StoredAnswer(item["generation"], where))
        return {paper_id: sorted(found, key=_place) for paper_id, found in answers.items()}

    def _put_answers(self, commits: Sequence[Commit]) -> None:
        """The same items whoever puts them, so that a repeated request changes nothing."""
        items = [item for commit in commits for item in _items(commit)]
        if items:
            self._table.put_many(items)


def _items(commit: Commit) -> list[Item]:
    pk = bucket_key(commit.run_id, commit.batch_id)
    return [
        {
            "pk": pk,
            "sk": f"ANSWER#{commit.part_id}#{number}",
            "batch": commit.batch_id,
            "id": entry.paper_id,
            "generation": entry.generation,
            "key": entry.pointer.key,
            "offset": entry.pointer.offset,
            "length": entry.pointer.length,
        }
        for number, entry in enumerate(commit.entries)
        if entry.status == "pending"
    ]


def _place(answer: StoredAnswer) -> tuple[int, str, int]:
    return answer.generation, answer.pointer.key, answer.pointer.offset
