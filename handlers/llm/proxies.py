"""The way to the API through an HTTP proxy: which one, and how to get through it.

https goes through a tunnel (CONNECT, RFC 9110 §9.3.6), http in absolute form (RFC 9112 §3.2.2). Which one is
told by a setting or, as with most clients, by ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY``, ``NO_PROXY``.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import httpcore

from handlers.domain.call_errors import FatalError
from handlers.errors import UsageError

_NONE = "none"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class HttpProxy:
    """A proxy's address; its user and password are in ``authorization`` alone, which no text shows."""

    scheme: str
    host: str
    port: int
    authorization: str = field(default="", repr=False)

    @property
    def address(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What a request says to the proxy alone."""
        named = self.authorization.encode("ascii")
        return [(b"Proxy-Authorization", named)] if named else []


def proxy_for(url: str, setting: str | None, environment: Mapping[str, str]) -> HttpProxy | None:
    """The proxy on the way to ``url``; None if there is none. The setting goes before the environment, whose
    names count in small letters first; ``none`` shuts both off. UsageError if it is no HTTP proxy."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if setting is not None:
        return None if setting.strip().lower() in ("", _NONE) else _parsed(setting, "--proxy")
    port = parts.port or _PORTS.get(parts.scheme, 0)
    if _is_loopback(host) or _is_excepted(host, port, _of(environment, "no_proxy")[1]):
        return None
    for name in (f"{parts.scheme}_proxy", "all_proxy"):
        found, value = _of(environment, name)
        if value:
            return _parsed(value, found)
    return None


def _of(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    """(spelling, value) of a variable. A CGI server sets HTTP_PROXY from a request's header: it is not read
    there, see CVE-2016-5385."""
    if environment.get(name):
        return name, environment[name].strip()
    upper = name.upper()
    if upper == "HTTP_PROXY" and "REQUEST_METHOD" in environment:
        return upper, ""
    return upper, environment.get(upper, "").strip()


def _parsed(text: str, source: str) -> HttpProxy:
    try:
        parts = urlsplit(text.strip() if "://" in text else f"http://{text.strip()}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UsageError(f"{source}: its value is no URL of a proxy") from None
    if parts.scheme not in _PORTS or not host:
        kind = f"a {parts.scheme} proxy" if parts.scheme.startswith("socks") else "no http:// or https:// URL"
        raise UsageError(
            f"{source} names {kind}: give an HTTP proxy with --proxy, or --proxy none to use none"
        )
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        authorization = "Basic " + base64.b64encode(pair).decode()
    return HttpProxy(parts.scheme, host, port or _PORTS[parts.scheme], authorization)


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _is_excepted(host: str, port: int, exceptions: str) -> bool:
    """True of a host that NO_PROXY names: itself, a domain above it, a network around it, or all."""
    return any(_matches(host, port, each.strip().lower()) for each in exceptions.split(",") if each.strip())


def _matches(host: str, port: int, pattern: str) -> bool:
    if pattern == "*":
        return True
    address = _address(host)
    if address is not None and "/" in pattern:
        try:
            return address in ipaddress.ip_network(pattern, strict=False)
        except ValueError:
            return False
    name, colon, only = pattern.rpartition(":")
    if colon and only.isdecimal() and not _address(pattern):
        if int(only) != port:
            return False
        pattern = name
    pattern = pattern.strip("[]").removeprefix("*").removeprefix(".")
    return bool(pattern) and (host == pattern or (address is None and host.endswith(f".{pattern}")))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def tunnel(
    stream: httpcore.NetworkStream, proxy: HttpProxy, host: str, port: int, *, timeout: float
) -> httpcore.NetworkStream:
    """A connection to ``host`` through the proxy at the other end of ``stream``. FatalError if it refuses,
    httpcore.ConnectError if it cannot; both quote the status alone, as a proxy's page may hold anything."""
    target = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}").encode("ascii")
    headers = [(b"Host", target), *proxy.headers]
    url = httpcore.URL(scheme=proxy.scheme, host=proxy.host, port=proxy.port, target=target)
    waits = {"connect": timeout, "read": timeout, "write": timeout}
    request = httpcore.Request(b"CONNECT", url, headers=headers, extensions={"timeout": waits})
    try:
        response = httpcore.HTTP11Connection(url.origin, stream).handle_request(request)
    except httpcore.ProtocolError:
        raise httpcore.ConnectError(f"the proxy {proxy.address} does not speak HTTP") from None
    status = response.status
    if 200 <= status < 300:
        way: httpcore.NetworkStream = response.extensions["network_stream"]
        return way
    stream.close()
    message = f"the proxy {proxy.address} refuses the way (HTTP {status})"
    if 400 <= status < 500:
        raise FatalError(f"{message}; see --proxy", code="proxy")
    raise httpcore.ConnectError(message)
