"""The model server's settings: each field makes a flag, most can change in mid-run."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from handlers.model_server.habits.habit_table import shares

Fault = Literal[
    "http_500",
    "http_503",
    "http_529",
    "reset",
    "stall",
    "truncated",
    "malformed",
    "dropped_placeholder",
    "source_left",
    "wrong_numbers",
    "refusal",
    "length_cut",
    "no_usage",
    "dropped_segment",
    "added_structure",
    "off_schema",
    "invented_quote",
]
FAULTS: tuple[Fault, ...] = get_args(Fault)
_OF_SCHEMAS = frozenset({"off_schema", "invented_quote"})
"""Faults that no translation meets: the rate of all others does not count for them."""
FIXED = frozenset({"host", "port", "mode", "seed", "tls_certificate", "tls_key"})
"""Settings that a running server keeps."""


def _rate(description: str) -> float | None:
    rate: float | None = Field(default=None, ge=0, le=1, description=description)
    return rate


class ServerSettings(BaseModel):
    """Seconds, USD and tokens. A fault's rate is its share of the requests that pass the limits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=0, ge=0, le=65535, description="port to listen on; 0 picks a free one")
    mode: Literal["gloss", "canned"] = Field(
        default="gloss", description="gloss: word by word with CC-CEDICT; canned: filler for load tests"
    )
    tls_certificate: Path | None = Field(default=None, description="PEM file; serves https with --tls-key")
    tls_key: Path | None = Field(default=None, description="PEM file of the certificate's key")
    seed: int = Field(default=1, description="seed of latency and faults")

    latency_model: Literal["lognormal", "length"] = Field(
        default="lognormal", description="lognormal: around --latency; length: follows the answer's tokens"
    )
    latency: float = Field(default=0.0, ge=0, description="median latency in seconds (lognormal)")
    sigma: float = Field(default=0.4, ge=0, le=5, description="spread of the lognormal noise")
    ttft: float = Field(default=0.4, ge=0, description="seconds to the first token (length)")
    tokens_per_second: float = Field(default=80.0, gt=0, description="tokens of answer a second (length)")

    rpm: float | None = Field(default=None, gt=0, description="requests a minute before 429")
    tpm: float | None = Field(default=None, gt=0, description="tokens a minute before 429")
    burst: float = Field(default=10.0, gt=0, description="seconds of each limit that may be used at once")
    max_in_flight: int | None = Field(default=None, ge=1, description="requests at once before 429")
    retry_after: Literal["seconds", "date", "off"] = Field(
        default="seconds", description="form of the Retry-After header of a 429"
    )
    retry_after_ms: bool = Field(default=True, description="send retry-after-ms with a 429")

    faults: float = Field(default=0.0, ge=0, le=1, description="rate of every fault that has none of its own")
    http_500: float | None = _rate("rate of answers 500")
    http_503: float | None = _rate("rate of answers 503")
    http_529: float | None = _rate("rate of answers 529 (overloaded)")
    reset: float | None = _rate("rate of connections reset before any byte, after the answer was charged")
    stall: float | None = _rate("rate of calls charged and never answered")
    truncated: float | None = _rate("rate of answers cut off on the wire")
    malformed: float | None = _rate("rate of answers that are not the JSON asked for")
    dropped_placeholder: float | None = _rate("rate of answers that lack a placeholder")
    source_left: float | None = _rate("rate of answers with one segment left in the source language")
    wrong_numbers: float | None = _rate("rate of answers with a number changed")
    refusal: float | None = _rate("rate of answers that decline")
    length_cut: float | None = _rate("rate of answers cut in half with finish_reason length")
    no_usage: float | None = _rate("rate of good answers without usage")
    dropped_segment: float | None = _rate("rate of answers that lack a segment")
    added_structure: float | None = _rate(
        "rate of answers with a heading or a blank line put before a body's text"
    )
    off_schema: float | None = _rate("rate of answers that leave the schema asked for")
    invented_quote: float | None = _rate("rate of answers with a quotation that nobody wrote")
    stall_seconds: float = Field(default=600.0, gt=0, description="seconds a stalled connection is held open")

    habit: tuple[str, ...] = Field(
        default=(),
        description="a habit of real providers, NAME or NAME=SHARE of the calls; may be repeated",
        json_schema_extra={"repeated": True},
    )

    api_key: str | None = Field(default=None, repr=False, description="key to demand, else 401")
    credit_usd: Decimal | None = Field(default=None, ge=0, description="USD billed before credit runs out")
    credit_status: Literal[402, 429] = Field(default=402, description="status once credit has run out")
    models: tuple[str, ...] = Field(default=(), description="model names to know, else 404; none: any")
    max_context_tokens: int | None = Field(default=None, ge=1, description="prompt and answer together")

    price_in: Decimal = Field(default=Decimal(0), ge=0, description="USD per million prompt tokens")
    price_out: Decimal = Field(default=Decimal(0), ge=0, description="USD per million completion tokens")
    price_cached: Decimal | None = Field(
        default=None, ge=0, description="USD per million cached prompt tokens; none: as price_in"
    )
    prompt_cache: bool = Field(
        default=False, description="report the prompt's longest beginning seen before as cached tokens"
    )
    cache_from: int = Field(
        default=1024, ge=64, description="tokens from which a beginning is cached, in steps of 64"
    )
    reasoning_tokens: int = Field(default=0, ge=0, description="reasoning tokens added to every answer")
    max_request_bytes: int = Field(default=8 << 20, ge=1024, description="largest request body")

    @field_validator("habit")
    @classmethod
    def _known(cls, wanted: tuple[str, ...]) -> tuple[str, ...]:
        shares(wanted)
        return wanted

    @model_validator(mode="after")
    def _adds_up(self) -> ServerSettings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("TLS needs both tls_certificate and tls_key")
        total = sum(self.rates.values())
        if total > 1 + 1e-9:
            raise ValueError(f"the fault rates add up to {total:g}, over 1: lower --faults or single rates")
        for name in ("price_in", "price_out", "price_cached"):
            price = getattr(self, name)
            if price is not None and price * 10**6 % 1:
                raise ValueError(f"{name}={price} is finer than a pico-USD a token (0.000001 per million)")
        return self

    @property
    def rates(self) -> dict[Fault, float]:
        """Rate of each fault; their sum is at most 1, for one request has at most one."""
        own = {fault: getattr(self, fault) for fault in FAULTS}
        shared = {fault: 0.0 if fault in _OF_SCHEMAS else self.faults for fault in FAULTS}
        return {fault: shared[fault] if rate is None else rate for fault, rate in own.items()}

    @property
    def model_name(self) -> str:
        return f"paperfleet-{self.mode}"

    @property
    def notice(self) -> str:
        """What the texts are, in one sentence: sent with every answer, never inside the text."""
        if self.mode == "gloss":
            return "word-by-word gloss with CC-CEDICT (CC BY-SA 4.0); not a translation"
        return "filler text for load tests; not a translation"
