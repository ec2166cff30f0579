"""Batches, their leases and their counts.

``BATCH#<id>`` is small and changes often; ``MESSAGE#<id>`` holds the claim check and never changes.
"""

from __future__ import annotations

import heapq
import secrets
from collections.abc import Iterable, Iterator
from itertools import islice

from handlers.adapters.dynamodb.batch_counts import FIGURES, BatchCounts, batch_key, message_key
from handlers.adapters.dynamodb.table import bucket_keys
from handlers.adapters.dynamodb.values import Item
from handlers.domain.batch import BatchMessage
from handlers.domain.ledger import ANY_ATTEMPT, Attempt, BatchFigures, LeaseState
from handlers.domain.money import NanoUsd

_CHUNK = 100
_READ_AHEAD = 50
"""Messages in memory at a time; each has up to 64 KiB."""


class BatchItems(BatchCounts):
    def add_batches(self, messages: Iterable[BatchMessage]) -> int:
        added, position, rest = 0, 0, iter(messages)
        while chunk := list(islice(rest, _CHUNK)):
            items = [_batch_item(message, position + n) for n, message in enumerate(chunk)]
            there = self._table.get_many([(item["pk"], item["sk"]) for item in items])
            new = [n for n, item in enumerate(items) if (item["pk"], item["sk"]) not in there]
            # Messages first: a batch that is there has one. Until then whoever cuts writes the same.
            self._table.put_many([_message_item(chunk[n]) for n in new])
            added += sum(self._table.map(self._table.put_new, [items[n] for n in new]))
            position += len(chunk)
        return added

    def unfinished_batches(self, run_id: str) -> Iterator[BatchMessage]:
        """Each bucket in the order of its keys, which is that of the cut; merged page by page."""
        attributes, only = ["batch_id", "position", "generation"], "attribute_not_exists(#finished_at)"
        buckets = [
            self._table.query(pk, "BATCH#", attributes=attributes, only=only) for pk in bucket_keys(run_id)
        ]
        return self._messages(run_id, heapq.merge(*buckets, key=_place))

    def batch_figures(self, run_id: str) -> Iterator[BatchFigures]:
        attributes = ["batch_id", "position", "papers", "tokens", "sent", "terminal", *FIGURES]
        buckets = [self._table.query(pk, "BATCH#", attributes=attributes) for pk in bucket_keys(run_id)]
        for item in heapq.merge(*buckets, key=_place):
            # An earlier release noted no tokens: then every paper is as any other.
            tokens = item["tokens"] if "tokens" in item else item["papers"]
            papers = item["sent"] if "sent" in item else item["papers"]
            settled = item.get("settled", max(0, item["terminal"]))
            cost, calls, busy_ms = (item.get(name, 0) for name in FIGURES[1:])
            yield BatchFigures(tokens, papers, settled, NanoUsd(cost), calls, busy_ms)

    def _messages(self, run_id: str, items: Iterable[Item]) -> Iterator[BatchMessage]:
        rest = iter(items)
        while chunk := list(islice(rest, _READ_AHEAD)):
            keys = [message_key(run_id, item["batch_id"]) for item in chunk]
            messages = self._table.get_many(keys)
            for key, item in zip(keys, chunk, strict=True):
                message = BatchMessage.model_validate_json(messages[key]["message"])
                yield message.model_copy(update={"generation": item["generation"]})

    def lease(
        self,
        run_id: str,
        batch_id: str,
        owner: str,
        *,
        now: float,
        ttl: float,
        attempt: Attempt = ANY_ATTEMPT,
    ) -> int | None:
        claim = secrets.token_hex(8)
        key = batch_key(run_id, batch_id)
        item = self._table.update(
            *key,
            values={"owner": owner, "lease_until": now + ttl, "claim": claim, "holder": attempt.message},
            plus={"epoch": 1, "attempts": 1},
            condition="attribute_exists(pk) AND attribute_not_exists(#finished_at) AND #lease_until <= :now"
            " AND (attribute_not_exists(#attempts) OR #attempts < :most)",
            arguments={"now": now - attempt.overdue, "most": attempt.most},
        )
        item = item or self._table.get(*key)  # a repeated request finds the claim of the one before
        if item is None or item.get("claim") != claim:
            return None
        self.hold(run_id, batch_id, item)
        return int(item["epoch"])

    def extend_lease(self, run_id: str, batch_id: str, epoch: int, *, now: float, ttl: float) -> bool:
        return self._set_lease(run_id, batch_id, epoch, now + ttl)

    def lease_state(self, run_id: str, batch_id: str) -> LeaseState | None:
        item = self._table.get(*batch_key(run_id, batch_id))
        if item is None:
            return None
        counts = item.get("attempts", 0), item.get("pardons", 0)
        return LeaseState(float(item["lease_until"]), item.get("holder", ""), *counts)

    def end_lease(self, run_id: str, batch_id: str, epoch: int, *, pardon: bool = False) -> None:
        """Once: a lease that has ended has no end to come."""
        if pardon and self._pardon(run_id, batch_id, epoch):
            return
        self._set_lease(run_id, batch_id, epoch, 0.0)

    def _pardon(self, run_id: str, batch_id: str, epoch: int) -> bool:
        item = self._table.update(
            *batch_key(run_id, batch_id),
            values={"lease_until": 0.0},
            plus={"attempts": -1, "pardons": 1},
            condition="#epoch = :epoch AND #lease_until > :nothing AND #attempts > :nothing",
            arguments={"epoch": epoch, "nothing": 0},
        )
        return item is not None

    def forgive(self, run_id: str) -> None:
        blamed = self._table.query_buckets(
            run_id,
            "BATCH#",
            attributes=["batch_id"],
            only="#attempts > :nothing AND attribute_not_exists(#finished_at)",
            arguments={"nothing": 0},
        )
        self._table.map(
            lambda item: self._table.update(
                *batch_key(run_id, item["batch_id"]), values={"attempts": 0}, condition="attribute_exists(pk)"
            ),
            list(blamed),
        )

    def _set_lease(self, run_id: str, batch_id: str, epoch: int, until: float) -> bool:
        item = self._table.update(
            *batch_key(run_id, batch_id),
            values={"lease_until": until},
            condition="#epoch = :epoch AND #lease_until > :zero",
            arguments={"epoch": epoch, "zero": 0},
        )
        return item is not None

    def free_leases(self, run_id: str, owner: str) -> list[BatchMessage]:
        leases = self._table.query_buckets(
            run_id,
            "BATCH#",
            attributes=["batch_id", "position", "generation", "epoch"],
            only="#owner = :owner AND #lease_until > :zero AND attribute_not_exists(#finished_at)",
            arguments={"owner": owner, "zero": 0},
        )
        freed = [item for item in leases if self._set_lease(run_id, item["batch_id"], item["epoch"], 0.0)]
        return list(self._messages(run_id, sorted(freed, key=lambda item: item["position"])))

    def finish_batch(self, run_id: str, batch_id: str, *, now: float) -> bool:
        if self._finish(run_id, batch_id, now):
            return True
        key = batch_key(run_id, batch_id)
        item = self._table.get(*key)
        if item is None or "finished_at" in item:
            return item is not None
        # A job that died between a paper and its count left the count behind.
        return self.count(run_id, batch_id) and self._finish(run_id, batch_id, now)

    def _finish(self, run_id: str, batch_id: str, now: float) -> bool:
        item = self._table.update(
            *batch_key(run_id, batch_id),
            values={"finished_at": now, "lease_until": 0.0},
            condition="attribute_exists(pk) AND #terminal = #papers AND attribute_not_exists(#finished_at)",
        )
        return item is not None


def _place(item: Item) -> tuple[int, str]:
    return item["position"], item["batch_id"]


def _message_item(message: BatchMessage) -> Item:
    pk, sk = message_key(message.run_id, message.batch_id)
    return {"pk": pk, "sk": sk, "message": message.model_dump_json()}


def _batch_item(message: BatchMessage, position: int) -> Item:
    pk, sk = batch_key(message.run_id, message.batch_id)
    return {
        "pk": pk,
        "sk": sk,
        "batch_id": message.batch_id,
        "position": position,
        "papers": message.papers,
        "tokens": message.tokens,
        "sent": len(message.ids),
        "generation": message.generation,
        "epoch": 0,
        "lease_until": 0.0,
        "terminal": 0,
        "version": 0,
    }
