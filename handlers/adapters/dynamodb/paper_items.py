"""Outcomes of papers, the calls that paid for them, and results that later runs may take over."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from handlers.adapters.dynamodb.answer_items import AnswerItems
from handlers.adapters.dynamodb.batch_counts import batch_key, paper_key
from handlers.adapters.dynamodb.batch_items import BatchItems
from handlers.adapters.dynamodb.job_totals import JobTotalsItems, calls_key
from handlers.adapters.dynamodb.money.budget_items import Budgets
from handlers.adapters.dynamodb.open_run_items import OpenRunItems
from handlers.adapters.dynamodb.table import bucket_keys
from handlers.adapters.dynamodb.values import Item
from handlers.domain.ledger import Commit, LedgerEntry, PaperRow, Reusable
from handlers.domain.paper import PaperStatus
from handlers.domain.result import PartPointer

_PART = re.compile(r"(?P<holder>.*/\d+-.+-)(?P<number>\d{1,9})", re.DOTALL)
"""``<batch>/<epoch>-<job>-<n>``."""


class PaperItems(BatchItems, AnswerItems, OpenRunItems):
    _job_totals: JobTotalsItems
    _budgets: Budgets

    def paper_rows(self, run_id: str, paper_ids: Sequence[str]) -> dict[str, PaperRow]:
        items = self._table.get_many([paper_key(run_id, paper_id) for paper_id in paper_ids])
        return {item["id"]: _row(item) for item in items.values()}

    def entries(self, run_id: str) -> Iterator[PaperRow]:
        buckets = [self._table.query(pk, "PAPER#") for pk in bucket_keys(run_id)]
        for item in heapq.merge(*buckets, key=lambda item: item["sk"].encode("utf-8", "surrogatepass")):
            yield _row(item)

    def skip_reasons(self, run_id: str) -> dict[str, int]:
        reasons: Counter[str] = Counter()
        for row in self.entries(run_id):
            if row.status == "skipped":
                reasons[row.error or ""] += row.weight
        return dict(reasons)

    def unbooked(self, run_id: str, parts: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        keys = {part: calls_key(run_id, *part) for part in parts}
        booked = self._table.get_many(list(keys.values()))
        return [part for part in parts if keys[part] not in booked]

    def commit(self, commits: Sequence[Commit]) -> set[tuple[str, str]]:
        """Calls first, answers and papers then, counts last: a crash in between loses no money. The same
        commit once more, by this job or by one that found the part, does what was left undone."""
        booked = self._job_totals.book(commits)
        for (run_id, job_id), totals in booked.totals.items():
            if totals.ended:
                self._budgets.book_overrun(run_id, job_id)
        parts = booked.new + booked.again
        self._put_answers(parts)
        entries = [(commit, entry) for commit in parts for entry in _one_a_paper(commit)]
        booked_now = {(each.run_id, each.part_id) for each in booked.new}
        outcomes = self._table.map(
            lambda pair: self._take(*pair, again=(pair[0].run_id, pair[0].part_id) not in booked_now), entries
        )
        taken = list(zip(entries, outcomes, strict=True))
        accepted = [pair for pair, item in taken if item is not None]
        ended_now = [pair for pair in accepted if pair[1].status != "pending"]
        self._put_fingerprints([*ended_now, *_heads(parts)])
        ended: dict[tuple[str, str], list[Item | None]] = {}
        for (commit, entry), item in taken:
            if entry.status != "pending":
                ended.setdefault((commit.run_id, commit.batch_id), []).append(item)
        for (run_id, batch_id), items in ended.items():
            self.count_ended(run_id, batch_id, items)
        return {
            (commit.run_id, entry.paper_id)
            for commit, entry in accepted
            if (commit.run_id, commit.part_id) in booked_now
        }

    def _take(self, commit: Commit, entry: LedgerEntry, *, again: bool) -> Item | None:
        """The paper's outcome: its item, if it is this. A pending one's generation stays that in which it was
        opened: its answers count from there. ``again``: the part's calls are booked, and perhaps the paper
        has it already: it has if its last part is this one or, as a holder books its parts one after the
        other, a later one."""
        pk, sk = paper_key(commit.run_id, entry.paper_id)
        holder, part = _in_order(commit)
        values = {
            "id": entry.paper_id,
            "batch": commit.batch_id,
            "generation": entry.generation,
            "status": entry.status,
            "error": entry.error,
            "key": entry.pointer.key,
            "offset": entry.pointer.offset,
            "length": entry.pointer.length,
            "weight": entry.weight,
            "reused": entry.reused,
            "flags": entry.flags,
            "segments": entry.segments or None,
            "part": part,
        }
        sums = {"cost": entry.cost, "calls": entry.calls, "busy_ms": entry.busy_ms}
        new: Item = {"pk": pk, "sk": sk, **sums, **values}
        if self._table.put_new(new):
            return new
        if entry.status == "pending":
            del values["generation"]
        is_later = "NOT begins_with(#part, :holder) OR #part < :part" if again else "#part <> :part"
        arguments = {"pending": "pending", "generation": entry.generation, "part": part}
        item = self._table.update(
            pk,
            sk,
            values=values,
            plus=sums,
            condition="#status = :pending AND #generation <= :generation AND"
            f" (attribute_not_exists(#part) OR {is_later})",
            arguments=arguments | ({"holder": holder} if again else {}),
        )
        if item is None:
            item = self._table.get(pk, sk)  # a repeated request finds its own part
        own = item is not None and item.get("part") == part and item["status"] == entry.status
        return item if own else None

    def _put_fingerprints(self, accepted: Sequence[tuple[Commit, LedgerEntry]]) -> None:
        new = [
            (commit.run_id, entry) for commit, entry in accepted if entry.stands_under and not entry.reused
        ]
        self._table.map(lambda pair: self._put_fingerprint(*pair), new)

    def _put_fingerprint(self, run_id: str, entry: LedgerEntry) -> None:
        """The first result stands, unless it is gone or this one goes on from it."""
        where, condition = entry.pointer, "attribute_not_exists(pk) OR attribute_exists(#gone)"
        before: Item = {}
        if entry.supersedes is not None:
            condition += " OR (#key = :before AND #offset = :before_at)"
            before = {"before": entry.supersedes.key, "before_at": entry.supersedes.offset}
        self._table.update(
            f"FP#{entry.stands_under}",
            "FP",
            values={
                "run_id": run_id,
                "paper_id": entry.paper_id,
                "key": where.key,
                "offset": where.offset,
                "length": where.length,
                "gone": None,
            },
            condition=condition,
            arguments=before,
        )

    def reusable(self, fingerprints: Sequence[str], *, earlier: bool = False) -> dict[str, Reusable]:
        keys = [(f"FP#{fingerprint}", "FP") for fingerprint in fingerprints]
        items = self._table.get_many(keys, consistent=not earlier)
        return {
            pk.removeprefix("FP#"): Reusable(item["run_id"], item["paper_id"], _pointer(item))
            for (pk, _), item in items.items()
            if "gone" not in item
        }

    def forget_result(self, fingerprint: str, pointer: PartPointer) -> None:
        """Marked and not deleted: a function may not delete items."""
        self._table.update(
            f"FP#{fingerprint}",
            "FP",
            values={"gone": True},
            condition="#key = :key AND #offset = :offset",
            arguments={"key": pointer.key, "offset": pointer.offset},
        )

    def reopen(self, run_id: str, *, statuses: Sequence[PaperStatus], error: str | None) -> int:
        """Batch by batch: the next generation first, then its papers, then the counts. A crash in
        between leaves the batch unfinished, so that it is emitted again."""
        if not statuses:
            return 0
        arguments = {f"status{n}": status for n, status in enumerate(statuses)}
        chosen = self._table.query_buckets(
            run_id,
            "PAPER#",
            attributes=["pk", "sk", "batch", "status", "error", "generation", "weight"],
            only=f"#status IN ({', '.join(f':{name}' for name in arguments)})",
            arguments=arguments,
        )
        batches: dict[str, list[Item]] = {}
        for item in chosen:
            if error in (None, item.get("error")):
                batches.setdefault(item["batch"], []).append(item)
        reopened = sum(self._reopen_batch(run_id, batch_id, papers) for batch_id, papers in batches.items())
        if reopened:
            self.arm(run_id)
        return reopened

    def _reopen_batch(self, run_id: str, batch_id: str, papers: Sequence[Item]) -> int:
        key = batch_key(run_id, batch_id)
        before = self._table.get(*key)
        if before is None:
            return 0
        generation = before["generation"] + 1
        # Should another reopen be faster (or the request be a repeated one), its generation serves.
        self._table.update(
            *key,
            values={"generation": generation, "finished_at": None, "terminal": -1, "attempts": 0},
            plus={"version": 1},
            condition="#generation < :generation",
            arguments={"generation": generation},
        )
        changes = self._table.map(lambda item: self._reopen_paper(item, generation), papers)
        self.count(run_id, batch_id)
        return sum(item["weight"] for item, was_opened in zip(papers, changes, strict=True) if was_opened)

    def _reopen_paper(self, item: Item, generation: int) -> bool:
        change = self._table.update(
            item["pk"],
            item["sk"],
            values={"status": "pending", "generation": generation, "flags": ()},
            remove=("error", "key", "offset", "length", "part", "segments"),
            condition="#status = :status AND #generation = :before",
            arguments={"status": item["status"], "before": item["generation"]},
        )
        if change is not None:
            return True
        now = self._table.get(item["pk"], item["sk"])
        return now is not None and now["status"] == "pending" and now["generation"] == generation


def _in_order(commit: Commit) -> tuple[str, str]:
    """What the names of a holder's parts begin with, and this one's, by which a later one's is greater."""
    name = _PART.fullmatch(commit.part_id)
    if name is None:
        return (f"{commit.job_id}#{commit.part_id}",) * 2
    holder = f"{commit.job_id}#{name['holder']}"
    return holder, f"{holder}{int(name['number']):09}"


