from __future__ import annotations

import pytest

from handlers.errors import UsageError
from handlers.llm.client_settings import ClientSettings
from handlers.llm.providers import provider_of, providers, thinking_off


@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        ("https://open.bigmodel.cn/api/paas/v4", "Zhipu, Z.ai"),
        ("https://ARK.cn-beijing.volces.com/api/v3", "Volcengine Ark"),
        ("https://openrouter.ai/api/v1", "OpenRouter"),
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


def test_every_entry_can_be_sent_and_names_where_it_stands() -> None:
    for each in providers():
        ClientSettings(base_url="https://x", model="m", extra_body=dict(each.thinking_off))
        assert each.source.startswith("https://")
        assert len(each.date) == 10
        assert all(host == host.lower() for host in each.hosts)
