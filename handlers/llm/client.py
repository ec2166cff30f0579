"""The chat completions API over HTTP: one attempt a call, every failure in a class of its own."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import urlsplit

import httpcore
from pydantic import SecretStr

from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.domain.call_errors import (
    AdaptedError,
    ContentFilteredError,
    FatalError,
    ModelCallError,
    RejectedError,
    ThrottledError,
    TooLongError,
    TransientError,
)
from handlers.domain.run import RunSpec
from handlers.llm.answering import Answering
from handlers.llm.answers import Expected, is_whole, read_answer, usage_of
from handlers.llm.api_key import REFUSALS, ApiKey
from handlers.llm.classify import Circumstances, Refusal, classify_refusal
from handlers.llm.client_settings import ClientSettings, default_ssl_context, encoded_url
from handlers.llm.connection import Bounds, Connections
from handlers.llm.dialects.dialect import Dialect, RequestBody
from handlers.llm.dialects.dialect_memory import DialectMemory
from handlers.llm.dialects.refused_parameter import refused_parameter, refuses_tier
from handlers.llm.dialects.request_form import as_sent, asked_form
from handlers.llm.error_body import read_error
from handlers.llm.error_text import error_text
from handlers.llm.limits.rate_headers import RateHint, rate_hint
from handlers.llm.prices.tariff import FLEX, tier_name
from handlers.llm.sockets.timed_socket import Way
from handlers.ports import Clock, Cut

logger = logging.getLogger(__name__)

_NO_API_AFTER = 2.0
"""Seconds of nothing but other things than completions, from the first call on."""
_ADDRESS = "is --base-url the API's address, up to and with /v1?"
_MAX_LOOK = 65_536
_NOT_OF_FORM = frozenset(("insufficient_quota", "json_validate_failed", "unauthorized", "forbidden"))
"""Refusals that no other form of the request would mend, whatever parameters they name."""


class _Until(NamedTuple):
    """When a call ends at the latest, and what may end it before."""

    deadline: float
    cut: Cut | None


class HttpChatModel:
    """ports.ChatModel. Thread-safe; one instance for all worker threads of a process. No environment variable
    is looked at: what these say is in the settings.

    ``on_headers`` hears what each response says of rate limits. ``memory`` knows what the endpoint does not
    take. ``key_source`` gives the key anew once the API refuses it. ``ssl_context`` replaces the default one
    (certifi's roots and what the settings name).
    """

    def __init__(
        self,
        settings: ClientSettings,
        api_key: SecretStr,
        clock: Clock,
        *,
        on_headers: Callable[[RateHint], None] | None = None,
        memory: DialectMemory | None = None,
        key_source: Callable[[], SecretStr] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = settings
        self._api_key = ApiKey(settings, api_key, key_source, clock)
        self._clock = clock
        self._on_headers = on_headers
        form = asked_form(settings.json_mode != "off", settings.max_tokens_field, settings.temperature)
        self._dialect = Dialect(settings.model, form, settings.extra_body, memory)
        self._answering = Answering(clock)
        self._flex_served = False
        url = httpcore.URL(encoded_url(settings.endpoint))
        bounds = Bounds(settings.connect_timeout, settings.read_timeout, settings.max_answer_bytes)
        self._connections = Connections(url, bounds, clock, way_to(settings, ssl_context))

    def complete(self, request: ChatRequest, *, timeout: float, cut: Cut | None = None) -> ChatAnswer:
        """One HTTP attempt of at most ``timeout`` seconds, name resolution aside; never retried here. Only
        where the API refuses the first requests without naming a parameter, at no cost, are simpler forms
        tried in the same call until one is answered, once in a process and by one job of a state.

        Raises one of ModelCallError's classes.
        """
        until = _Until(self._clock.monotonic() + timeout, cut)
        sent = self._dialect.body(request)
        if request.tier == "flex" and not sent.flex:
            raise self._no_flex("found by trying")
        outcome = self._with_current_key(sent, request, until)
        if isinstance(outcome, Refusal) and sent.flex and self._refuses_tier(outcome):
            raise self._no_flex(outcome.text(self._api_key.current.key)).stating(outcome.usage)
        if isinstance(outcome, Refusal) and self._may_be_probed(outcome):
            outcome = self._probe(sent, request, outcome, until)
        if isinstance(outcome, Refusal):
            raise self._refused(outcome, sent)
        self._answering.answered()
        return outcome

    def _with_current_key(
        self, sent: RequestBody, request: ChatRequest, until: _Until
    ) -> ChatAnswer | Refusal:
        """Once more, if the API refuses the key and there is another one by now: a rotation is nobody's
        fault, and a refused key is not charged for."""
        used = self._api_key.current
        outcome = self._attempt(sent, request, until)
        if isinstance(outcome, Refusal) and outcome.usage is None:
            refused = self._classified(outcome, silent=0.0).code in REFUSALS
            if refused and self._api_key.has_another(used):
                return self._attempt(sent, request, until)
        return outcome

    def renew_key(self) -> None:
        """Read the key anew: somebody says that what was wrong with it is mended."""
        self._api_key.renew()

    def _attempt(self, sent: RequestBody, request: ChatRequest, until: _Until) -> ChatAnswer | Refusal:
        """Send one form of a request; what the API says in place of an answer is returned, not raised."""
        started, using = self._clock.monotonic(), self._api_key.current
        left = max(0.0, until.deadline - started)
        reply = self._connections.post(using.headers, sent.content, timeout=left, cut=until.cut)
        if self._on_headers is not None:
            age = self._clock.monotonic() - started
            hint = rate_hint(reply.headers, now=self._clock.now(), age=age)
            if hint is not None:
                self._on_headers(hint)
        content_type = reply.headers.get("content-type", "")
        expected = Expected(
            request_bytes=len(sent.content),
            max_tokens=request.max_tokens,
            status=reply.status,
            content_type=content_type,
            key=using.key,
        )
        if not 200 <= reply.status < 300:
            error = read_error(reply.body, content_type)
            usage = usage_of(reply.body, expected)
            return Refusal(reply.status, error, reply.headers, usage=usage, flex=sent.flex)
        if reply.broken is not None and not is_whole(reply.body):
            raise reply.broken
        try:
            outcome = read_answer(reply.body, expected)
        except TransientError as error:
            raise self._no_api(error, reply.body) from None
        if isinstance(outcome, Refusal):
            return replace(outcome, headers=reply.headers, flex=sent.flex)
        self._flex_served = self._flex_served or tier_name(outcome.tier) == FLEX
        return outcome

    def body(self, request: ChatRequest) -> bytes:
        """The JSON that ``complete`` would send."""
        return self._dialect.body(request).content

    def as_sent(self, spec: RunSpec) -> RunSpec:
        """The settings whose requests are those that are sent now: without what the endpoint refuses."""
        return as_sent(spec, self._dialect.form)

    def abort(self) -> None:
        """Make the calls in flight fail soon, from another thread; later calls are not touched."""
        self._connections.abort()

    def close(self) -> None:
        self._connections.close()

    def _may_be_probed(self, refusal: Refusal) -> bool:
        """True of a refusal that names nothing, while nothing was ever answered."""
        if refusal.effective not in (400, 422) or self._answering.ever or refusal.usage is not None:
            return False
        named = refused_parameter(refusal.effective, refusal.error) is not None
        return not named and type(self._classified(refusal, silent=0.0)) is RejectedError

    def _probe(
        self, sent: RequestBody, request: ChatRequest, refusal: Refusal, until: _Until
    ) -> ChatAnswer | Refusal:
        """The answer to the first form that has one; the refusal as it was if none has. Others wait."""
        dialect = self._dialect
        if not dialect.probing.acquire(timeout=max(0.0, until.deadline - self._clock.monotonic())):
            return refusal
        try:
            if not dialect.may_try(sent, until.deadline):
                return refusal
            logger.warning(
                "the API refuses a request for no reason that is known: trying simpler forms of it"
            )
            return self._answer_of_variants(sent, request, refusal, until)
        except ModelCallError:
            dialect.put_off()
            raise
        finally:
            dialect.probing.release()

    def _answer_of_variants(
        self, sent: RequestBody, request: ChatRequest, refusal: Refusal, until: _Until
    ) -> ChatAnswer | Refusal:
        dialect = self._dialect
        for name, form in dialect.variants(sent):
            outcome = self._attempt(dialect.body(request, form), request, until)
            if isinstance(outcome, ChatAnswer):
                dialect.settle(name, form)
                return outcome
            if outcome.effective not in (400, 422):
                dialect.put_off()
                return outcome
        dialect.settle_on_none()
        return refusal

    def _refuses_tier(self, refusal: Refusal) -> bool:
        error = self._classified(refusal, silent=0.0)
        if self._flex_served or isinstance(error, ThrottledError | TooLongError | ContentFilteredError):
            return False  # it is about this request: one paper's words must not end the run
        return refuses_tier(refusal.effective, refusal.error)

    def _no_flex(self, why: str) -> FatalError:
        message = f"model {self._settings.model} does not take the flex tier here: run without --flex ({why})"
        return FatalError(message, code="flex_unsupported")

    def _refused(self, refusal: Refusal, sent: RequestBody) -> ModelCallError:
        """What a response that is no answer means."""
        if 300 <= refusal.status < 400:
            return self._redirect(refusal)
        error = self._classified(refusal, silent=0.0)
        if (
            isinstance(error, TooLongError | ContentFilteredError | ThrottledError)
            or error.code in _NOT_OF_FORM
        ):
            return self._classified(refusal, silent=self._answering.refused())
        code = self._dialect.adapt(refusal.effective, sent, refusal.error)
        if code == "json_mode_unsupported" and self._settings.json_mode == "on":
            message = f"model {self._settings.model} does not take JSON mode: use --json-mode auto or off"
            return FatalError(message, code=code)
        if code is None and refusal.effective in (400, 422) and not self._dialect.is_current(sent):
            code = "dialect_changed"  # by another call, meanwhile
        if code is not None:
            message = f"HTTP {refusal.status or 200}: {code}"
            return AdaptedError(message, code=code).stating(refusal.usage)
        if type(error) is RejectedError:
            return error
        error = self._classified(refusal, silent=self._answering.refused())
        if isinstance(error, FatalError) and error.code == "not_found":
            asked = f"{error}; nothing is at {self._connections.address}: {_ADDRESS}"
            return FatalError(asked, code=error.code).stating(refusal.usage)
        return error

    def _classified(self, refusal: Refusal, *, silent: float) -> ModelCallError:
        key, extra_body = self._api_key.current.key, self._settings.extra_body
        when = Circumstances(self._clock.now(), key, self._answering.ever, silent, extra_body)
        return classify_refusal(refusal, when)

    def _no_api(self, error: TransientError, body: bytes) -> ModelCallError:
        """A body that is no completion: where from the first call on, and for some seconds, nothing else
        comes, the address is no API's. Later it may stand for an answer that a gateway lost."""
        if error.usage is not None or b'"choices"' in body[:_MAX_LOOK]:
            return error
        if self._answering.ever:
            error.indeterminate = True
            return error
        if self._answering.refused() < _NO_API_AFTER:
            return error
        message = f"{error}; {_ADDRESS}"
        return FatalError(message, code="no_completions")

    def _redirect(self, reply: Refusal) -> FatalError:
        """Not followed: the key must not go to a host that the user did not name."""
        target = error_text(reply.headers.get("location", ""), self._api_key.current.key)
        try:
            host = urlsplit(target).netloc.rpartition("@")[2] or "the same host"
        except ValueError:
            host = "an unreadable address"
        message = (
            f"HTTP {reply.status}: the endpoint redirects to {host}; set --base-url to the final address"
        )
        return FatalError(message, code="redirect")


def way_to(settings: ClientSettings, ssl_context: ssl.SSLContext | None) -> Way:
    """Certificates and proxy of an endpoint."""

    def default() -> ssl.SSLContext:
        return default_ssl_context(settings.ca_file, settings.trusted)

    if ssl_context is None and urlsplit(settings.base_url).scheme == "https":
        ssl_context = default()
    if ssl_context is not None:
        ssl_context.set_alpn_protocols(["http/1.1"])
    proxy = settings.proxy
    return Way(ssl_context, proxy, default() if proxy is not None and proxy.scheme == "https" else None)
