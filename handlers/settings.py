"""Flags, then ``PAPERFLEET_*``, then ``paperfleet.toml``, as one frozen model."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from handlers.domain.money import NANO, NanoUsd
from handlers.domain.run import RunId
from handlers.errors import UsageError

PREFIX = "PAPERFLEET_"
Tier = Literal["standard", "parallel", "ultra", "extreme"]
TIERS: dict[str, tuple[int, int]] = {
    "standard": (1, 10),
    "parallel": (5, 20),
    "ultra": (10, 50),
    "extreme": (20, 100),
}
"""Tier → (jobs, workers per job)."""
CUSTOM = "custom"
"""What a plan calls a fleet of one's own."""
MOST_AUTO = 500
"""Threads that one process is given without being told a number: past that its CPU binds."""
_SECRETS = {"api_key", "webhook"}
"""Read from the environment alone."""


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

    backend: Literal["embedded", "aws"] = "embedded"
    state: Path = Path("paperfleet-state")
    run_id: RunId = "default"

    stack: str | None = None
    """Name of the deployed stack whose outputs are taken where ``table``, ``queue_url`` and ``bucket`` are
    not set; ``paperfleet`` if it is not set either."""
    shard_function: str | None = None
    """Lambda function that shards. Where the other names are set one by one and this one is not, the
    machine at hand does."""
    table: str | None = None
    """DynamoDB table of the ledger. The endpoint of all AWS services is boto3's own AWS_ENDPOINT_URL."""
    queue_url: str | None = None
    dead_letter_url: str | None = None
    bucket: str | None = None
    api_key_secret: str | None = None
    """Name or ARN in Secrets Manager, read once a job and run; ``api_key`` goes before it."""

    base_url: str | None = None
    api_key: SecretStr | None = None
    auth_header: str = "Authorization: Bearer"
    ca_file: Path | None = None
    """PEM file of certificates to trust besides the usual ones (PAPERFLEET_CA_FILE or the file)."""
    model: str | None = None
    price_in: Decimal | None = Field(default=None, ge=0, le=10**5)
    price_out: Decimal | None = Field(default=None, ge=0, le=10**5)
    price_cached: Decimal | None = Field(default=None, ge=0, le=10**5)
    temperature: float | None = Field(default=0.0, ge=0, le=2)
    max_tokens: int | None = Field(default=None, gt=0)
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    json_mode: Literal["auto", "on", "off"] = "auto"
    extra_body: dict[str, Any] = Field(default_factory=dict)
    connect_timeout: float = Field(default=10.0, gt=0)
    read_timeout: float = Field(default=120.0, gt=0)
    call_timeout: float = Field(default=180.0, gt=0)

    target_language: str = "en"
    glossary: Path | None = None
    skip_no_derivatives: bool = True
    full_text: bool = False
    batch_papers: int = Field(default=20, ge=1)

    tier: Tier | None = None
    jobs: int | None = Field(default=None, ge=1, le=1000)
    workers: Annotated[int, Field(ge=1, le=1000)] | Literal["auto"] | None = None
    """``auto``: as many as help, up to ``MOST_AUTO``."""
    rpm: float | None = Field(default=None, gt=0, ge=1e-3)
    tpm: float | None = Field(default=None, gt=0, ge=1e-3)
    budget: Decimal | None = Field(default=None, ge=0, le=10**6)
    limit: int | None = Field(default=None, ge=0)
    deadline: float | None = Field(default=None, gt=0)
    force: bool = False
    max_failed: float = Field(default=0.5, ge=0, le=1)
    """Share of failed and flagged papers, of those that ended last, above which the run is parked."""

    webhook: SecretStr | None = None
    """Address that word of a run is posted to. Whoever knows it can post too: as secret as the key."""

    session_id: str = ""
    """Set for the jobs of a session by whoever starts them."""
    job_id: str = ""
    ends_at: float | None = None
    """Unix seconds at which the session's deadline passes."""

    @model_validator(mode="before")
    @classmethod
    def _where_the_stack_is(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {"backend": "aws"} | given if given.get("stack") else given

    @field_validator("state")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @field_validator("max_failed", mode="before")
    @classmethod
    def _share(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        number, sign, rest = given.strip().partition("%")
        try:
            share = float(number) / (100 if sign else 1)
        except ValueError:
            share = -1.0
        if rest or not 0 <= share <= 1:
            raise ValueError(f"{given!r} is no share of the papers: give a percentage such as 5%")
        return share

    @field_validator("base_url")
    @classmethod
    def _http(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return url

    @field_validator("webhook")
    @classmethod
    def _http_too(cls, address: SecretStr | None) -> SecretStr | None:
        cls._http(None if address is None else address.get_secret_value())
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
        return init_settings, env_settings, _NoSecrets(settings_cls)


class _NoSecrets(TomlConfigSettingsSource):
    """The file next to a project, which is committed sooner or later: no secret may lie in it."""

    def __call__(self) -> dict[str, Any]:
        found = super().__call__()
        for name in sorted(_SECRETS & found.keys()):
            raise UsageError(
                f"paperfleet.toml: {name} does not belong in a file; set {PREFIX}{name.upper()} instead"
            )
        return found


def load_settings(*, aws: bool | None = None, **flags: Any) -> Settings:
    """Flags that are None count as not given; ``aws`` is short for the backend. UsageError names the
    setting that is wrong."""
    if aws:
        flags["backend"] = "aws"
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        flag = "--" + name.replace("_", "-")
        variable = PREFIX + name.upper()
        places = variable if name in _SECRETS else f"flag {flag}, {variable} or paperfleet.toml"
        raise UsageError(f"{name}: {first['msg']} ({places})") from error
    except ValueError as error:
        raise UsageError(f"paperfleet.toml or the environment: {error}") from error


def to_environment(settings: Settings) -> dict[str, str]:
    """The settings as ``PAPERFLEET_*`` for a job's process; the secrets stay where they are."""
    values = settings.model_dump(mode="json", exclude=_SECRETS, exclude_none=True)
    return {
        PREFIX + name.upper(): value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
    }
