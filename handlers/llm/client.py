"""The chat completions API over HTTP: one attempt a call, every failure in a class of its own."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import httpcore
import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.errors import FatalError, TransientError, UsageError
from handlers.llm.answers import read_answer
from handlers.llm.classify import classify, read_error
from handlers.llm.connection import Bounds, Connections, HttpReply
from handlers.llm.dialect import Dialect, RequestBody
from handlers.llm.error_text import error_text
from handlers.llm.limits.rate_headers import RateHint, rate_hint
from handlers.ports import Clock

_PATH = "/chat/completions"
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
            httpx.URL(url)
        except httpx.InvalidURL as error:
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


class HttpChatModel:
    """ports.ChatModel. Thread-safe; one instance for all worker threads of a process.

    ``on_headers`` hears what each response says of rate limits. ``ssl_context`` replaces the default
    one (certifi's roots; no environment variable is looked at).
    """

    def __init__(
        self,
        settings: ClientSettings,
        api_key: SecretStr,
        clock: Clock,
        *,
        on_headers: Callable[[RateHint], None] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = settings
        self._key = api_key.get_secret_value().strip()
        self._clock = clock
        self._on_headers = on_headers
        self._dialect = Dialect(
            settings.model,
            json_mode=settings.json_mode != "off",
            tokens_field=settings.max_tokens_field,
            temperature=settings.temperature,
            extra_body=settings.extra_body,
        )
        url = httpx.URL(settings.endpoint)
        bounds = Bounds(settings.connect_timeout, settings.read_timeout, settings.max_answer_bytes)
        if url.scheme == "https" and ssl_context is None:
            ssl_context = default_ssl_context(settings.ca_file)
        self._headers = _headers(settings, self._key, url)
        self._connections = Connections(httpcore.URL(str(url)), bounds, clock, ssl_context)

    def complete(self, request: ChatRequest, *, timeout: float) -> ChatAnswer:
        """One HTTP attempt of at most ``timeout`` seconds, name resolution aside; never retried here.

        Raises one of ModelCallError's classes.
        """
        sent = self._dialect.body(request)
        started = self._clock.monotonic()
        reply = self._connections.post(self._headers, sent.content, timeout=timeout)
        if self._on_headers is not None:
            age = self._clock.monotonic() - started
            hint = rate_hint(reply.headers, now=self._clock.now(), age=age)
            if hint is not None:
                self._on_headers(hint)
        if not 200 <= reply.status < 300:
            self._refuse(reply, sent)
        return read_answer(
            reply.body,
            request_bytes=len(sent.content),
            max_tokens=request.max_tokens,
            status=reply.status,
            key=self._key,
        )

    def body(self, request: ChatRequest) -> bytes:
        """The JSON that ``complete`` would send."""
        return self._dialect.body(request).content

    def abort(self) -> None:
        """Make the calls in flight fail soon, from another thread; later calls are not touched."""
        self._connections.abort()

    def close(self) -> None:
        self._connections.close()

    def _refuse(self, reply: HttpReply, sent: RequestBody) -> None:
        """Raise what a status other than 2xx means."""
        if 300 <= reply.status < 400:
            raise self._redirect(reply)
        if reply.status in (400, 422):
            code = self._dialect.adapt(sent, read_error(reply.body))
            if code == "json_mode_unsupported" and self._settings.json_mode == "on":
                message = f"model {self._settings.model} does not take JSON mode: use --json-mode auto or off"
                raise FatalError(message, code=code)
            if code is not None:
                raise TransientError(f"HTTP {reply.status}: {code}", code=code)
        raise classify(reply.status, reply.headers, reply.body, key=self._key, now=self._clock.now())

    def _redirect(self, reply: HttpReply) -> FatalError:
        """Not followed: the key must not go to a host that the user did not name."""
        target = error_text(reply.headers.get("location", ""), self._key)
        try:
            host = urlsplit(target).netloc.rpartition("@")[2] or "the same host"
        except ValueError:
            host = "an unreadable address"
        message = (
            f"HTTP {reply.status}: the endpoint redirects to {host}; set --base-url to the final address"
        )
        return FatalError(message, code="redirect")


@cache
def default_ssl_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """One for the process: reading the root certificates takes tens of milliseconds. ``ca_file`` (PEM) is
    trusted too. UsageError if it cannot be read."""
    context = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise UsageError(f"--ca-file {ca_file}: no certificates in PEM can be read: {error}") from error
    return context


def _headers(settings: ClientSettings, key: str, url: httpx.URL) -> list[tuple[bytes, bytes]]:
    """Headers of every request, made once."""
    headers = [
        ("Host", url.netloc.decode("ascii")),
        ("User-Agent", settings.user_agent),
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
        ("Content-Type", "application/json"),
    ]
    if key:
        name, _, scheme = settings.auth_header.partition(":")
        headers.append((name.strip(), f"{scheme.strip()} {key}".strip()))
    for name, value in headers:
        if not name or not (name + value).isascii() or not (name + value).isprintable() or " " in name:
            what = "the API key" if key and key in value else f"header {name!r}"
            raise UsageError(f"{what} has characters that cannot stand in an HTTP header")
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers]
