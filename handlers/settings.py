"""Flags, then ``PAPERFLEET_*``, then ``paperfleet.toml``, as one frozen model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from handlers.domain.fleet_tiers import MOST_AUTO, TIERS, Tier
from handlers.domain.money import NANO, NanoUsd
from handlers.domain.run import RunId
from handlers.errors import UsageError
from handlers.flag_groups import (
    ADDRESS,
    BATCHES,
    BUDGET,
    CONNECTION,
    FLEET,
    FLEX,
    HOURS,
    JOBS,
    LIMIT,
    MODEL,
    PLUGINS,
    REQUEST,
    RUN_ID,
    SESSION,
    SILENCE,
    STATE,
    TASK,
    TEXT,
    THINKING,
    WHERE,
    WORKERS,
    FewCalls,
    Share,
    Usd,
    setting,
)
from handlers.setting_sources import PREFIX, SECRETS, TomlFile, check_environment
from handlers.wrong_value import wrong_value

FLEX_SECONDS = 900.0
"""Of a call in the flex tier, and of its silence, where none is given."""
_PRICE: dict[str, Any] = {"ge": 0, "le": 10**5}
_RATE: dict[str, Any] = {"gt": 0, "ge": 1e-3}


class Settings(BaseSettings):
    """Everything that can be set. Fields of the run itself are fixed once the run exists."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        toml_file="paperfleet.toml",
        env_ignore_empty=True,
        allow_inf_nan=False,
    )

    backend: Literal["embedded", "aws"] = setting(
        "Where queue, ledger and results are: in the state folder, or with --aws in the stack that"
        " PAPERFLEET_STACK names (`paperfleet` if it is not set).",
        WHERE,
        default="embedded",
        switch="--aws",
    )
    state: Path = setting("Folder of ledger, corpus and results.", STATE, default=Path("paperfleet-state"))
    run_id: RunId = setting("Name of the run; of one that exists the newest.", RUN_ID, default="default")

    stack: str | None = setting(
        "Deployed stack whose outputs stand in for `table`, `queue_url` and `bucket` where those are not set;"
        " `paperfleet` if this is not set either."
    )
    shard_function: str | None = setting(
        "Lambda function that shards. If the other names are set one by one and this one is not, the machine"
        " at hand shards."
    )
    table: str | None = setting("Ledger's DynamoDB table; boto3 takes all endpoints from AWS_ENDPOINT_URL.")
    queue_url: str | None = setting("SQS queue of the batches.")
    dead_letter_url: str | None = setting("SQS queue of the batches that were given up.")
    max_receives: int = setting("Attempts at a batch before it is a dead letter.", default=5, ge=2, le=1000)
    function_timeout: float | None = setting("Seconds that the process function may take; a call must fit.")
    bucket: str | None = setting("S3 bucket of corpora and results.")
    api_key_secret: str | None = setting(
        "Name or ARN of the key in Secrets Manager, read once a job and run; `api_key` goes before it."
    )

    base_url: str | None = setting("OpenAI-compatible endpoint, e.g. https://host/v1.", ADDRESS)
    api_key: SecretStr | None = setting("Key of the model's API.")
    auth_header: str = setting(
        "Header that carries the key, e.g. api-key.", CONNECTION, default="Authorization: Bearer"
    )
    ca_file: Path | None = setting("PEM file of certificates to trust besides the usual ones.", CONNECTION)
    proxy: str | None = setting(
        "HTTP proxy to the endpoint, e.g. http://host:3128; `none` uses none, whatever HTTPS_PROXY,"
        " HTTP_PROXY, ALL_PROXY and NO_PROXY say.",
        CONNECTION,
        repr=False,
    )
    model: str | None = setting("Model's name at the endpoint.", MODEL)
    price_in: Usd | None = setting(
        "USD per million prompt tokens, if the price table lacks the model.", ADDRESS, **_PRICE
    )
    price_out: Usd | None = setting("USD per million completion tokens.", ADDRESS, **_PRICE)
    price_cached: Usd | None = setting(
        "USD per million cached prompt tokens; --price-in if it is not given.", ADDRESS, **_PRICE
    )
    flex: bool | None = setting(
        'Ask for the flex tier (`service_tier: "flex"`): cheaper, slower, at times without capacity.',
        FLEX,
        switch="--flex",
    )
    flex_fallback: Annotated[float, Field(ge=0)] | Literal["never"] | None = setting(
        "Seconds without capacity until a call goes to the standard tier, or `never`; 600 by default.",
        FLEX,
    )
    price_flex_in: Usd | None = setting(
        "USD per million prompt tokens in the flex tier, if the price table lacks them.", FLEX, **_PRICE
    )
    price_flex_out: Usd | None = setting(
        "USD per million completion tokens in the flex tier.", FLEX, **_PRICE
    )
    price_flex_cached: Usd | None = setting(
        "USD per million cached prompt tokens in the flex tier; --price-flex-in if it is not given.",
        FLEX,
        **_PRICE,
    )
    temperature: float | None = setting("Sampling temperature.", REQUEST, default=0.0, ge=0, le=2)
    max_tokens: int | None = setting(
        "Cap on an answer's tokens, thoughts and all; by default what text and thoughts take.", REQUEST, gt=0
    )
    reasoning_room: int = setting(
        "Least tokens for thoughts beside an answer; more is learned.", THINKING, default=0, ge=0, le=10**6
    )
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = setting(
        "Name of the cap in a request: max_tokens or max_completion_tokens.", REQUEST, default="max_tokens"
    )
    json_mode: Literal["auto", "on", "off"] = setting("auto, on or off.", REQUEST, default="auto")
    extra_body: dict[str, Any] = setting(
        "JSON merged into every request, e.g. '{\"thinking\": false}'.", REQUEST, default={}
    )
    thinking: Literal["auto", "off"] = setting(
        "off: send what turns thinking off at the provider of --base-url, for a model that thinks.",
        REQUEST,
        default="auto",
    )
    connect_timeout: float = setting("Seconds to wait for a connection.", default=10.0, gt=0)
    read_timeout: float = setting(
        "Seconds of silence after which a call is cut.", SILENCE, default=120.0, gt=0
    )
    call_timeout: float = setting("Seconds for a whole call.", CONNECTION, default=180.0, gt=0)

    task: Path | None = setting("Task file (TOML): what is asked of each record; none: translation.", TASK)
    task_bundle: str | None = setting("What `task push` printed, for uploads.", pattern="^[0-9a-f]{64}$")
    allow_plugins: str | None = setting("Distributions whose checks may judge, commas between.", PLUGINS)
    target_language: str = setting("Language code.", TEXT, default="en")
    glossary: Path | None = setting("CSV or JSON: source term, target term.", TEXT)
    skip_no_derivatives: bool = setting(
        "What becomes of papers whose licence forbids derivatives.",
        TEXT,
        default=True,
        switch="--skip-no-derivatives/--translate-no-derivatives",
    )
    full_text: bool = setting("Translate bodies too.", TEXT, default=False, switch="--full-text")
    batch_papers: int = setting("Papers a batch at most.", BATCHES, default=20, ge=1)

    tier: Tier | None = setting("standard 1x10, parallel 5x20, ultra 10x50 or extreme 20x100.", FLEET)
    jobs: int | None = setting("Processes.", FLEET, ge=1, le=1000)
    workers: Annotated[int, Field(ge=1, le=1000)] | Literal["auto"] | None = setting(
        "Threads per job at most, or `auto`: as many as calls, memory and the API's limit allow.", WORKERS
    )
    rpm: float | None = setting("Declared limit: requests a minute, all jobs.", LIMIT, **_RATE)
    tpm: float | None = setting("Declared limit: tokens a minute, all jobs.", LIMIT, **_RATE)
    hedge: FewCalls = setting(
        "Share of calls, e.g. 0.5%, to pay for twice: the last slow ones.", SESSION, default=0, ge=0, le=0.05
    )
    budget: Usd | None = setting(
        "USD that the run may cost in all, over all sessions.", BUDGET, ge=0, le=10**6
    )
    limit: int | None = setting("Start at most this many papers this time.", SESSION, ge=0)
    deadline: float | None = setting("Seconds that this session may take.", SESSION, gt=0)
    hours: Literal["any", "offpeak"] | None = setting(
        "offpeak: start no call that could end in an hour in which the model is dearer; any if it is not"
        " given.",
        HOURS,
    )
    force: bool = setting("Pay again for results of earlier runs.", JOBS, default=False, switch="--force")
    max_failed: Share = setting(
        "Park the run once clearly more than this share of a job's last 200 papers fail or are flagged, e.g."
        " 5%; 100% never parks it.",
        JOBS,
        default=0.5,
        ge=0,
        le=1,
    )

    webhook: SecretStr | None = setting(
        "Address that events of a run are posted to. Whoever knows it can post too: as secret as the key."
    )
    webhook_secret: str | None = setting("Its name or ARN in Secrets Manager; `webhook` goes before it.")
    alarms_topic: str | None = setting("ARN of an SNS topic, told once of each run that needs somebody.")
    session_id: str = setting("Id of the session; set for its jobs by whoever starts them.", default="")
    job_id: str = setting("Id of the process; set by whoever starts it.", default="")
    ends_at: float | None = setting("Unix seconds at which the session's deadline passes.")

    @model_validator(mode="before")
    @classmethod
    def _implied(cls, values: dict[str, Any]) -> dict[str, Any]:
        """A stack implies AWS, and the flex tier long calls."""
        implied: dict[str, Any] = {"backend": "aws"} if values.get("stack") else {}
        if str(values.get("flex")).lower() in ("true", "1", "yes", "on", "t", "y"):
            implied |= {"call_timeout": FLEX_SECONDS, "read_timeout": FLEX_SECONDS}
        return implied | values

    @model_validator(mode="after")
    def _one_tier(self) -> Settings:
        if self.flex and "service_tier" in self.extra_body:
            raise ValueError("--extra-body sets service_tier, which --flex sets itself: give one of them")
        return self

    @field_validator("state")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @field_validator("extra_body", mode="before")
    @classmethod
    def _object(cls, body: Any) -> Any:
        try:
            return json.loads(body) if isinstance(body, str) else body
        except ValueError as error:
            raise ValueError(f"{body!r} is no JSON object: {error}") from None

    @field_validator("base_url", "webhook")
    @classmethod
    def _http(cls, address: str | SecretStr | None) -> str | SecretStr | None:
        url = address.get_secret_value() if isinstance(address, SecretStr) else address
        if url is not None and not url.startswith(("http://", "https://")):
            seen = url is address and "@" not in url
            raise ValueError(f"{url!r} " * seen + "must begin with http:// or https://")
        return address

    @property
    def shape(self) -> tuple[int, int]:
        """(jobs, workers per job): the tier's unless given one by one."""
        jobs, workers = TIERS[self.tier or "standard"]
        most = MOST_AUTO if self.workers == "auto" else self.workers
        return self.jobs or jobs, most or workers

    @property
    def budget_nano(self) -> NanoUsd | None:
        return None if self.budget is None else NanoUsd(int(self.budget * NANO))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlFile(settings_cls)


def settings_of(command: str) -> dict[str, FieldInfo]:
    """Settings that are flags of a command such as ``run`` or ``actions plan``, in the order of its help."""
    return {
        name: field
        for name, field in Settings.model_fields.items()
        if isinstance(field.json_schema_extra, dict)
        and command in cast("list[str]", field.json_schema_extra["commands"])
    }


def load_settings(*, aws: bool | None = None, **flags: Any) -> Settings:
    """A flag of None is not given; ``aws`` stands for the backend. UsageError names the wrong setting."""
    if aws:
        flags["backend"] = "aws"
    check_environment(Settings.model_fields)
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        place, reason = wrong_value(error, Settings)
        name = place.partition(".")[0] or "settings"
        field, variable = Settings.model_fields.get(name), PREFIX + name.upper()
        flag = f"flag --{name.replace('_', '-')}, " if field and field.json_schema_extra else ""
        places = variable if name in SECRETS else f"{flag}{variable} or paperfleet.toml"
        raise UsageError(f"{name}: {reason} ({places})") from error
    except ValueError as error:
        raise UsageError(f"paperfleet.toml or the environment: {error}") from error
