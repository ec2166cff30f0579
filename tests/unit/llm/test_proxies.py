from __future__ import annotations

import pytest

from handlers.errors import UsageError
from handlers.llm.proxies import proxy_for

HTTPS, HTTP = "https://api.example.com/v1", "http://api.example.com:8000/v1"
WAY = "http://user:p%40ss@proxy.example:3128"


@pytest.mark.parametrize(
    ("url", "environment", "address"),
    [
        (HTTPS, {}, None),
        (HTTPS, {"HTTPS_PROXY": WAY}, "http://proxy.example:3128"),
        (HTTPS, {"https_proxy": "proxy.example:3128"}, "http://proxy.example:3128"),
        (HTTPS, {"https_proxy": "http://one:1", "HTTPS_PROXY": "http://two:2"}, "http://one:1"),
        (HTTPS, {"HTTP_PROXY": WAY}, None),
        (HTTPS, {"ALL_PROXY": "https://proxy.example"}, "https://proxy.example:443"),
        (HTTP, {"HTTP_PROXY": WAY}, "http://proxy.example:3128"),
        (HTTP, {"HTTP_PROXY": WAY, "REQUEST_METHOD": "GET"}, None),
        (HTTP, {"http_proxy": WAY, "REQUEST_METHOD": "GET"}, "http://proxy.example:3128"),
        (HTTP, {"HTTP_PROXY": ""}, None),
        *((HTTPS, {"HTTPS_PROXY": WAY, "NO_PROXY": name}, None) for name in (
            "*", "api.example.com", "example.com", ".example.com", "*.example.com", "a.b, API.example.com ",
            "example.com:443",
        )),
        *((HTTPS, {"HTTPS_PROXY": WAY, "NO_PROXY": name}, "http://proxy.example:3128") for name in (
            "ample.com", "example.org", "example.com:8443", "10.0.0.0/8", ",", "api.example.com.evil.org",
        )),
        ("http://10.1.2.3/v1", {"HTTP_PROXY": WAY, "no_proxy": "10.0.0.0/8"}, None),
        ("http://10.1.2.3/v1", {"HTTP_PROXY": WAY, "no_proxy": "10.1.2.3"}, None),
        ("http://[fd00::1]/v1", {"HTTP_PROXY": WAY, "no_proxy": "fd00::/8"}, None),
        ("http://localhost:11434/v1", {"HTTP_PROXY": WAY, "ALL_PROXY": WAY}, None),
        ("http://127.0.0.1:1234/v1", {"HTTP_PROXY": WAY}, None),
        ("http://[::1]:1234/v1", {"HTTP_PROXY": WAY}, None),
    ],
)  # fmt: skip
def test_the_environment_names_the_proxy(url: str, environment: dict[str, str], address: str | None) -> None:
    proxy = proxy_for(url, None, environment)
    assert (proxy.address if proxy else None) == address


def test_a_setting_goes_before_the_environment_and_none_shuts_it_off() -> None:
    environment = {"HTTPS_PROXY": "http://other:1", "NO_PROXY": "*"}
    proxy = proxy_for(HTTPS, WAY, environment)
    assert proxy is not None
    assert proxy.address == "http://proxy.example:3128"
    assert proxy_for(HTTPS, "none", environment) is None


def test_a_proxys_password_is_sent_to_it_and_stands_in_no_text() -> None:
    proxy = proxy_for(HTTPS, WAY, {})
    assert proxy is not None
    assert proxy.headers == [(b"Proxy-Authorization", b"Basic dXNlcjpwQHNz")]
    assert not {"p@ss", "p%40ss", "dXNlcjpwQHNz"} & set(f"{proxy!r} {proxy} {proxy.address}".split())
    assert "dXNl" not in repr(proxy)


@pytest.mark.parametrize(
    "value", ["socks5://user:secret@host:1", "ftp://secret@host", "http://[secret", "http://:1"]
)
def test_what_is_no_http_proxy_is_told_without_its_password(value: str) -> None:
    with pytest.raises(UsageError, match="ALL_PROXY") as caught:
        proxy_for(HTTPS, None, {"ALL_PROXY": value})
    assert "secret" not in str(caught.value)
