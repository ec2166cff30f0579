"""One fixture a port. Each is an adapter by name: a new adapter joins by one entry of its table."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from handlers.adapters.aws.clients import aws_client
from handlers.adapters.aws.s3_store import S3Store
from handlers.adapters.aws.sqs_queue import SqsQueue
from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from handlers.adapters.dynamodb.return_reasons import DynamoDbReasons
from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.ports import BatchQueue, Ledger, ObjectStore
from tests.builders import values
from tests.builders.fakes import FakeClock
from tests.builders.local_aws import REGION, LocalAws, answered_here, dynalite_server, moto_server, name_of
from tests.builders.moto_memory import items_of, put_items

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


@cache
def shared_client(service: str, aws: LocalAws) -> Any:
    """Ours, which are made to be shared and take long to make, at the emulator."""
    return answered_here(aws_client(service, path_style=True), aws.wire)


class ClosingLedger(Ledger, Closing, Protocol): ...


class ClosingQueue(BatchQueue, Closing, Protocol): ...


class ClosingStore(ObjectStore, Closing, Protocol): ...


def _dynamodb(folder: Path, aws: LocalAws) -> DynamoDbLedger:
    return DynamoDbLedger(shared_client("dynamodb", aws), aws.table(name_of(folder)), FakeClock())


def _sqs(folder: Path, aws: LocalAws, name: str, clock: FakeClock) -> SqsQueue:
    reasons = DynamoDbReasons(shared_client("dynamodb", aws), aws.table(name_of(folder)), clock)
    url, dead_url = aws.queues(f"{name_of(folder)}-{name}", max_receives=MAX_RECEIVES)
    return SqsQueue(shared_client("sqs", aws), url, dead_url, reasons, clock, long_poll=0)


LEDGERS: dict[str, Callable[[Path, LocalAws], ClosingLedger]] = {
    "sqlite": lambda folder, _: SqliteLedger(folder / "ledger.sqlite3"),
    "dynamodb": _dynamodb,
}
QUEUES: dict[str, Callable[[Path, LocalAws, str, FakeClock], ClosingQueue]] = {
    "sqlite": lambda folder, _, name, clock: SqliteQueue(
        folder / "queue.sqlite3", name, clock, max_receives=MAX_RECEIVES
    ),
    "sqs": _sqs,
}
STORES: dict[str, Callable[[Path, LocalAws], ClosingStore]] = {
    "file": lambda folder, _: FileStore(folder / "objects"),
    "s3": lambda folder, aws: S3Store(shared_client("s3", aws), aws.bucket(name_of(folder))),
}


@pytest.fixture(scope="session")
def aws() -> Iterator[LocalAws]:
    with moto_server() as local:
        yield local


@pytest.fixture
def opened() -> Iterator[Opened]:
    adapters = Opened()
    yield adapters
    adapters.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def dynalite() -> Iterator[LocalAws]:
    """Another DynamoDB, in a process of its own, stricter than moto's and without a lock around it."""
    with dynalite_server() as local:
        yield local


@pytest.fixture(params=[*LEDGERS, pytest.param("dynalite", marks=pytest.mark.slow)])
def open_ledger(
    request: pytest.FixtureRequest, tmp_path: Path, aws: LocalAws, opened: Opened
) -> Callable[[], Ledger]:
    """Each call opens the same ledger once more, as another process would."""
    if request.param == "dynalite":
        other: LocalAws = request.getfixturevalue("dynalite")
        client, table = other.client("dynamodb"), other.table(name_of(tmp_path))
        return lambda: opened.keep(DynamoDbLedger(client, table, FakeClock()))
    return lambda: opened.keep(LEDGERS[request.param](tmp_path, aws))


@cache
def _items(aws: LocalAws, begin: Callable[[Ledger], object]) -> bytes:
    folder = Path(begin.__module__, begin.__name__)
    ledger = _dynamodb(folder, aws)
    begin(ledger)
    ledger.close()
    return items_of(aws.table(name_of(folder)), REGION)


def begun(aws: LocalAws, folder: Path, begin: Callable[[Ledger], object]) -> str:
    """The folder's table, with what ``begin`` writes into an empty one. It is written once and copied then: a
    run's first items take a twentieth of a second."""
    table = aws.table(name_of(folder))
    put_items(table, REGION, _items(aws, begin))
    return table


def four_papers(ledger: Ledger) -> None:
    ledger.add_batches([values.batch("b1", ["p1", "p2"]), values.batch("b2", ["p3", "p4"])])
    ledger.create_run(values.run_record())


@pytest.fixture
def ledger(
    request: pytest.FixtureRequest, open_ledger: Callable[[], Ledger], tmp_path: Path, aws: LocalAws
) -> Ledger:
    """A ledger with the run ``r`` of four papers in two batches."""
    if request.node.callspec.params["open_ledger"] == "dynamodb":
        begun(aws, tmp_path, four_papers)
        return open_ledger()
    ledger = open_ledger()
    four_papers(ledger)
    return ledger


@pytest.fixture(params=QUEUES)
def open_queue(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    aws: LocalAws,
    clock: FakeClock,
    opened: Opened,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], BatchQueue]:
    """Each call opens the queue of that name once more. The emulated queue goes by the test's clock,
    which ticks a little at each look: moto shows a message only after its time, not at it."""
    ticks = itertools.count()
    monkeypatch.setattr("moto.sqs.models.unix_time", clock.now)
    monkeypatch.setattr("moto.sqs.models.unix_time_millis", lambda: 1000 * clock.now() + next(ticks) / 1000)
    return lambda name: opened.keep(QUEUES[request.param](tmp_path, aws, name, clock))


@pytest.fixture
def queue(open_queue: Callable[[str], BatchQueue]) -> BatchQueue:
    return open_queue("r")


@pytest.fixture(params=STORES)
def open_store(
    request: pytest.FixtureRequest, tmp_path: Path, aws: LocalAws, opened: Opened
) -> Callable[[], ObjectStore]:
    return lambda: opened.keep(STORES[request.param](tmp_path, aws))


@pytest.fixture
def store(open_store: Callable[[], ObjectStore]) -> ObjectStore:
    return open_store()
