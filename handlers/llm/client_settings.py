"""How to talk to one endpoint."""

from __future__ import annotations

import logging
import re
import ssl
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from handlers.errors import UsageError
from handlers.llm.proxies import HttpProxy

logger = logging.getLogger(__name__)

_PATH = "/chat/completions"
_EMBEDDINGS = "/embeddings"
_OURS = frozenset(
    ("model", "messages", "stream", "n", "best_of", "max_tokens", "max_completion_tokens", "temperature")
)
"""Fields that ``extra_body`` must not set: the answer's form and the money depend on them."""


class ClientSettings(BaseModel):
    """How to talk to one endpoint. Times in seconds. UsageError if a value cannot work."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str
    """Up to and without ``/chat/completions``; a query (``?api-version=...``) is kept."""
    model: str
    temperature: float | None = 0.0
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    json_mode: Literal["auto", "on", "off"] = "auto"
    extra_body: dict[str, Any] = Field(default_factory=dict)
    auth_header: str = "Authorization: Bearer"
    """Header's name and what stands before the key: ``api-key`` for Azure."""
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    max_answer_bytes: int = 4 * 1024 * 1024
    user_agent: str = "paperfleet"
    ca_file: Path | None = None
    """Certificates to trust besides the usual ones: a gateway's of one's own."""
    trusted: tuple[Path, ...] = ()
    """More files and folders of such, which are passed over if they cannot be read."""
    proxy: HttpProxy | None = None

    @field_validator("base_url")
    @classmethod
    def _is_http_url(cls, url: str) -> str:
        url = url.strip()
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"--base-url {url[:200]!r} must begin with http:// or https:// and name a host")
        if parts.username is not None or parts.password is not None:
            raise UsageError("--base-url must not hold a user or password: the key is PAPERFLEET_API_KEY")
        try:
            encoded_url(url)
        except ValueError as error:
            raise UsageError(f"--base-url {url[:200]!r} is no URL: {error}") from None
        return url

    @field_validator("extra_body")
    @classmethod
    def _leaves_ours_alone(cls, extra: dict[str, Any]) -> dict[str, Any]:
        if taken := sorted(_OURS & extra.keys()):
            raise UsageError(f"--extra-body must not set {', '.join(taken)}: Paperfleet sets it itself")
        return extra

    @property
    def endpoint(self) -> str:
        """The URL that requests go to."""
        parts = urlsplit(self.base_url)
        path = parts.path.rstrip("/")
        path = path if path.endswith(_PATH) else path + _PATH
        return parts._replace(path=path, fragment="").geturl()

    @property
    def embeddings(self) -> str:
        """The URL that texts go to which are to have vectors."""
        parts = urlsplit(self.base_url)
        path = parts.path.rstrip("/").removesuffix(_PATH).removesuffix(_EMBEDDINGS) + _EMBEDDINGS
        return parts._replace(path=path, fragment="").geturl()


_NOTHING_TO_ENCODE = re.compile(
    r"https?://(?:127\.0\.0\.1|(?:[a-z0-9-]{1,63}\.){0,20}[a-z][a-z0-9-]{0,62})"
    r"(?::(?!(?:80|443)(?:/|\Z))[1-9][0-9]{1,4})?(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*){0,50}"
)


def encoded_url(url: str) -> str:
    """As httpx writes it: the host in ASCII, without a port that goes without saying, path and query
    percent-encoded. ValueError if it is no URL. Most addresses stay as they are, and for them httpx is not
    imported, which takes a twentieth of a run's start."""
    if _NOTHING_TO_ENCODE.fullmatch(url):
        return url
    import httpx

    try:
        return str(httpx.URL(url))
    except httpx.InvalidURL as error:
        raise ValueError(str(error)) from None


@cache
def default_ssl_context(ca_file: Path | None = None, trusted: tuple[Path, ...] = ()) -> ssl.SSLContext:
    """One for the process: reading the root certificates takes tens of milliseconds. ``ca_file`` (PEM) is
    trusted too, UsageError if it cannot be read; so is what can be read of ``trusted``."""
    from certifi import where

    context = ssl.create_default_context(cafile=where())
    for path in trusted:
        try:
            context.load_verify_locations(**{"capath" if path.is_dir() else "cafile": str(path)})
        except OSError as error:
            logger.warning("no certificates can be read from %s: %s", path, error)
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise UsageError(f"--ca-file {ca_file}: no certificates in PEM can be read: {error}") from error
    return context
