"""The embeddings API over HTTP: one attempt a call, every failure in a class of its own."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpcore
from pydantic import SecretStr

from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.domain.call_errors import (
    AdaptedError,
    ContentFilteredError,
    FatalError,
    ModelCallError,
    ThrottledError,
    TooLongError,
)
from handlers.domain.run import RunSpec
from handlers.llm.answering import Answering
from handlers.llm.answers import Expected, usage_of
from handlers.llm.api_key import REFUSALS, ApiKey
from handlers.llm.classify import Circumstances, Refusal, classify_refusal
from handlers.llm.client import way_to
from handlers.llm.client_settings import ClientSettings, encoded_url
from handlers.llm.connection import Bounds, Connections
from handlers.llm.embeddings.embedding_answer import read_vectors
from handlers.llm.error_body import read_error
from handlers.llm.limits.rate_headers import RateHint, rate_hint
from handlers.ports import Clock, Cut

logger = logging.getLogger(__name__)

_ENCODING_TEXT = ("encoding_format", "base64")
_DIMENSIONS_TEXT = ("dimension", "matryoshka")
_TOO_LARGE_TEXT = ("too large to process",)
"""llama.cpp's words, with status 500, for a text beyond its physical batch."""
_NAMED = (400, 422)


class HttpEmbedder:
    """ports.ChatModel for requests of the kind ``embed``. Thread-safe; one instance for a process."""

    def __init__(
        self,
        settings: ClientSettings,
        api_key: SecretStr,
        clock: Clock,
        *,
        on_headers: Callable[[RateHint], None] | None = None,
        key_source: Callable[[], SecretStr] | None = None,
    ) -> None:
        self._settings = settings
        self._api_key = ApiKey(settings, api_key, key_source, clock)
        self._clock = clock
        self._on_headers = on_headers
        self._answering = Answering(clock)
        self._in_base64 = True
        """False once the endpoint refused it: a vector is a third of the size in it."""
        url = httpcore.URL(encoded_url(settings.embeddings))
        bounds = Bounds(settings.connect_timeout, settings.read_timeout, settings.max_answer_bytes)
        self._connections = Connections(url, bounds, clock, way_to(settings, None))

    def complete(self, request: ChatRequest, *, timeout: float, cut: Cut | None = None) -> ChatAnswer:
        """One HTTP attempt of at most ``timeout`` seconds; raises one of ModelCallError's classes."""
        deadline, sent_as = self._clock.monotonic() + timeout, self._in_base64
        used = self._api_key.current
        outcome = self._attempt(request, deadline, cut)
        if isinstance(outcome, Refusal) and outcome.usage is None:
            refused = self._classified(outcome, silent=0.0).code in REFUSALS
            if refused and self._api_key.has_another(used):
                outcome = self._attempt(request, deadline, cut)
        if isinstance(outcome, Refusal):
            raise self._refused(outcome, request, in_base64=sent_as)
        self._answering.answered()
        return outcome

    def body(self, request: ChatRequest) -> bytes:
        """The JSON that ``complete`` would send. One text goes alone: some servers take no list."""
        texts = [each.content for each in request.messages]
        data: dict[str, Any] = {"model": self._settings.model, "input": texts if len(texts) > 1 else texts[0]}
        if self._in_base64:
            data["encoding_format"] = "base64"
        if request.dimensions is not None:
            data["dimensions"] = request.dimensions
        text = json.dumps(self._settings.extra_body | data, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")

    def as_sent(self, spec: RunSpec) -> RunSpec:
        """The settings themselves: none of them is given up for an endpoint."""
        return spec

    def renew_key(self) -> None:
        """Read the key anew: somebody says that what was wrong with it is mended."""
        self._api_key.renew()

    def abort(self) -> None:
        """Make the calls in flight fail soon, from another thread; later calls are not touched."""
        self._connections.abort()

    def close(self) -> None:
        self._connections.close()

    def _attempt(self, request: ChatRequest, deadline: float, cut: Cut | None) -> ChatAnswer | Refusal:
        started, using = self._clock.monotonic(), self._api_key.current
        content = self.body(request)
        left = max(0.0, deadline - started)
        reply = self._connections.post(using.headers, content, timeout=left, cut=cut)
        if self._on_headers is not None:
            age = self._clock.monotonic() - started
            hint = rate_hint(reply.headers, now=self._clock.now(), age=age)
            if hint is not None:
                self._on_headers(hint)
        content_type = reply.headers.get("content-type", "")
        expected = Expected(len(content), request.max_tokens, reply.status, content_type, using.key)
        if not 200 <= reply.status < 300:
            error = read_error(reply.body, content_type)
            return Refusal(reply.status, error, reply.headers, usage=usage_of(reply.body, expected))
        try:
            outcome = read_vectors(reply.body, len(request.messages), expected)
        except ModelCallError:
            if reply.broken is not None:  # before all of it had come
                raise reply.broken from None
            raise
        return replace(outcome, headers=reply.headers) if isinstance(outcome, Refusal) else outcome

    def _refused(self, refusal: Refusal, request: ChatRequest, *, in_base64: bool) -> ModelCallError:
        """What a response that has no vectors means."""
        if refusal.error.says(_TOO_LARGE_TEXT):
            key = self._api_key.current.key
            return TooLongError(refusal.text(key), code="too_long").stating(refusal.usage)
        error = self._classified(refusal, silent=0.0)
        named = refusal.effective in _NAMED and not isinstance(
            error, TooLongError | ContentFilteredError | ThrottledError
        )
        if named and in_base64 and refusal.error.says(_ENCODING_TEXT):
            self._in_base64 = False
            logger.warning("the API gives no vectors in base64: asked for as numbers from now on")
            code = "encoding_format_unsupported"
            return AdaptedError(f"HTTP {refusal.status}: {code}", code=code).stating(refusal.usage)
        asked = request.dimensions is not None and not self._answering.ever
        if named and asked and refusal.error.says(_DIMENSIONS_TEXT):
            message = f"{error}; leave `dimensions` out of the task file's [embed], or take another model"
            return FatalError(message, code="dimensions_unsupported").stating(refusal.usage)
        return self._classified(refusal, silent=self._answering.refused())

    def _classified(self, refusal: Refusal, *, silent: float) -> ModelCallError:
        key, extra_body = self._api_key.current.key, self._settings.extra_body
        when = Circumstances(self._clock.now(), key, self._answering.ever, silent, extra_body)
        return classify_refusal(refusal, when)