def _one_a_paper(commit: Commit) -> list[LedgerEntry]:
    """The paper's end where the part has it, else its last line, with the sums of all: one write a paper."""
    entries: dict[str, LedgerEntry] = {}
    for entry in commit.entries:
        before = entries.get(entry.paper_id)
        if before is not None:
            said = entry if before.status == "pending" else before
            sums = {
                name: getattr(before, name) + getattr(entry, name) for name in ("cost", "calls", "busy_ms")
            }
            entry = said.model_copy(update=sums)
        entries[entry.paper_id] = entry
    return list(entries.values())


def _heads(parts: Sequence[Commit]) -> Iterator[tuple[Commit, LedgerEntry]]:
    """Those that have a name, whatever became of their papers since."""
    for commit in parts:
        for entry in commit.entries:
            if entry.status == "pending" and entry.stands_under:
                yield commit, entry


def _pointer(item: Item) -> PartPointer:
    return PartPointer(key=item["key"], offset=item["offset"], length=item["length"])


def _row(item: Item) -> PaperRow:
    return PaperRow(
        item["id"],
        item["generation"],
        item["status"],
        item.get("error"),
        _pointer(item) if "key" in item else None,
        item["weight"],
        item["reused"],
        item["cost"],
        tuple(item["flags"]),
        item.get("segments", {}),
    )
