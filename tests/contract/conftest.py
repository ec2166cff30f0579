"""One fixture a port. Each is an adapter by name: a new adapter joins by one entry of its table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite_queue import SqliteQueue
from handlers.ports import BatchQueue, Ledger, ObjectStore
from tests import builders
from tests.fakes import FakeClock

MAX_RECEIVES = 3


class Closing(Protocol):
    def close(self) -> None: ...


Adapter = TypeVar("Adapter", bound=Closing)


class Opened:
    """Adapters that a test opened, to be closed after it."""

    def __init__(self) -> None:
        self._open: list[Closing] = []

    def keep(self, adapter: Adapter) -> Adapter:
        self._open.append(adapter)
        return adapter

    def close(self) -> None:
        for adapter in self._open:
            adapter.close()


LEDGERS: dict[str, Callable[[Path], SqliteLedger]] = {
    "sqlite": lambda folder: SqliteLedger(folder / "ledger.sqlite3")
}
QUEUES: dict[str, Callable[[Path, str, FakeClock], SqliteQueue]] = {
    "sqlite": lambda folder, name, clock: SqliteQueue(
        folder / "queue.sqlite3", name, clock, max_receives=MAX_RECEIVES
    )
}
STORES: dict[str, Callable[[Path], FileStore]] = {"file": lambda folder: FileStore(folder / "objects")}


@pytest.fixture
def opened() -> Iterator[Opened]:
    adapters = Opened()
    yield adapters
    adapters.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=LEDGERS)
def open_ledger(request: pytest.FixtureRequest, tmp_path: Path, opened: Opened) -> Callable[[], Ledger]:
    """Each call opens the same ledger once more, as another process would."""
    return lambda: opened.keep(LEDGERS[request.param](tmp_path))


@pytest.fixture
def ledger(open_ledger: Callable[[], Ledger]) -> Ledger:
    """A ledger with the run ``r`` of four papers in two batches."""
    ledger = open_ledger()
    ledger.add_batches([builders.batch("b1", ["p1", "p2"]), builders.batch("b2", ["p3", "p4"])])
    ledger.create_run(builders.run_record())
    return ledger


@pytest.fixture(params=QUEUES)
def open_queue(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock, opened: Opened
) -> Callable[[str], BatchQueue]:
    """Each call opens the queue of that name once more."""
    return lambda name: opened.keep(QUEUES[request.param](tmp_path, name, clock))


@pytest.fixture
def queue(open_queue: Callable[[str], BatchQueue]) -> BatchQueue:
    return open_queue("r")


@pytest.fixture(params=STORES)
def open_store(request: pytest.FixtureRequest, tmp_path: Path, opened: Opened) -> Callable[[], ObjectStore]:
    return lambda: opened.keep(STORES[request.param](tmp_path))


@pytest.fixture
def store(open_store: Callable[[], ObjectStore]) -> ObjectStore:
    return open_store()
