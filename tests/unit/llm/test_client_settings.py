"""Addresses are sent as httpx writes them, by whichever way."""

from __future__ import annotations

from itertools import product
from urllib.parse import urlsplit

import httpx
import pytest

from handlers.llm.client_settings import encoded_url

HOSTS = (
    "api.example.com",
    "h",
    "xn--bcher-kva.de",
    "bücher.de",
    "API.Example.com",
    "127.0.0.1",
    "10.0.0.7",
    "[::1]",
    "a--b.c",
)
PORTS = ("", ":80", ":443", ":8080", ":0443", ":65535")
PATHS = (
    "",
    "/",
    "/v1",
    "/v1/",
    "/v1/../x",
    "/v1/./x",
    "//v1",
    "/a b",
    "/%7Ev1",
    "/~v1.2",
    "/v1?api-version=1",
    "/ü",
    "/v1.",
)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_every_address_is_written_as_httpx_does(scheme: str) -> None:
    for host, port, path in product(HOSTS, PORTS, PATHS):
        url = f"{scheme}://{host}{port}{path}"
        assert encoded_url(url) == str(httpx.URL(url)), url
        assert urlsplit(encoded_url(url)).netloc.encode() == httpx.URL(url).netloc, url


@pytest.mark.parametrize(
    "url", ["http://1.2.3.999/v1", "http://[::1/v1", "http://h:port/v1", "http://h/\x00"]
)
def test_what_is_no_url_is_said_to_be_none(url: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        encoded_url(url)
