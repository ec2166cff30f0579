"""What stands for threads and for the API in a fleet of one thread."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from handlers.domain.call import ChatAnswer, ChatRequest, Usage
from handlers.domain.call_errors import (
    ContentFilteredError,
    FatalError,
    RejectedError,
    ThrottledError,
    TransientError,
)
from handlers.domain.money import Price
from handlers.llm.limits.limiter import Limiter
from handlers.llm.prices.pricing import worst_cost
from handlers.model_server.canned import Filler
from handlers.model_server.content import compose
from handlers.pipeline.committer import Committer, FinishedPaper
from handlers.pipeline.pool import WorkerPool
from tests.builders.fakes import FakeClock
from tests.builders.paragraph_task import BLAMED

PRICE = Price(prompt=1_000_000, completion=2_000_000, cached=1_000_000)
USAGE = Usage(prompt_tokens=40, completion_tokens=20)
ALMOST = Usage(prompt_tokens=1, completion_tokens=0)
"""What the API charges for a call that it cut off, if it charges at all."""
Answer = Literal[
    "ok", "refused", "flawed", "throttled", "reset", "charged", "hidden", "broken", "no_key", "blamed"
]


Answerer = Callable[[ChatRequest, bool], str]
"""An answer's text by the request, and whether it is to be a good one."""


class Inline(WorkerPool):
    """Does a paper when it is given one, and then what that has submitted, in its order."""

    _waiting: deque[Callable[[], None]] | None = None

    def submit(self, task: Callable[[], None], *, seconds: object = None, makes: int = 0) -> None:
        if self._waiting is not None:
            self._waiting.append(task)
            return
        self._waiting = deque([task])
        try:
            while self._waiting:
                self._waiting.popleft()()
        finally:
            self._waiting = None


class AtOnce(Committer):
    """Commits each paper as it comes: every durable step has its own place in the story."""

    def add(self, finished: FinishedPaper) -> None:
        self._book(self._write([finished]))
        finished.on_commit()


class Unheld(Limiter):
    def throttled(self, started_at: float, retry_after: float | None) -> None:
        """The paper itself waits, in the test's time."""

    def lost(self, started_at: float) -> bool:
        """In one thread no time passes while a slot is waited for: a lost call keeps none."""
        return False


class Api:
    """``ChatModel``: answers as it is told, keeps the bill, and is asked nothing that was paid before."""

    def __init__(
        self, clock: FakeClock, look: Callable[[str, ChatRequest], None], answer: Answerer | None = None
    ) -> None:
        """``look`` hears of each call before it is answered. ``answer``: what is said, good or with a fault;
        None: what papers are answered."""
        self._clock, self._look, self._said = clock, look, answer
        self.script: deque[Answer] = deque()
        self.run_id = ""
        self.bill: defaultdict[str, int] = defaultdict(int)
        self.calls = 0

    def complete(self, request: ChatRequest, *, timeout: float) -> ChatAnswer:
        self.calls += 1
        self._clock.advance(1.0)
        self._look(self.run_id, request)
        match self.script.popleft() if self.script else "ok":
            case "throttled":
                raise ThrottledError("slow down", retry_after=None)
            case "refused":
                raise ContentFilteredError("refused", code="content_filter")
            case "reset":
                raise TransientError("reset", code="reset", indeterminate=True)
            case "charged":
                self.bill[self.run_id] += ALMOST.cost(PRICE)
                raise TransientError("reset", code="reset", indeterminate=True)
            case "hidden":
                self.bill[self.run_id] += worst_cost(
                    sum(size for _, size in request.sizes), request.max_tokens, PRICE
                )
                raise RejectedError("no answer in it", code="bad_answer", indeterminate=True)
            case "broken":
                raise TransientError("HTTP 500", code="http_500")
            case "no_key":
                raise FatalError("HTTP 401", code="unauthorized")
            case "flawed":
                return self._answer(request, "refusal")
            case "blamed":
                good = self._answer(request, None)
                return replace(good, content=good.content.replace('."', f'. {BLAMED}."'))
        return self._answer(request, None)

    def _answer(self, request: ChatRequest, fault: Any) -> ChatAnswer:
        self.bill[self.run_id] += USAGE.cost(PRICE)
        if self._said is not None:
            return ChatAnswer(self._said(request, fault is None), finish_reason="stop", usage=USAGE)
        content = compose(request.messages[-1].content, Filler(), fault, 0.5)
        return ChatAnswer(content=content.text, finish_reason=content.finish_reason, usage=USAGE)

    def abort(self) -> None: ...
    def close(self) -> None: ...
