"""Chat completions: the checks in a provider's order, then chance, the answer, and its charge."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from handlers.llm.built_in import MARK
from handlers.model_server import chance, tokens
from handlers.model_server.chat_body import ChatBody, read_request
from handlers.model_server.content import Content, Translator, compose
from handlers.model_server.faults import pick
from handlers.model_server.habits.habit_table import HabitMix
from handlers.model_server.habits.turn import Turn
from handlers.model_server.limits import Limits
from handlers.model_server.reply import Ending, HttpRequest, ServerReply, encoded, error_reply
from handlers.model_server.schemas.by_schema import KnownSchemas, answer_by, record_of, shortened
from handlers.model_server.schemas.made_up_vectors import embeddings_of, read_inputs
from handlers.model_server.schemas.schema_faults import formed
from handlers.model_server.server_bill import ServerBill, Tariff
from handlers.model_server.server_settings import Fault, ServerSettings
from handlers.model_server.tokens import PromptCache, Tokens

_ERRORS: dict[Fault, tuple[int, str]] = {
    "http_500": (500, "The server had an error while processing your request"),
    "http_503": (503, "The engine is currently overloaded, please try again later"),
    "http_529": (529, "Overloaded"),
}
_ENDINGS: frozenset[Fault] = frozenset({"reset", "stall", "truncated"})


@dataclass(frozen=True)
class Draw:
    """What chance says of one request. ``latency``: seconds, or a factor when it follows the length."""

    fault: Fault | None
    latency: float
    damage: float


class Chat:
    """Answers one request after the other; the loop's thread alone calls it. ``monotonic`` and ``now``
    give seconds, the latter Unix time."""

    def __init__(
        self,
        settings: ServerSettings,
        translator: Translator,
        bill: ServerBill,
        *,
        monotonic: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self._translator = translator
        self._bill = bill
        self._monotonic = monotonic
        self._now = now
        self._seen: dict[bytes, int] = {}
        self._cache = PromptCache()
        self._schemas = KnownSchemas()
        self._number = 0
        self.configure(settings)

    def configure(self, settings: ServerSettings) -> None:
        """Take other settings; the limits start with full buckets."""
        self.settings = settings
        self._rates = settings.rates
        self._tariff = Tariff(settings)
        self._limits = Limits(settings, now=self._monotonic())
        self._habits = HabitMix(settings.habit)
        self._notice = f"x-paperfleet-notice: {settings.notice}\r\n"

    def answer(self, request: HttpRequest) -> ServerReply:
        """The reply to one POST, counted; charged if an answer was generated."""
        refused = self._unauthorized(request)
        if refused is not None:
            return refused
        body = self._asked(request.body)
        if isinstance(body, ServerReply):
            return body
        refused = self._out_of_credit() or self._throttled(body)
        return refused or self._admitted(body)

    def embed(self, request: HttpRequest) -> ServerReply:
        """The same of texts that are to have vectors: charged by the prompt alone."""
        refused = self._unauthorized(request)
        if refused is not None:
            return refused
        body = read_inputs(request.body)
        if body is None:
            message = "Expected JSON with model and input, a text or a list of texts that are not empty"
            return self._refuse("bad_request", error_reply(400, message, code="invalid_request"))
        refused = self._unfit(body) or self._out_of_credit() or self._throttled(body)
        return refused or self._embedded(body)

    def _embedded(self, body: ChatBody) -> ServerReply:
        digest = chance.text_digest(self.settings.seed, [("embed", each) for _, each in body.messages])
        repeats = self._seen.get(digest, 0)
        self._seen[digest] = repeats + 1
        draw = self._draw(digest, repeats)
        fault, delay = draw.fault, self._delay(draw, 0)
        if fault in _ERRORS:
            status, message = _ERRORS[fault]
            self._bill.note(fault, status, now=self._now())
            reply = error_reply(status, message, kind="server_error", headers=self._headers())
            return self._tracked(replace(reply, delay=delay), digest, billed=False)
        used = Tokens(body.prompt_tokens, 0, 0, 0)
        answer = embeddings_of(body, self.settings.model_name, None if fault == "no_usage" else used)
        self._bill.charge(digest, used, self._tariff.charge(used))
        self._bill.note(fault or "ok", None if fault in ("reset", "stall") else 200, now=self._now())
        ending = cast("Ending", fault) if fault in _ENDINGS else "whole"
        content = encoded(answer).encode("utf-8", "replace")
        reply = ServerReply(200, content, self._headers() + self._notice, delay, ending)
        return self._tracked(reply, digest, billed=True)

    def _unauthorized(self, request: HttpRequest) -> ServerReply | None:
        key = self.settings.api_key
        header = request.headers.get("authorization", "").removeprefix("Bearer ").encode("utf-8", "replace")
        if key is None or hmac.compare_digest(header, key.encode()):
            return None
        message = "Incorrect API key provided"
        return self._refuse("unauthorized", error_reply(401, message, code="invalid_api_key"))

    def _asked(self, body: bytes) -> ChatBody | ServerReply:
        """The request, or the 4xx that it earns."""
        asked = read_request(body)
        if asked is None:
            message = "Expected JSON with model, messages of text, max_tokens over 0 and no stream"
            return self._refuse("bad_request", error_reply(400, message, code="invalid_request"))
        return self._unfit(asked) or asked

    def _unfit(self, body: ChatBody) -> ServerReply | None:
        settings, model, prompt, limit = self.settings, body.model, body.prompt_tokens, body.max_tokens
        if settings.models and model not in settings.models:
            message = f"The model `{model[:100]}` does not exist or you do not have access to it"
            return self._refuse("unknown_model", error_reply(404, message, code="model_not_found"))
        most, total = settings.max_context_tokens, prompt + (limit or 0)
        if most is None or total <= most:
            return None
        message = (
            f"This model's maximum context length is {most} tokens. However, you requested {total} tokens "
            f"({prompt} in the messages, {limit or 0} in the completion). Please reduce the length."
        )
        return self._refuse("too_long", error_reply(400, message, code="context_length_exceeded"))

    def _out_of_credit(self) -> ServerReply | None:
        credit = self.settings.credit_usd
        if credit is None or self._bill.nano_usd < credit * 10**9:
            return None
        message = "You exceeded your current quota, please check your plan and billing details"
        status = self.settings.credit_status
        reply = error_reply(status, message, kind="insufficient_quota", code="insufficient_quota")
        return self._refuse("no_credit", reply)

    def _throttled(self, body: ChatBody) -> ServerReply | None:
        in_flight = self._bill.in_flight
        wait = self._limits.wait(body.prompt_tokens, in_flight=in_flight, now=self._monotonic())
        if not wait:
            return None
        headers = self._limits.retry_headers(wait, now=self._now())
        message = f"Rate limit reached. Please try again in {wait:.3f}s"
        code = "rate_limit_exceeded"
        reply = error_reply(429, message, kind="requests", code=code, headers=headers)
        return self._refuse("throttled", reply)

    def _admitted(self, body: ChatBody) -> ServerReply:
        digest = chance.text_digest(self.settings.seed + body.seed, body.messages)
        repeats = self._seen.get(digest, 0)
        self._seen[digest] = repeats + 1
        draw = self._draw(digest, repeats)
        if draw.fault in _ERRORS:
            status, message = _ERRORS[draw.fault]
            self._bill.note(draw.fault, status, now=self._now())
            reply = error_reply(status, message, kind="server_error", headers=self._headers())
            return self._tracked(replace(reply, delay=self._delay(draw, 0)), digest, billed=False)
        turn = self._habits.turn(body.asked, body.max_tokens, (digest, repeats), now=self._monotonic())
        schema = self._schemas.of(body)  # also of a request that is refused for it
        turn.pass_moment("request")
        if turn.reply is not None:
            self._bill.note(turn.refused_by, turn.reply.status, now=self._now())
            reply = replace(turn.reply, headers=self._headers() + turn.reply.headers)
            return self._tracked(replace(reply, delay=self._delay(draw, 0)), digest, billed=False)
        return self._answered(body, turn, draw, (digest, schema))

    def _answered(
        self, body: ChatBody, turn: Turn, draw: Draw, form: tuple[bytes, Mapping[str, Any] | None]
    ) -> ServerReply:
        """The answer with its habits, charged for what is billed after all of them. ``form``: the request's
        digest, and the schema that its answer is to have."""
        digest, schema = form
        content = self._composed(body, draw, digest, schema)
        turn.text = content.text
        turn.pass_moment("answer")
        content, turn.used = self._measured(body, replace(content, text=turn.text), turn.reasoning)
        turn.completion = self._completion(content, turn)
        turn.pass_moment("body")
        self._bill.charge(digest, turn.used, self._tariff.charge(turn.used))
        self._limits.spend(turn.used.completion)
        turn.reply = self._reply(content, turn, draw)
        turn.pass_moment("wire")
        return self._tracked(turn.reply, digest, billed=True)

    def _composed(
        self, body: ChatBody, draw: Draw, digest: bytes, schema: Mapping[str, Any] | None
    ) -> Content:
        """Of the form that was asked for; texts by the translator, as long as a repair allows."""
        if schema is not None:
            return formed(answer_by(schema, body, digest), draw.fault, draw.damage)
        source = record_of(body)
        if source == body.last_user:
            return compose(source, self._translator, draw.fault, draw.damage)
        content = compose(source, self._translator, draw.fault, draw.damage)
        return replace(content, text=shortened(content.text, body.last_user))

    def _draw(self, digest: bytes, repeats: int) -> Draw:
        first, second, third = chance.draws(digest, repeats)
        settings = self.settings
        median = settings.latency if settings.latency_model == "lognormal" else 1.0
        noise = chance.lognormal(second, median=median, sigma=settings.sigma)
        return Draw(pick(self._rates, first), noise, third)

    def _measured(self, body: ChatBody, content: Content, thought: int) -> tuple[Content, Tokens]:
        """The content within ``max_tokens``, and what it costs. Reasoning comes first, as models do it."""
        reasoning = self.settings.reasoning_tokens + thought
        if body.max_tokens is not None:
            reasoning = min(reasoning, body.max_tokens)
            room = body.max_tokens - reasoning
            if tokens.count(content.text) > room:
                content = Content(tokens.cut(content.text, room), "length", content.fault)
        completion = tokens.count(content.text) + reasoning
        return content, Tokens(body.prompt_tokens, completion, self._cached(body), reasoning)

    def _cached(self, body: ChatBody) -> int:
        if not self.settings.prompt_cache:
            return 0
        seen = self._cache.seen(body.model, body.messages)
        return seen if seen >= self.settings.cache_from else 0

    def _reply(self, content: Content, turn: Turn, draw: Draw) -> ServerReply:
        fault = content.fault
        ending = cast("Ending", fault) if fault in _ENDINGS else "whole"
        status = None if fault in ("reset", "stall") else 200
        self._bill.note(fault or "ok", status, now=self._now())
        body = encoded(turn.completion).encode("utf-8", "replace")
        return ServerReply(
            200, body, self._headers() + self._notice, self._delay(draw, turn.used.completion), ending
        )

    def _delay(self, draw: Draw, completion: int) -> float:
        """Seconds until the answer is sent."""
        settings = self.settings
        if settings.latency_model == "lognormal":
            return draw.latency
        return draw.latency * (settings.ttft + completion / settings.tokens_per_second)

    def _completion(self, content: Content, turn: Turn) -> dict[str, Any]:
        self._number += 1
        message = {"role": "assistant", **({} if turn.silent else {"content": content.text}), **turn.message}
        answer: dict[str, Any] = {
            "id": f"chatcmpl-{self._number}",
            "object": "chat.completion",
            "created": int(self._now()),
            "model": self.settings.model_name,
            "system_fingerprint": MARK,
            "choices": [{"index": 0, "message": message, "finish_reason": content.finish_reason}],
        }
        if content.fault != "no_usage":
            answer["usage"] = turn.used.as_usage()
        return answer

    def _tracked(self, reply: ServerReply, digest: bytes, *, billed: bool) -> ServerReply:
        """The reply, with its time in flight counted."""
        began = self._monotonic()
        self._bill.enter()

        def ended(written: bool) -> None:
            latency = self._monotonic() - began
            self._bill.leave(digest, delivered=written and billed, latency=latency, now=self._now())

        return replace(reply, on_end=ended)

    def _refuse(self, outcome: str, reply: ServerReply) -> ServerReply:
        self._bill.note(outcome, reply.status, now=self._now())
        return replace(reply, headers=self._headers() + reply.headers)

    def _headers(self) -> str:
        return self._limits.headers()
