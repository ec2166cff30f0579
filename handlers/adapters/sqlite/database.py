"""One SQLite file shared by the threads of a process and by the processes of a machine."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from handlers.errors import UsageError

SCHEMA_VERSION = 1


class Database:
    """A connection in WAL mode behind a lock; writes are short ``BEGIN IMMEDIATE`` transactions.

    A plain write survives a killed process; a ``durable`` one is also synced to disk before it
    returns (and with it every write before). UsageError if the file is damaged or of another version.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = self._connect()
            self._prepare(schema)
        except (sqlite3.DatabaseError, OSError) as error:
            damaged = type(error) is sqlite3.DatabaseError
            cure = "; `paperfleet repair` makes it again from the parts" if damaged else ""
            raise UsageError(f"{path}: cannot be used as a ledger or queue: {error}{cure}") from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=60, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    def _prepare(self, schema: str) -> None:
        version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        if version not in (0, SCHEMA_VERSION):
            raise UsageError(
                f"{self.path}: made by another version (schema {version}, this one reads {SCHEMA_VERSION})"
            )
        if version == 0:
            with self.write() as db:
                for statement in filter(str.strip, schema.split(";")):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def ensure(self, statement: str, *then: str) -> None:
        """A ``CREATE TABLE IF NOT EXISTS`` that came after the file's schema; ``then`` fills it, once."""
        try:
            name = statement.split("EXISTS", 1)[1].split()[0]
            if self.row("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)) is None:
                with self.write(durable=bool(then)) as db:
                    for each in (statement, *then):
                        db.execute(each)
        except sqlite3.DatabaseError as error:
            raise UsageError(f"{self.path}: cannot be used as a ledger or queue: {error}") from error

    def add_column(self, table: str, column: str) -> bool:
        """A column that came after the file's schema; False if it is there."""
        name = column.split()[0]
        known = "SELECT 1 FROM pragma_table_info(?) WHERE name = ?"
        try:
            if self.row(known, (table, name)) is None:
                with self.write() as db:
                    if db.execute(known, (table, name)).fetchone() is None:  # another process may be faster
                        db.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
                        return True
        except sqlite3.DatabaseError as error:
            raise UsageError(f"{self.path}: cannot be used as a ledger or queue: {error}") from error
        return False

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it or nothing."""
        with self._lock:
            db = self._connection
            if durable:
                db.execute("PRAGMA synchronous=FULL")
            try:
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:  # on a full disk SQLite has rolled back by itself
                        db.execute("ROLLBACK")
                    raise
            finally:
                if durable:
                    db.execute("PRAGMA synchronous=NORMAL")

    def rows(self, sql: str, arguments: Sequence[Any] | Mapping[str, Any] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(sql, arguments).fetchall()

    def row(self, sql: str, arguments: Sequence[Any] | Mapping[str, Any] = ()) -> sqlite3.Row | None:
        rows = self.rows(sql, arguments)
        return rows[0] if rows else None

    def stream(self, sql: str, arguments: Sequence[Any] = ()) -> Iterator[sqlite3.Row]:
        """Rows of a long read, on a connection of its own so that writers are not held up."""
        connection = self._connect()
        try:
            yield from connection.execute(sql, arguments)
        finally:
            connection.close()

    def close(self) -> None:
        with self._lock:
            self._connection.close()
