"""What works on papers, wired: the task, the model's client, a process's job.

Apart from the rest of the composition root because it needs most of the package: a command imports it while
its source is being ingested, or never.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

from handlers.bootstrap.host import free_memory, new_id, on_lambda, process_owner, share_one_heap
from handlers.bootstrap.run_task import result_names as result_names
from handlers.bootstrap.run_task import task_of as task_of
from handlers.bootstrap.state import State, connect
from handlers.domain.money import Price
from handlers.domain.run import RunSpec
from handlers.errors import UsageError
from handlers.flag_groups import names_in
from handlers.llm.built_in import is_built_in
from handlers.llm.client import HttpChatModel
from handlers.llm.client_settings import ClientSettings, default_ssl_context
from handlers.llm.dialects.dialect_memory import DialectMemory, endpoint_key
from handlers.llm.limits.aimd import AimdLimit
from handlers.llm.limits.limiter import Limiter
from handlers.llm.limits.token_bucket import TokenBucket
from handlers.llm.prices.pricing import price_of
from handlers.llm.prices.tariff import GivenPrices, ModelTariff, tariff_of
from handlers.llm.proxies import proxy_for
from handlers.llm.reasoning_room import ReasoningRoom
from handlers.pipeline.auto_workers import AutoWorkers
from handlers.pipeline.calls.hedging import Hedges
from handlers.pipeline.circuit_breaker import CircuitBreaker
from handlers.pipeline.context import JobContext, RunContext
from handlers.pipeline.failure_rate import FailureRate
from handlers.pipeline.job_runner import Job, JobSize
from handlers.pipeline.pace import AWS, EMBEDDED
from handlers.pipeline.stop import Deadline, StopSignal
from handlers.ports import Clock, EndpointNotes
from handlers.settings import Settings, load_settings

if TYPE_CHECKING:
    from handlers.llm.embeddings.embedder import HttpEmbedder
    from handlers.tasks.file_task.task_bundle import TaskBundle

_FLEX_FALLBACK = 600.0
"""Seconds without capacity in the flex tier where none are given."""


def api_key(settings: Settings) -> SecretStr:
    """Given, or read from Secrets Manager; empty if neither is set. Read anew by each job, for a process
    that stays warm outlives a key."""
    if settings.api_key is None and settings.api_key_secret is not None:
        from handlers.adapters.aws.clients import read_secret

        return SecretStr(read_secret(settings.api_key_secret))
    return settings.api_key or SecretStr("")


def webhook(settings: Settings) -> SecretStr | None:
    """The address that events are posted to, given or read from Secrets Manager."""
    if settings.webhook is None and settings.webhook_secret is not None:
        from handlers.adapters.aws.clients import read_secret

        return SecretStr(read_secret(settings.webhook_secret, "webhook"))
    return settings.webhook


def as_sent(settings: Settings, spec: RunSpec, state: State) -> RunSpec:
    """The settings whose requests are sent: without what the endpoint is remembered to refuse."""
    if settings.base_url is None:
        return spec
    model = chat_model(settings, spec, state.clock, notes=state.ledger)
    try:
        return model.as_sent(spec)
    finally:
        model.close()


def price(settings: Settings, model: str) -> Price:
    """The price of a model; UsageError if neither table nor settings have one."""
    return price_of(
        model, price_in=settings.price_in, price_out=settings.price_out, price_cached=settings.price_cached
    )


def tariff(settings: Settings, model: str) -> ModelTariff:
    """The model's prices by tier and hour; UsageError if one that the settings ask for is missing."""
    return tariff_of(model, given_prices(settings), flex=bool(settings.flex))


def given_prices(settings: Settings) -> GivenPrices:
    return GivenPrices(
        price_in=settings.price_in,
        price_out=settings.price_out,
        price_cached=settings.price_cached,
        flex_in=settings.price_flex_in,
        flex_out=settings.price_flex_out,
        flex_cached=settings.price_flex_cached,
        base_url=settings.base_url,
        offpeak=settings.hours == "offpeak",
    )


def _flex_fallback(settings: Settings) -> float | None:
    """Seconds, infinite for never; None without the flex tier."""
    if not settings.flex:
        return None
    given = _FLEX_FALLBACK if settings.flex_fallback is None else settings.flex_fallback
    return math.inf if given == "never" else float(given)


def endpoint(settings: Settings) -> str:
    """UsageError if no endpoint is set."""
    if settings.base_url is None:
        raise UsageError("no endpoint: set --base-url or PAPERFLEET_BASE_URL")
    return settings.base_url


def chat_model(
    settings: Settings,
    spec: RunSpec,
    clock: Clock,
    limiter: Limiter | None = None,
    notes: EndpointNotes | None = None,
) -> HttpChatModel | HttpEmbedder:
    """The client for a run's model at the endpoint of the settings, which ``notes`` remember."""
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
        trusted=_trusted(os.environ),
        proxy=proxy_for(endpoint(settings), settings.proxy, os.environ),
    )
    on_headers = limiter.hint if limiter is not None else None
    memory = None
    if notes is not None:
        key = endpoint_key(client.endpoint, client.model, client.extra_body, client.temperature)
        memory = DialectMemory(notes, clock, key, keep_json=client.json_mode == "on")
    source = partial(api_key, settings) if settings.api_key is None and settings.api_key_secret else None
    if spec.embeds:
        from handlers.llm.embeddings.embedder import HttpEmbedder  # for such runs alone

        return HttpEmbedder(client, api_key(settings), clock, on_headers=on_headers, key_source=source)
    return HttpChatModel(
        client, api_key(settings), clock, on_headers=on_headers, memory=memory, key_source=source
    )


