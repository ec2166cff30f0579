"""Batches and their leases."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from handlers.adapters.sqlite.database import Database
from handlers.domain.batch import BatchMessage
from handlers.domain.ledger import ANY_ATTEMPT, Attempt, BatchFigures, LeaseState
from handlers.domain.money import NanoUsd

_FIGURES = (
    "tokens INTEGER", "sent INTEGER", "settled INTEGER NOT NULL DEFAULT 0",
    "cost INTEGER NOT NULL DEFAULT 0", "calls INTEGER NOT NULL DEFAULT 0",
    "busy_ms INTEGER NOT NULL DEFAULT 0",
)  # fmt: skip
"""Of a batch: the message's tokens, its papers, and the number, cost, calls and time of the settled ones."""
_COUNT_FIGURES = (
    "UPDATE batch SET settled = p.settled, cost = p.cost FROM (SELECT run_id, batch_id, COUNT(*) AS settled,"
    " SUM(cost) AS cost FROM paper WHERE status <> 'pending' GROUP BY run_id, batch_id) p"
    " WHERE p.run_id = batch.run_id AND p.batch_id = batch.batch_id"
)


_ATTEMPTS = (
    "attempts INTEGER NOT NULL DEFAULT 0", "pardons INTEGER NOT NULL DEFAULT 0",
    "holder TEXT NOT NULL DEFAULT ''",
)  # fmt: skip
"""Of a batch: attempts that failed, those that were pardoned, and the last holder's message."""


def add_attempts(db: Database) -> None:
    """To a file that was made before batches counted them."""
    for column in _ATTEMPTS:
        db.add_column("batch", column)


def add_figures(db: Database) -> None:
    """To a file that was made before batches had figures. What calls took before is not known."""
    for column in _FIGURES:
        db.add_column("batch", column)
    db.add_column("paper", "calls INTEGER NOT NULL DEFAULT 0")
    if db.add_column("paper", "busy_ms INTEGER NOT NULL DEFAULT 0"):  # the last of them: counted once
        with db.write() as connection:
            connection.execute(_COUNT_FIGURES)


class BatchTables:
    _db: Database

    def add_batches(self, messages: Iterable[BatchMessage]) -> int:
        added = 0
        with self._db.write(durable=True) as db:
            for message in messages:
                added += db.execute(
                    "INSERT OR IGNORE INTO batch (run_id, batch_id, message, papers, generation, tokens,"
                    " sent) VALUES (?,?,?,?,?,?,?)",
                    (
                        message.run_id,
                        message.batch_id,
                        message.model_dump_json(),
                        message.papers,
                        message.generation,
                        message.tokens,
                        len(message.ids),
                    ),
                ).rowcount
        return added

    def unfinished_batches(self, run_id: str) -> Iterator[BatchMessage]:
        rows = self._db.stream(
            "SELECT message, generation FROM batch WHERE run_id = ? AND finished_at IS NULL ORDER BY"
            " position",
            (run_id,),
        )
        for row in rows:
            yield _message(row)

    def batch_figures(self, run_id: str) -> Iterator[BatchFigures]:
        rows = self._db.stream(
            "SELECT COALESCE(tokens, json_extract(message, '$.tokens')),"
            " COALESCE(sent, json_array_length(message, '$.ids')), settled, cost, calls,"
            " busy_ms FROM batch WHERE run_id = ? ORDER BY position",
            (run_id,),
        )
        for tokens, papers, settled, cost, calls, busy_ms in rows:
            yield BatchFigures(tokens, papers, settled, NanoUsd(cost), calls, busy_ms)

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
        with self._db.write() as db:
            row = db.execute(
                "UPDATE batch SET epoch = epoch + 1, owner = ?, lease_until = ?, attempts = attempts + 1,"
                " holder = ? WHERE run_id = ? AND batch_id = ? AND finished_at IS NULL AND lease_until <= ?"
                " AND attempts < ? RETURNING epoch",
                (
                    owner,
                    now + ttl,
                    attempt.message,
                    run_id,
                    batch_id,
                    now - attempt.overdue,
                    attempt.most,
                ),
            ).fetchone()
            return None if row is None else int(row["epoch"])

    def lease_state(self, run_id: str, batch_id: str) -> LeaseState | None:
        row = self._db.row(
            "SELECT lease_until, holder, attempts, pardons FROM batch WHERE run_id = ? AND batch_id = ?",
            (run_id, batch_id),
        )
        return None if row is None else LeaseState(*row)

    def extend_lease(self, run_id: str, batch_id: str, epoch: int, *, now: float, ttl: float) -> bool:
        with self._db.write() as db:
            update = db.execute(
                "UPDATE batch SET lease_until = ? WHERE run_id = ? AND batch_id = ? AND epoch = ?"
                " AND lease_until > 0",  # a lease that was ended stays ended
                (now + ttl, run_id, batch_id, epoch),
            )
            return update.rowcount == 1

    def end_lease(self, run_id: str, batch_id: str, epoch: int, *, pardon: bool = False) -> None:
        with self._db.write() as db:
            db.execute(
                "UPDATE batch SET lease_until = 0, attempts = MAX(0, attempts - ?), pardons = pardons + ?"
                " WHERE run_id = ? AND batch_id = ? AND epoch = ? AND lease_until > 0",
                (pardon, pardon, run_id, batch_id, epoch),
            )

    def forgive(self, run_id: str) -> None:
        with self._db.write() as db:
            db.execute(
                "UPDATE batch SET attempts = 0 WHERE run_id = ? AND attempts > 0 AND finished_at IS NULL",
                (run_id,),
            )

    def free_leases(self, run_id: str, owner: str) -> list[BatchMessage]:
        with self._db.write() as db:
            rows = db.execute(
                "UPDATE batch SET lease_until = 0 WHERE run_id = ? AND owner = ? AND lease_until > 0"
                " AND finished_at IS NULL RETURNING message, generation",
                (run_id, owner),
            ).fetchall()
        return [_message(row) for row in rows]

    def finish_batch(self, run_id: str, batch_id: str, *, now: float) -> bool:
        with self._db.write() as db:
            db.execute(
                "UPDATE batch SET finished_at = COALESCE(finished_at, ?), lease_until = 0"
                " WHERE run_id = ? AND batch_id = ? AND done + flagged + failed + skipped = papers",
                (now, run_id, batch_id),
            )
            row = db.execute(
                "SELECT finished_at FROM batch WHERE run_id = ? AND batch_id = ?", (run_id, batch_id)
            ).fetchone()
            return row is not None and row["finished_at"] is not None


def _message(row: sqlite3.Row) -> BatchMessage:
    message = BatchMessage.model_validate_json(row["message"])
    return message.model_copy(update={"generation": row["generation"]})
