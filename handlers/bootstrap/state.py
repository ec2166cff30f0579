"""The adapters of a state: a folder of this machine, or the parts of a stack on AWS."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.bootstrap.host import helper_processes, on_lambda
from handlers.errors import UsageError
from handlers.ports import Backend, Clock
from handlers.setting_sources import PREFIX
from handlers.settings import Settings, load_settings
from handlers.state_paths import LEDGER, QUEUE


class SystemClock:
    """The real clock and real chance."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def random(self) -> float:
        return random.random()  # noqa: S311 - jitter, not secrets


_SERVICES = ("dynamodb", "s3", "secretsmanager", "sqs")
DEFAULT_STACK = "paperfleet"
"""The name that the runbook deploys under."""


@dataclass(frozen=True)
class State(Backend):
    """The backend of a state folder or of a stack on AWS, opened."""

    directory: Path
    """Of what this machine keeps of it."""
    close: Callable[[], None]
    by_itself: bool = False
    """True where a platform starts jobs as long as messages wait."""


@contextmanager
def open_state(run_id: str | None = None, settings: Settings | None = None) -> Iterator[State]:
    """The state of the settings (read from flags, environment and file if not given)."""
    adapters = connect(settings or load_settings(), run_id)
    try:
        yield adapters
    finally:
        adapters.close()


def connect(settings: Settings, run_id: str | None = None) -> State:
    """The adapters of the settings' backend; the caller closes them."""
    clock = SystemClock()
    if settings.backend == "aws":
        return _connect_aws(settings, clock)
    root = settings.state
    ledger = SqliteLedger(root / LEDGER)
    name, most = run_id or settings.run_id, settings.max_receives
    queue = SqliteQueue(root / QUEUE, name, clock, max_receives=most)
    store = FileStore(root)
    closing = ExitStack()
    for adapter in (store, queue, ledger):
        closing.callback(adapter.close)
    return State(ledger, queue, store, clock, root, closing.close)


def export_processes(state: State) -> int:
    """Processes that may make an export's lines: SDK clients outlive no fork, and no core waits for files."""
    return 1 if state.by_itself else helper_processes()


def with_stack_outputs(settings: Settings) -> Settings:
    """With what the deployed stack says, if the backend is AWS and none of its parts is named."""
    if settings.backend != "aws" or settings.table or settings.queue_url or settings.bucket:
        return settings
    explicit = settings.model_dump(include=settings.model_fields_set)
    return Settings(**_outputs(settings.stack or DEFAULT_STACK) | explicit)


@cache
def _outputs(stack: str) -> dict[str, Any]:
    from handlers.adapters.aws.deployed_stack import stack_settings

    return stack_settings(stack)


def call_function(function: str, event: dict[str, object]) -> dict[str, object]:
    """A deployed function's answer."""
    from handlers.adapters.aws.deployed_stack import invoke

    return invoke(function, event)


def end_with(time_left: Callable[[], float]) -> None:
    """``time_left``: seconds until the platform ends this process; in an outage it has to end by itself."""
    from handlers.adapters.aws import outages

    outages.end_with(time_left, *_SERVICES)


def take_refused() -> int:
    """How often AWS has refused this process what it did before, since the last time that somebody asked."""
    from handlers.adapters.aws import outages

    return outages.take_refused(*_SERVICES)


def _connect_aws(settings: Settings, clock: Clock) -> State:
    # The SDK takes a third of a second to import: nobody else should wait for it.
    from handlers.adapters.aws.clients import aws_client
    from handlers.adapters.aws.outages import trust_settings
    from handlers.adapters.aws.s3_store import S3Store
    from handlers.adapters.aws.sqs_queue import SqsQueue
    from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
    from handlers.adapters.dynamodb.return_reasons import DynamoDbReasons

    if on_lambda():
        trust_settings(*_SERVICES)
    settings = with_stack_outputs(settings)
    table, bucket = _needed(settings.table, "table"), _needed(settings.bucket, "bucket")
    queue_url = _needed(settings.queue_url, "queue_url")
    elsewhere = bool(os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"))
    dynamodb = aws_client("dynamodb")
    ledger = DynamoDbLedger(dynamodb, table, clock)
    reasons = DynamoDbReasons(dynamodb, table, clock)
    queue = SqsQueue(aws_client("sqs"), queue_url, settings.dead_letter_url, reasons, clock)
    store = S3Store(aws_client("s3", path_style=elsewhere), bucket)
    closing = ExitStack()
    for adapter in (store, queue, ledger):
        closing.callback(adapter.close)
    return State(ledger, queue, store, clock, settings.state, closing.close, by_itself=True)


def _needed(value: str | None, name: str) -> str:
    if value is None:
        raise UsageError(
            f"the aws backend needs {name}: set {PREFIX}{name.upper()} (or {name} in paperfleet.toml) to "
            f"the stack's output, or none of these names and {PREFIX}STACK to the stack's"
        )
    return value