def read_certificates(settings: Settings) -> None:
    """Read what is trusted before jobs are forked, which share it then. Whatever is wrong with it, a job
    says."""
    with suppress(UsageError, ValueError):
        if urlsplit(settings.base_url or "").scheme == "https":
            default_ssl_context(settings.ca_file, _trusted(os.environ))


def _trusted(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Certificates that the variables name which OpenSSL looks at."""
    named = (environment.get(name, "") for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    return tuple(Path(each) for each in named if each)


@cache
def job() -> Job:
    """This process's job, by the environment."""
    return new_job(own_settings().job_id or new_id("job"))


@cache
def own_settings() -> Settings:
    """The settings of this process's environment, read once: that takes as long as fifty papers do."""
    return load_settings()


@cache
def _kept() -> tuple[State, Limiter]:
    """What outlives a job: the adapters' clients, and what is known of the API's limits."""
    share_one_heap()
    settings = own_settings()
    adapters = connect(settings)
    return adapters, _limiter(settings, settings.shape[1], adapters.clock)


def new_job(job_id: str) -> Job:
    """A job of its own, with the process's adapters and limiter."""
    settings, (adapters, limiter) = own_settings(), _kept()
    limiter.set_share(settings.shape[0])  # how many live now, this process, perhaps just thawed, cannot know
    return _new_job(settings, job_id, adapters, limiter)


def _new_job(settings: Settings, job_id: str, adapters: State, limiter: Limiter) -> Job:
    pace = AWS if settings.backend == "aws" else EMBEDDED
    shared = JobContext(
        id=job_id,
        session_id=settings.session_id,
        owner=process_owner(os.getpid()),
        backend=adapters,
        limiter=limiter,
        stop=StopSignal(),
        deadline=Deadline(pace.margin),
        call_timeout=settings.call_timeout,
        limited=settings.limit is not None,
        in_stack=settings.backend == "aws",
        on_platform=on_lambda(),
        max_receives=settings.max_receives,
        hedge=settings.hedge,
        force=settings.force,
    )

    def make_context(run_id: str) -> RunContext:
        record = adapters.ledger.run(run_id)
        model = chat_model(settings, record.spec, adapters.clock, limiter, adapters.ledger)
        bundle = _bundle(record.spec.task_bundle, names_in(settings.allow_plugins))
        task = task_of(record.spec, bundle=bundle)
        return RunContext(
            job=shared,
            record=record,
            task=task,
            names=result_names(record.spec, adapters.ledger, task),
            model=model,
            as_sent=model.as_sent,
            on_resumed=model.renew_key,
            tariff=tariff(settings, record.spec.model),
            is_built_in=partial(is_built_in, endpoint(settings)),
            hedges=Hedges(settings.hedge, adapters.clock) if settings.hedge else None,
            flex_fallback=_flex_fallback(settings),
            offpeak=settings.hours == "offpeak",
            breaker=CircuitBreaker(adapters.clock, connects_within=2 * settings.connect_timeout),
            failures=_failures(run_id, settings.max_failed),
            room=_room(run_id, settings.reasoning_room),
        )

    fleet, workers = settings.shape
    auto = AutoWorkers(workers, free_memory=free_memory) if settings.workers == "auto" else None
    return Job(shared, make_context, JobSize(workers, fleet, auto), pace=pace)


@lru_cache(maxsize=8)
def _bundle(digest: str | None, plugins: tuple[str, ...]) -> TaskBundle | None:
    """Of a task file, by its digest, for the life of the process: an invocation reads none again."""
    if digest is None:
        return None
    from handlers.tasks.file_task.stored_bundle import stored_bundle  # for such runs alone

    return stored_bundle(digest, _kept()[0].store).armed(plugins)


@cache
def _failures(_run_id: str, limit: float) -> FailureRate:
    """A run's, for the life of the process: on Lambda one invocation ends too few papers to judge by."""
    return FailureRate(limit)


@cache
def _room(_run_id: str, floor: int) -> ReasoningRoom:
    """A run's, for the life of the process: the next invocation's job goes on with what this one found."""
    return ReasoningRoom(floor)


def _limiter(settings: Settings, workers: int, clock: Clock) -> Limiter:
    requests = (
        TokenBucket(rate=settings.rpm / 60, burst=max(1.0, settings.rpm / 60)) if settings.rpm else None
    )
    tokens = TokenBucket(rate=settings.tpm / 60, burst=max(1.0, settings.tpm / 60)) if settings.tpm else None
    if settings.workers == "auto":
        workers = AutoWorkers(workers).workers
    patience = min(settings.call_timeout, settings.read_timeout)
    return Limiter(AimdLimit(ceiling=workers), clock, requests=requests, tokens=tokens, patience=patience)
