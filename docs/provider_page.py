"""What is known of providers, as tables: made of the file that the code reads."""

from __future__ import annotations

import json
from collections.abc import Iterator

from handlers.llm.providers import FactKind, Provider, ProviderFact, providers

TITLES: dict[FactKind, str] = {
    "address": "address",
    "tokens": "cap on an answer",
    "json": "JSON mode",
    "temperature": "temperature",
    "system": "instructions of the system",
    "thinking": "thinking",
    "switch": "thinking",
    "usage": "tokens stated",
    "headers": "headers of limits",
    "limits": "limits",
    "queue": "waiting",
    "refusals": "refusals",
    "tiers": "tiers",
    "prices": "prices",
}


def provider_tables() -> str:
    """An overview, and a table each."""
    return "\n\n".join(["\n".join(_overview()), *("\n".join(_table_of(each)) for each in providers())])


def _overview() -> Iterator[str]:
    yield "| provider | hosts | cap on an answer | `--thinking off` sends |"
    yield "| --- | --- | --- | --- |"
    for each in providers():
        hosts = "<br>".join(f"`{host}`" for host in each.hosts) or "your own"
        yield f"| {each.name} | {hosts} | {_code(each.tokens_field)} | {_code(_json(each.thinking_off))} |"


def _table_of(provider: Provider) -> Iterator[str]:
    yield f"## {provider.name}\n"
    yield "| of | known | read |"
    yield "| --- | --- | --- |"
    for fact in provider.fact:
        yield f"| {TITLES[fact.kind]} | {_known(fact)} | [{fact.date}]({fact.source}) |"


def _known(fact: ProviderFact) -> str:
    sent = _json(fact.thinking_off)
    return (f"off by `{sent}`: " if sent else "") + fact.text.replace("|", r"\|")


def _json(fields: object) -> str | None:
    return None if fields is None else json.dumps(fields)


def _code(said: str | None) -> str:
    return "–" if said is None else f"`{said}`"
