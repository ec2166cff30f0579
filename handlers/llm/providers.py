"""What is known of providers, by the host of their endpoint: ``providers.toml``."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from handlers.domain.value import Frozen
from handlers.errors import UsageError


class Provider(Frozen):
    """An entry of the table; ``seen`` is False until it was compared with the page at ``source``."""

    name: str
    hosts: tuple[str, ...]
    thinking_off: Mapping[str, Any]
    thinking_note: str = ""
    source: str
    date: str
    seen: bool

    def serves(self, host: str) -> bool:
        """True of a host of this provider's."""
        return any(host == each or (each[0] == "*" and host.endswith(each[1:])) for each in self.hosts)


@cache
def providers() -> tuple[Provider, ...]:
    """All entries, in the table's order."""
    text = resources.files("handlers.llm").joinpath("providers.toml").read_text("utf-8")
    return tuple(Provider(**row) for row in tomllib.loads(text)["provider"])


def provider_of(base_url: str | None) -> Provider | None:
    """The provider that an endpoint belongs to; None if it is none of the table."""
    host = (urlsplit(base_url or "").hostname or "").lower()
    return next((each for each in providers() if each.serves(host)), None)


def thinking_off(base_url: str | None) -> dict[str, Any]:
    """The fields of a request that turn thinking off there. UsageError, with the fields to try, if that is
    not known."""
    if (provider := provider_of(base_url)) is not None:
        return dict(provider.thinking_off)
    forms = {json.dumps(dict(each.thinking_off)): None for each in providers()}
    forms['{"chat_template_kwargs": {"enable_thinking": false}}'] = None  # vLLM and SGLang
    raise UsageError(
        f"--thinking off: which field turns thinking off at {base_url or 'no --base-url'} is not known; try "
        f"one of these with --extra-body: {', '.join(forms)}"
    )
