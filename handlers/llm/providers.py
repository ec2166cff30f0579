"""What is known of providers, by the host of their endpoint: ``providers.toml``."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from handlers.domain.value import Frozen
from handlers.errors import UsageError
from handlers.llm.dialects.request_form import TokensField

FactKind = Literal[
    "address",
    "tokens",
    "json",
    "temperature",
    "system",
    "thinking",
    "switch",
    "usage",
    "headers",
    "limits",
    "queue",
    "refusals",
    "tiers",
    "prices",
]
"""``switch``: what sets how much a model thinks, where it is not known to turn it off."""


class ProviderFact(Frozen):
    """One thing that is known, and where it was read; pages change."""

    kind: FactKind
    text: str = Field(min_length=1)
    source: str = Field(pattern=r"^https://[^\s|<>]+$")
    date: str = Field(pattern=r"^20\d\d-[01]\d-[0-3]\d$")
    tokens_field: TokensField | None = None
    thinking_off: Mapping[str, Any] | None = None
    """Fields of a request."""
    tell: bool = False
    """Whether a run that begins at this provider is told."""


class Provider(Frozen):
    """An entry of the table; without hosts it is a server that people run themselves."""

    name: str
    hosts: tuple[str, ...]
    fact: tuple[ProviderFact, ...] = Field(min_length=1)

    def serves(self, host: str) -> bool:
        """True of a host of this provider's."""
        return any(host == each or (each[0] == "*" and host.endswith(each[1:])) for each in self.hosts)

    @property
    def thinking_off(self) -> Mapping[str, Any] | None:
        """The fields of a request that turn thinking off; None if none is known."""
        return next((each.thinking_off for each in self.fact if each.thinking_off is not None), None)

    @property
    def tokens_field(self) -> TokensField | None:
        """The name of the cap on an answer; None if both are taken, or it is not known."""
        return next((each.tokens_field for each in self.fact if each.tokens_field is not None), None)


@cache
def providers() -> tuple[Provider, ...]:
    """All entries, in the table's order."""
    text = resources.files("handlers.llm").joinpath("providers.toml").read_text("utf-8")
    return tuple(Provider(**row) for row in tomllib.loads(text)["provider"])


def provider_of(base_url: str | None) -> Provider | None:
    """The provider that an endpoint belongs to; None if it is none of the table."""
    try:
        host = (urlsplit(base_url or "").hostname or "").lower()
    except ValueError:
        return None
    if "." not in host or host[-1].isdigit():  # an address, or a machine nearby: the table need not be read
        return None
    return next((each for each in providers() if each.serves(host)), None)


def thinking_off(base_url: str | None) -> dict[str, Any]:
    """The fields of a request that turn thinking off there. UsageError, with the fields to try, if that is
    not known."""
    provider = provider_of(base_url)
    if provider is not None and provider.thinking_off is not None:
        return dict(provider.thinking_off)
    known = [each.thinking_off for each in providers() if each.thinking_off is not None]
    forms = dict.fromkeys(json.dumps(dict(each)) for each in known)
    raise UsageError(
        f"--thinking off: which field turns thinking off at {base_url or 'no --base-url'} is not known; try "
        f"one of these with --extra-body: {', '.join(forms)}"
    )


def provider_hint(base_url: str | None, *, thinking: Literal["auto", "off"]) -> str | None:
    """What is good to know before a run at an endpoint, on one line; None if that is nothing."""
    provider = provider_of(base_url)
    if provider is None:
        return None
    cure = " (--thinking off turns it off)" if provider.thinking_off is not None else ""
    told = [
        f"{each.kind}: {each.text}" + (cure if each.kind == "thinking" else "")
        for each in provider.fact
        if each.tell and not (each.kind == "thinking" and thinking == "off")
    ]
    return f"known of {provider.name}: {'; '.join(told)}" if told else None
