"""The embedded ``BatchQueue``: SQS's semantics in one SQLite file."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

from handlers.adapters.sqlite.database import Database
from handlers.domain.batch import DeadLetter, QueueCounts, QueueMessage
from handlers.ports import Clock

MAX_RECEIVES = 5

_SCHEMA = """
CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    dedup TEXT NOT NULL,
    body TEXT NOT NULL,
    visible_at REAL NOT NULL,
    receives INTEGER NOT NULL DEFAULT 0,
    receipt TEXT,
    reason TEXT NOT NULL DEFAULT '',
    dead INTEGER NOT NULL DEFAULT 0,
    hidden_at REAL NOT NULL DEFAULT 0,
    UNIQUE (queue, dedup)
);
CREATE INDEX message_waiting ON message (queue, dead, id)
"""
_STEP = 5.0
"""Seconds that a clock may go back by its own correction."""
_VISIBLE = f"(visible_at <= :now OR hidden_at > :now + {_STEP})"
"""A message that was hidden later than now was hidden before the clock stepped back: nobody knows how long
it is to stay so, and whoever holds it has said anew that they do."""
_NEXT = f"""
    SELECT id, body, receives FROM message WHERE queue = :queue AND dead = 0 AND {_VISIBLE}
    ORDER BY id LIMIT 1
"""


class SqliteQueue:
    """One named queue of the file. Messages come out in the order they were sent, heaviest first."""

    def __init__(self, path: Path, name: str, clock: Clock, *, max_receives: int = MAX_RECEIVES) -> None:
        self._db = Database(path, _SCHEMA)
        self._db.add_column("message", "hidden_at REAL NOT NULL DEFAULT 0")
        self._name = name
        self._clock = clock
        self._max_receives = max_receives

    def send(self, messages: Iterable[tuple[str, str]]) -> int:
        now = self._clock.now()
        count = 0
        with self._db.write() as db:
            for dedup, body in messages:
                count += db.execute(
                    "INSERT INTO message (queue, dedup, body, visible_at, hidden_at) VALUES (?, ?, ?, ?, ?)"
                    " ON CONFLICT (queue, dedup) DO UPDATE"
                    " SET visible_at = excluded.visible_at, hidden_at = excluded.hidden_at, receipt = NULL"
                    " WHERE dead = 0",
                    (self._name, dedup, body, now, now),
                ).rowcount
        return count

    def receive(self, *, limit: int, visibility: float) -> list[QueueMessage]:
        now = self._clock.now()
        received: list[QueueMessage] = []
        there = {"queue": self._name, "now": now}
        if self._db.row(_NEXT, there) is None:  # jobs that wait for the end ask often: no write for nothing
            return received
        with self._db.write() as db:
            while len(received) < limit:
                row = db.execute(_NEXT, there).fetchone()
                if row is None:
                    break
                if row["receives"] >= self._max_receives:
                    db.execute("UPDATE message SET dead = 1, receipt = NULL WHERE id = ?", (row["id"],))
                    continue
                receipt = secrets.token_hex(8)
                db.execute(
                    "UPDATE message SET receives = receives + 1, receipt = ?, visible_at = ?, hidden_at = ?"
                    " WHERE id = ?",
                    (receipt, now + visibility, now, row["id"]),
                )
                received.append(QueueMessage(str(row["id"]), receipt, row["body"], row["receives"] + 1))
        return received

    def extend(self, receipt: str, seconds: float) -> bool:
        with self._db.write() as db:
            now = self._clock.now()
            update = db.execute(
                "UPDATE message SET visible_at = ?, hidden_at = ? WHERE receipt = ?",
                (now + seconds, now, receipt),
            )
            return update.rowcount == 1

    def release(
        self, receipt: str, *, delay: float, reason: str = "", blame: bool = True, body: str = ""
    ) -> None:
        del body
        with self._db.write() as db:
            now = self._clock.now()
            db.execute(
                "UPDATE message SET visible_at = ?, hidden_at = ?, receipt = NULL, receives = receives - ?,"
                " reason = CASE WHEN ? = '' THEN reason ELSE ? END WHERE receipt = ?",
                (now + delay, now, 0 if blame else 1, reason, reason, receipt),
            )

    def bury(self, message: QueueMessage, reason: str) -> None:
        with self._db.write() as db:
            db.execute(
                "UPDATE message SET dead = 1, receipt = NULL,"
                " reason = CASE WHEN ? = '' THEN reason ELSE ? END WHERE receipt = ?",
                (reason, reason, message.receipt),
            )

    def delete(self, receipt: str) -> None:
        with self._db.write() as db:
            db.execute("DELETE FROM message WHERE receipt = ?", (receipt,))

    def dead_letters(self) -> list[DeadLetter]:
        rows = self._db.rows(
            "SELECT id, body, receives, reason FROM message WHERE queue = ? AND dead = 1 ORDER BY id",
            (self._name,),
        )
        return [DeadLetter(str(r["id"]), r["body"], r["receives"], r["reason"]) for r in rows]

    def redrive(self, wanted: Callable[[str], bool] = lambda _body: True) -> int:
        chosen = [letter.id for letter in self.dead_letters() if wanted(letter.body)]
        with self._db.write() as db:
            return sum(
                db.execute(
                    "UPDATE message SET dead = 0, receives = 0, visible_at = ?, hidden_at = ?"
                    " WHERE id = ? AND dead = 1",
                    (now := self._clock.now(), now, letter_id),
                ).rowcount
                for letter_id in chosen
            )

    def counts(self) -> QueueCounts:
        row = self._db.row(
            f"SELECT COALESCE(SUM(dead = 0 AND {_VISIBLE}), 0) AS visible,"
            f" COALESCE(SUM(dead = 0 AND NOT {_VISIBLE}), 0) AS in_flight,"
            " COALESCE(SUM(dead), 0) AS dead FROM message WHERE queue = :queue",
            {"now": self._clock.now(), "queue": self._name},
        )
        assert row is not None  # noqa: S101 - an aggregate without GROUP BY has one row
        return QueueCounts(row["visible"], row["in_flight"], row["dead"])

    def purge(self) -> None:
        with self._db.write() as db:
            db.execute("DELETE FROM message WHERE queue = ? AND dead = 0", (self._name,))

    def close(self) -> None:
        self._db.close()
