"""The composition root: settings, adapters, logger, clock; wired when called, once a process."""

from __future__ import annotations

import logging
import os
import platform
import random
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger
from pydantic import SecretStr

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite_queue import SqliteQueue
from handlers.errors import UsageError
from handlers.llm.aimd import AimdLimit
from handlers.llm.client import ClientSettings, HttpChatModel
from handlers.llm.limiter import Limiter
from handlers.llm.pricing import CostEstimator, price_of
from handlers.llm.token_bucket import TokenBucket
from handlers.models import Price, RunSpec
from handlers.pipeline.auto_workers import AutoWorkers
from handlers.pipeline.breaker import Breaker
from handlers.pipeline.budget import Purse
from handlers.pipeline.context import JobMeter, RunContext
from handlers.pipeline.failure_rate import FailureRate
from handlers.pipeline.job import Job
from handlers.pipeline.pace import AWS, EMBEDDED
from handlers.ports import BatchQueue, Clock, Ledger, ObjectStore, Task
from handlers.settings import PREFIX, Settings, load_settings
from handlers.tasks.masking import MASKING_VERSION
from handlers.tasks.prompt import PROMPT_VERSION
from handlers.tasks.translate import TranslateTask


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


DEFAULT_STACK = "paperfleet"
"""The name that the runbook deploys under."""


@dataclass(frozen=True)
class State:
    """The adapters of a state folder and the queue of one run in it, or those of a stack on AWS."""

    directory: Path
    ledger: Ledger
    queue: BatchQueue
    store: ObjectStore
    clock: Clock
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
    ledger = SqliteLedger(root / "ledger.sqlite3")
    queue = SqliteQueue(root / "queue.sqlite3", run_id or settings.run_id, clock)
    store = FileStore(root)
    closing = ExitStack()
    for adapter in (store, queue, ledger):
        closing.callback(adapter.close)
    return State(root, ledger, queue, store, clock, closing.close)


def located(settings: Settings) -> Settings:
    """With what the deployed stack says, if the backend is AWS and none of its parts is named."""
    if settings.backend != "aws" or settings.table or settings.queue_url or settings.bucket:
        return settings
    given = settings.model_dump(include=settings.model_fields_set)
    return Settings(**_outputs(settings.stack or DEFAULT_STACK) | given)


@cache
def _outputs(stack: str) -> dict[str, Any]:
    from handlers.adapters.aws_stack import stack_settings

    return stack_settings(stack)


def call_function(function: str, event: dict[str, object]) -> dict[str, object]:
    """A deployed function's answer."""
    from handlers.adapters.aws_stack import invoke

    return invoke(function, event)


def _connect_aws(settings: Settings, clock: Clock) -> State:
    # The SDK takes a third of a second to import: nobody else should wait for it.
    from handlers.adapters.aws_clients import aws_client
    from handlers.adapters.dynamodb_ledger import DynamoDbLedger
    from handlers.adapters.dynamodb_reasons import DynamoDbReasons
    from handlers.adapters.s3_store import S3Store
    from handlers.adapters.sqs_queue import SqsQueue

    settings = located(settings)
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
    return State(settings.state, ledger, queue, store, clock, closing.close, by_itself=True)


def _needed(value: str | None, name: str) -> str:
    if value is None:
        raise UsageError(
            f"the aws backend needs {name}: set {PREFIX}{name.upper()} (or {name} in paperfleet.toml) to "
            f"the stack's output, or none of these names and {PREFIX}STACK to the stack's"
        )
    return value


def api_key(settings: Settings) -> SecretStr:
    """Given, or read from Secrets Manager; empty if neither is set. Read anew by each job, for a process
    that stays warm outlives a key."""
    if settings.api_key is None and settings.api_key_secret is not None:
        from handlers.adapters.aws_clients import read_secret

        return SecretStr(read_secret(settings.api_key_secret))
    return settings.api_key or SecretStr("")


def task_of(spec: RunSpec) -> Task:
    """The task that a run is about."""
    if spec.task != "translate":
        raise UsageError(f"unknown task {spec.task!r}: this version knows translate")
    if (spec.prompt_version, spec.masking_version) != (PROMPT_VERSION, MASKING_VERSION):
        raise UsageError(
            f"the run was made for prompt {spec.prompt_version} and masking {spec.masking_version}, this "
            f"version has {PROMPT_VERSION} and {MASKING_VERSION}: use one version everywhere (deploy the "
            "stack again), or give another --run-id"
        )
    return TranslateTask(spec)


def price(settings: Settings, model: str) -> Price:
    """The price of a model; UsageError if neither table nor settings have one."""
    return price_of(
        model, price_in=settings.price_in, price_out=settings.price_out, price_cached=settings.price_cached
    )


def endpoint(settings: Settings) -> str:
    """UsageError if no endpoint is set."""
    if settings.base_url is None:
        raise UsageError("no endpoint: set --base-url or PAPERFLEET_BASE_URL")
    return settings.base_url


