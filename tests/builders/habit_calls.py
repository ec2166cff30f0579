"""Papers through the real task and the client's reading of the model server's answers, without a wire."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.domain.call_errors import ModelCallError, TransientError
from handlers.domain.paper import Paper
from handlers.domain.result import TaskResult
from handlers.llm.answers import Expected, read_answer
from handlers.llm.classify import Circumstances, Refusal, classify_refusal
from handlers.llm.dialect import Dialect, Form
from handlers.llm.error_body import read_error
from handlers.model_server import ServerSettings
from handlers.model_server.canned import Filler
from handlers.model_server.chat import Chat
from handlers.model_server.reply import HttpRequest, ServerReply
from handlers.model_server.server_bill import ServerBill
from handlers.tasks.translation.translate import TranslateTask
from tests.builders.values import spec

PAPER = Paper(
    id="p1",
    title="稻田土壤β淀粉酶与R&D投入的研究",
    abstract="本文研究了$x^2$与$y_0$的三种方法，弛豫时间τ与密度ρ为常数，当p<0.05时准确率提高12%。",
    keywords=("水稻", "土壤"),
    language="zh",
)


@dataclass
class HabitCalls:
    """An endpoint with habits, and what a client makes of it. ``refusals``: the codes of errors, in turn."""

    habits: tuple[str, ...]
    bill: ServerBill = field(default_factory=ServerBill)
    calls: int = 0
    booked: list[ChatAnswer] = field(default_factory=list)

    def __post_init__(self) -> None:
        settings = ServerSettings(mode="canned", habit=self.habits, price_in=1, price_out=2)
        self._chat = Chat(settings, Filler(), self.bill, monotonic=lambda: 0.0, now=lambda: 0.0)
        self._dialect = Dialect("m", Form(True, "max_tokens", 0.0), {})

    def reply(self, request: ChatRequest) -> ServerReply:
        body = self._dialect.body(request).content
        return self._chat.answer(HttpRequest("POST", "/v1/chat/completions", {}, body))

    def ask(self, request: ChatRequest) -> ChatAnswer:
        """One call; raises as the client does."""
        self.calls += 1
        reply = self.reply(request)
        if reply.on_end is not None:
            reply.on_end(True)
        if reply.ending == "hung_up":
            raise TransientError("closed without an answer", code="connection", indeterminate=True)
        if reply.status != 200:
            raise _error(Refusal(reply.status, read_error(reply.body, reply.content_type), {}))
        expected = Expected(
            len(self._dialect.body(request).content), request.max_tokens, 200, reply.content_type
        )
        answer = read_answer(reply.body, expected)
        if isinstance(answer, Refusal):
            raise _error(answer)
        self.booked.append(answer)
        return answer

    def translate(self, paper: Paper = PAPER) -> TaskResult:
        return TranslateTask(spec()).run(paper, self.ask)


def _error(refusal: Refusal) -> ModelCallError:
    return classify_refusal(refusal, Circumstances(now=0.0, answered=True))
