from __future__ import annotations

from datetime import date
from typing import Literal
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError

from handlers.errors import UsageError
from handlers.llm.client_settings import ClientSettings
from handlers.llm.providers import ProviderFact, provider_hint, provider_of, providers, thinking_off


@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        ("https://open.bigmodel.cn/api/paas/v4", "Zhipu, Z.ai"),
        ("https://ARK.cn-beijing.volces.com/api/v3", "Volcengine Ark"),
        ("https://openrouter.ai/api/v1", "OpenRouter"),
        ("https://ark.ap-southeast.bytepluses.com/api/v3", "Volcengine Ark"),
        ("https://my-resource.openai.azure.com/openai/v1", "Azure OpenAI"),
        ("https://volces.com.evil.example/v1", None),
        ("http://localhost:8000/v1", None),
        (None, None),
    ],
)
def test_a_provider_is_known_by_its_host(base_url: str | None, name: str | None) -> None:
    found = provider_of(base_url)
    assert (found.name if found else None) == name


def test_an_unknown_provider_is_told_with_the_fields_to_try() -> None:
    with pytest.raises(UsageError, match=r'--extra-body: .*"enable_thinking": false'):
        thinking_off("http://localhost:8000/v1")


def test_what_an_entry_has_to_send_can_be_sent() -> None:
    for each in providers():
        ClientSettings(base_url="https://x", model="m", extra_body=dict(each.thinking_off or {}))
        assert all(host == host.lower() for host in each.hosts)


def test_every_fact_names_where_and_when_it_was_read() -> None:
    """The reader refuses a file with a fact that does not."""
    facts = [fact for each in providers() for fact in each.fact]
    assert len(facts) > 50
    for fact in facts:
        assert date.fromisoformat(fact.date).year >= 2026
        assert urlsplit(fact.source).hostname
    for broken in ({"source": ""}, {"source": "from memory"}, {"date": ""}, {"text": ""}, {"seen": False}):
        with pytest.raises(ValidationError):
            ProviderFact(**(facts[0].model_dump() | broken))


def test_every_host_has_one_provider_and_every_provider_a_name_of_its_own() -> None:
    names = [each.name for each in providers()]
    hosts = [host for each in providers() for host in each.hosts]
    assert len(set(names)) == len(names)
    assert len(set(hosts)) == len(hosts)


@pytest.mark.parametrize(
    ("base_url", "thinking", "told"),
    [
        ("https://api.deepseek.com", "auto", "--thinking off"),
        ("https://api.deepseek.com", "off", None),
        ("https://api.minimax.io/v1", "off", "temperature: above 0"),
        ("https://api.anthropic.com/v1", "auto", "response_format"),
        ("https://api.openai.com/v1", "auto", None),
        ("http://localhost:11434/v1", "auto", None),
        ("https://[broken", "auto", None),
        (None, "auto", None),
    ],
)
def test_a_run_is_told_what_is_worth_knowing_of_its_endpoint(
    base_url: str | None, thinking: Literal["auto", "off"], told: str | None
) -> None:
    hint = provider_hint(base_url, thinking=thinking)
    assert hint is None if told is None else hint is not None and told in hint and "\n" not in hint