def chat_model(
    settings: Settings, spec: RunSpec, clock: Clock, limiter: Limiter | None = None
) -> HttpChatModel:
    """The client for a run's model at the endpoint of the settings."""
    client = ClientSettings(
        base_url=endpoint(settings),
        model=spec.model,
        temperature=spec.temperature,
        max_tokens_field=spec.max_tokens_field,
        json_mode=spec.json_mode,
        extra_body=spec.extra_body,
        auth_header=settings.auth_header,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        ca_file=settings.ca_file,
    )
    on_headers = limiter.hint if limiter is not None else None
    return HttpChatModel(client, api_key(settings), clock, on_headers=on_headers)


@cache
def job() -> Job:
    """This process's job, by the environment."""
    return new_job(load_settings().job_id or new_id("job"))


@cache
def _kept() -> tuple[State, Limiter]:
    """What outlives a job: the adapters' clients, and what is known of the API's limits."""
    settings = load_settings()
    adapters = connect(settings)
    return adapters, _limiter(settings, settings.shape[1], adapters.clock)


def new_job(job_id: str) -> Job:
    """A job of its own, with the process's adapters and limiter."""
    return _new_job(load_settings(), job_id, *_kept())


def _new_job(settings: Settings, job_id: str, adapters: State, limiter: Limiter) -> Job:
    def make_context(run_id: str, owner: Job) -> RunContext:
        record = adapters.ledger.run(run_id)
        return RunContext(
            record=record,
            job_id=owner.id,
            session_id=owner.session_id,
            task=task_of(record.spec),
            model=chat_model(settings, record.spec, adapters.clock, limiter),
            price=price(settings, record.spec.model),
            estimator=CostEstimator(),
            limiter=limiter,
            purse=Purse(adapters.ledger, run_id, owner.id),
            breaker=Breaker(adapters.clock),
            meter=JobMeter(),
            ledger=adapters.ledger,
            clock=adapters.clock,
            stop=owner.stop,
            deadline=owner.deadline,
            call_timeout=settings.call_timeout,
            limited=settings.limit is not None,
            force=settings.force,
            failures=_failures(run_id, settings.max_failed),
        )

    return Job(
        job_id,
        session_id=settings.session_id,
        owner=process_owner(os.getpid()),
        workers=settings.shape[1],
        ledger=adapters.ledger,
        queue=adapters.queue,
        store=adapters.store,
        clock=adapters.clock,
        make_context=make_context,
        pace=AWS if settings.backend == "aws" else EMBEDDED,
        auto=AutoWorkers(settings.shape[1]) if settings.workers == "auto" else None,
        free_memory=free_memory,
    )


@cache
def _failures(_run_id: str, limit: float) -> FailureRate:
    """A run's, for the life of the process: on Lambda one invocation ends too few papers to judge by."""
    return FailureRate(limit)


def free_memory() -> float:
    """Share of the machine's memory that is free or could be made so (proc(5), meminfo); 1 where nobody
    says."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        return sizes["MemAvailable"] / sizes["MemTotal"]
    except (OSError, KeyError, ValueError, IndexError):
        return 1.0


def _limiter(settings: Settings, workers: int, clock: Clock) -> Limiter:
    requests = (
        TokenBucket(rate=settings.rpm / 60, burst=max(1.0, settings.rpm / 60)) if settings.rpm else None
    )
    tokens = TokenBucket(rate=settings.tpm / 60, burst=max(1.0, settings.tpm / 60)) if settings.tpm else None
    if settings.workers == "auto":
        workers = AutoWorkers(workers).workers
    limiter = Limiter(AimdLimit(ceiling=workers), clock, requests=requests, tokens=tokens)
    limiter.set_share(settings.shape[0])  # until the heartbeats tell how many jobs live
    return limiter


def on_lambda() -> bool:
    """Whether Lambda's runtime calls the handlers of this process."""
    return "AWS_LAMBDA_RUNTIME_API" in os.environ or "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def new_id(prefix: str) -> str:
    """A name that no other process of the fleet has: part of paths and keys."""
    return f"{prefix}-{secrets.token_hex(5)}"


def process_owner(pid: int) -> str:
    """``host:pid:start``, so that a later process under the same pid is not taken for this one."""
    return f"{platform.node()}:{pid}:{_started(pid)}"


def is_alive(owner: str) -> bool:
    """Whether the process of a ``process_owner`` string runs on this machine (other hosts: assumed to;
    Lambda's sandboxes share a name)."""
    host, pid, started = owner.rsplit(":", 2)
    if host != platform.node() or on_lambda():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _started(int(pid)) == started


def _started(pid: int) -> str:
    """Start time in clock ticks since boot (proc(5), field 22); "0" where there is no /proc, "" for
    a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "0"
    return "" if fields[0] == "Z" else fields[19]


@cache
def logger() -> Logger:
    """Structured lines on stderr; the loggers of the parts below write through it."""
    powertools = Logger(service="paperfleet", stream=sys.stderr, level=os.environ.get("LOG_LEVEL", "INFO"))
    below = logging.getLogger("handlers")
    below.handlers = list(powertools.handlers)
    below.setLevel(powertools.log_level)
    below.propagate = False
    return powertools


def set_environment(values: dict[str, str]) -> None:
    """Give this process its settings (a forked job's)."""
    os.environ.update(values)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_seconds() -> float:
    """Processor time of this process so far."""
    return time.process_time()


def peak_mb() -> float:
    """The most memory that this process has held, in MB."""
    import resource  # not on Windows, and only asked for by a simulation

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform != "darwin" else peak / 1024**2
