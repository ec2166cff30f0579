"""Papers through the real task and the client's reading of the model server's answers, without a wire."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal

from handlers.domain.call import ChatAnswer, ChatRequest, Message, Usage
from handlers.domain.call_errors import ModelCallError, TransientError
from handlers.domain.money import PicoUsd, Price
from handlers.domain.paper import Paper
from handlers.domain.result import TaskResult
from handlers.llm.answers import Expected, read_answer
from handlers.llm.classify import Circumstances, Refusal, classify_refusal
from handlers.llm.dialects.dialect import Dialect, Form, RequestBody
from handlers.llm.error_body import read_error
from handlers.model_server import ServerSettings
from handlers.model_server.canned import Filler
from handlers.model_server.chat import Chat
from handlers.model_server.reply import HttpRequest, ServerReply
from handlers.model_server.server_bill import ServerBill
from handlers.tasks.translation.translate import TranslateTask
from tests.builders.values import spec

PRICE = Price(prompt=PicoUsd(10**6), completion=PicoUsd(2 * 10**6), cached=PicoUsd(5 * 10**5))
PAPER = Paper(
    id="p1",
    title="稻田土壤β淀粉酶与R&D投入的研究",
    abstract="本文研究了$x^2$与$y_0$的三种方法，弛豫时间τ与密度ρ为常数，当p<0.05时准确率提高12%。",
    keywords=("水稻", "土壤"),
    language="zh",
)


@dataclass
class HabitCalls:
    """An endpoint with habits, and what a client makes of it. ``booked``: nano-USD of the usage it stated."""

    habits: tuple[str, ...]
    bill: ServerBill = field(default_factory=ServerBill)
    calls: int = 0
    booked: int = 0

    def __post_init__(self) -> None:
        settings = ServerSettings(
            mode="canned",
            habit=self.habits,
            price_in=Decimal(1),
            price_out=Decimal(2),
            price_cached=Decimal("0.5"),
        )
        self._chat = Chat(settings, Filler(), self.bill, monotonic=lambda: 0.0, now=lambda: 0.0)
        self._dialect = Dialect("m", Form(True, "max_tokens", 0.0), {})

    def ask(self, request: ChatRequest) -> ChatAnswer:
        """One call, and another in the form that a refusal names or that trying finds; raises as the client
        does."""
        sent = self._dialect.body(request)
        outcome = self._attempt(request, sent)
        if isinstance(outcome, Refusal):
            if self._dialect.adapt(outcome.status, sent, outcome.error):
                return self.ask(request)
            outcome = self._tried(request, sent, outcome)
        if isinstance(outcome, Refusal):
            raise classify_refusal(outcome, Circumstances(now=0.0, answered=True, silent=0.0))
        return outcome

    def _tried(self, request: ChatRequest, sent: RequestBody, refusal: Refusal) -> ChatAnswer | Refusal:
        if refusal.status not in (400, 422):
            return refusal
        for name, form in self._dialect.variants(sent):
            outcome = self._attempt(request, self._dialect.body(request, form))
            if isinstance(outcome, ChatAnswer):
                self._dialect.settle(name, form)
                return outcome
        return refusal

    def _attempt(self, request: ChatRequest, sent: RequestBody) -> ChatAnswer | Refusal:
        self.calls += 1
        reply = self.raw(sent.content)
        if reply.on_end is not None:
            reply.on_end(True)
        if reply.ending == "hung_up":
            raise TransientError("closed without an answer", code="connection", indeterminate=True)
        if reply.status != 200:
            return Refusal(reply.status, read_error(reply.body, reply.content_type))
        expected = Expected(len(sent.content), request.max_tokens, 200, reply.content_type)
        try:
            outcome = read_answer(reply.body, expected)
        except ModelCallError as error:
            self._book(error.usage)
            raise
        self._book(outcome.usage)
        return outcome

    def _book(self, usage: Usage | None) -> None:
        self.booked += usage.cost(PRICE) if usage is not None else 0

    def raw(self, body: bytes) -> ServerReply:
        """What the endpoint answers to any bytes."""
        return self._chat.answer(HttpRequest("POST", "/v1/chat/completions", {}, body))

    def request(self, text: str = "水稻的研究", max_tokens: int = 500) -> ChatRequest:
        asked = json.dumps({"segments": {"title": text}}, ensure_ascii=False)
        return ChatRequest(messages=(Message(role="user", content=asked),), max_tokens=max_tokens)

    def translate(self, paper: Paper = PAPER) -> TaskResult:
        return TranslateTask(spec()).run(paper, self.ask)
